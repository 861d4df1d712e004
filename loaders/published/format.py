"""The records of a folder of published circuits, as ``docs/published.md`` describes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LONGEST_SIDE = 255
"""Rows or columns that a published kernel may have."""

LONGEST_TEXT = 2000
"""Characters that a label or another text may have."""

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{7,40}$")]
License = Annotated[str, Field(pattern=r"^[A-Za-z0-9.+-]+$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Rows = Annotated[
    list[Annotated[list[Number], Field(min_length=1, max_length=LONGEST_SIDE)]],
    Field(min_length=1, max_length=LONGEST_SIDE),
]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LayerSizes(_Record):
    """``layer_sizes.json``: the layers in order of computation, and their channels."""

    model: str
    layer_sizes: dict[str, Annotated[int, Field(ge=1, le=1_000_000)]] = Field(min_length=1)


class EdgeRecord(_Record):
    """One kernel read from a figure."""

    source: str
    target: str
    kernel: Rows
    figure: Text
    repository: Text | None = None
    commit: Commit | None = None


class EdgesFile(_Record):
    """``edges.json``."""

    edges: list[EdgeRecord]
    note: str | None = None
    licence: str | None = None
    license: str | None = None


class FileOrigin(_Record):
    """Where in a repository something was read."""

    repo: Text | None = None
    path: Text | None = None
    commit: Commit | None = None


class MatrixFile(_Record):
    """``A_to_B.json``: kernels between units of two layers, keyed ``a:1->b:2``."""

    source_layer: str
    target_layer: str
    weights: dict[str, Rows]
    kernel: str | None = None
    license: str | None = None
    origin: FileOrigin = FileOrigin()


class CircuitSource(FileOrigin):
    """Where a circuit was published."""

    article: Text
    license: License | None = None


class MemberRecord(_Record):
    """A unit of a circuit, and the part it plays."""

    unit: str
    role: Text


class CircuitEdgeRecord(_Record):
    """An edge of a circuit, with the sign that the article claims, in its own words."""

    source: str
    target: str
    claimed_sign: Text | None = None
    flag: Text | None = None


class CircuitRecord(_Record):
    """One published circuit."""

    id: str
    motif: Text
    model: str
    claim: Text
    members: list[MemberRecord] = Field(min_length=1)
    edges: list[CircuitEdgeRecord]
    source: CircuitSource


class LabelsAbout(_Record):
    """Where the labels were published; ``{layer}`` in ``path`` stands for the layer's name."""

    article: Text
    vocabulary: Name
    repo: Text | None = None
    path: Text | None = None
    commit: Commit | None = None
    license: License = "NOASSERTION"


class Article(_Record):
    """A published text and its authors, who speak as a group under the id ``author``."""

    uri: Text
    author: Name
    title: Text
    names: list[Name] = Field(min_length=1)
    published: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    doi: Text | None = None


class AboutPublished(_Record):
    """``about.json``: whom to name, and where things were published."""

    title: str | None = None
    architecture: str | None = None
    layer_kind: str | None = None
    license: License = "NOASSERTION"
    attribution: str | None = None
    linearisation: str | None = None
    labels: LabelsAbout | None = None
    articles: list[Article] = []
