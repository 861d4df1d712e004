"""The files of a benchmark: what tools are given, the truth, and their answers.

``networks.json`` is for every tool, ``truth.json`` for the scorer, and an answers file is what a
tool writes. The classes say what stands in each; their JSON Schemas are written beside them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from circuitkb.schema.errors import SourceError

NETWORKS, TRUTH = "networks.json", "truth.json"

Unit = Annotated[str, StringConstraints(pattern=r"^[^:]+:\d+$")]
"""A unit of a network: its layer and its number, as in ``targets:5``."""

Share = Annotated[float, Field(ge=0, le=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(_Model):
    """What is asked of a kind of circuit.

    ``units`` of the layer ``about`` are what a circuit is about; its other members are of the
    layers ``members``, usually ``member_count`` of them. A network of this kind has ``circuits``,
    or none.
    """

    what: str
    about: str
    units: int
    members: tuple[str, ...]
    member_count: int
    circuits: int


class Network(_Model):
    """One network: a file, what to look for in it, and the images that it reads."""

    file: str
    sha256: str
    kind: str
    layers: dict[str, int]
    input_shape: tuple[int, int, int]
    black: float = -1
    white: float = 1


class Networks(_Model):
    """``networks.json``: all that a tool needs; nothing in it tells what is planted where."""

    format: Literal["circuitkb-planted 1"] = "circuitkb-planted 1"
    truth_sha256: str
    kinds: dict[str, Asked]
    networks: dict[str, Network]


class Circuit(_Model):
    """A circuit, or a decoy: the units that it is about, and its other members."""

    units: tuple[Unit, ...]
    members: tuple[Unit, ...] = ()


class Planted(_Model):
    """What is in one network.

    ``dial`` is the one that is turned, ``level`` it with its value, ``easy`` whether that is of
    its easy half; ``without`` says how a network was emptied that holds nothing.
    """

    kind: str
    noise: float
    strength: float
    superposition: float
    dial: str
    level: str
    easy: bool
    without: Literal["", "shuffled", "random"]
    circuits: tuple[Circuit, ...]
    decoys: tuple[Circuit, ...]


class Truth(_Model):
    """``truth.json``: what is planted, and the settings that make the same benchmark again."""

    format: Literal["circuitkb-planted-truth 1"] = "circuitkb-planted-truth 1"
    seed: int
    count: int
    repeats: int
    decoys: dict[str, str]
    naive: dict[str, str]
    networks: dict[str, Planted]


class Answer(_Model):
    """One circuit that a tool found; ``q`` where the tool has one."""

    network: str
    units: tuple[Unit, ...] = Field(min_length=1)
    members: tuple[Unit, ...] = ()
    q: Share | None = None


class Answers(_Model):
    """What a tool found.

    ``searched`` are the kinds that it looked for (all if null), ``fdr`` the share of wrong ones
    that it says it allows, and ``told`` what it was told beyond ``networks.json``.
    """

    format: Literal["circuitkb-planted-answers 1"] = "circuitkb-planted-answers 1"
    method: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    fdr: Share | None = None
    searched: tuple[str, ...] | None = None
    circuits: tuple[Answer, ...]


_Read = TypeVar("_Read", bound=_Model)


def write(path: Path, value: _Model) -> None:
    """Write one of these files, the same bytes for the same content."""
    path.write_text(value.model_dump_json(indent=1) + "\n", encoding="utf-8", newline="\n")


def write_schemas(folder: Path) -> None:
    """Write the JSON Schema of each file beside it."""
    for name, kind in (("networks", Networks), ("truth", Truth), ("answers", Answers)):
        text = json.dumps(kind.model_json_schema(), indent=1)
        (folder / f"{name}.schema.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def sha256(path: Path) -> str:
    """Return the checksum of a file.

    Raises
    ------
    SourceError
        It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from None


def read(path: Path, kind: type[_Read]) -> _Read:
    """Read and check one of these files.

    Raises
    ------
    SourceError
        It is not there, no JSON, or not of this kind: the first thing that is wrong is named.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        more = f" ({error.error_count() - 1:,} more)" if error.error_count() > 1 else ""
        at = f" at {place}" if place else ""
        raise SourceError(f"{path}{at}: {first['msg']}{more}.") from None


def read_networks(folder: Path) -> Networks:
    """Read what tools are given.

    Raises
    ------
    SourceError
        The folder is no benchmark.
    """
    if not (folder / NETWORKS).is_file():
        raise SourceError(
            f"{folder} is no benchmark: make one with circuitkb planted make {folder}"
        )
    return read(folder / NETWORKS, Networks)


def read_truth(folder: Path, networks: Networks) -> Truth:
    """Read the truth, and check that it is what was made.

    Raises
    ------
    SourceError
        It was altered, or is of other networks.
    """
    if sha256(folder / TRUTH) != networks.truth_sha256:
        raise SourceError(
            f"{folder / TRUTH} was altered since it was made: make the benchmark again, with the "
            "same options, elsewhere."
        )
    return read(folder / TRUTH, Truth)


def check_answers(answers: Answers, networks: Networks, path: Path) -> None:
    """Refuse answers about what is not there.

    Raises
    ------
    SourceError
        A network, a kind or a unit that is not there, one that is of another layer than asked, or
        the same circuit twice.
    """
    unknown = sorted(set(answers.searched or ()) - set(networks.kinds))
    if unknown:
        known = ", ".join(networks.kinds)
        raise SourceError(f"{path} says it searched {unknown[0]!r}; there are: {known}.")
    seen = set()
    for place, answer in enumerate(answers.circuits):
        at = f"{path}, circuits[{place}]"
        network = networks.networks.get(answer.network)
        if network is None:
            raise SourceError(f"{at}: there is no network {answer.network!r}.")
        asked = networks.kinds[network.kind]
        if answers.searched is not None and network.kind not in answers.searched:
            raise SourceError(f"{at}: {network.kind!r} is not among the kinds searched.")
        _check_units(answer.units, (asked.about,), network, at)
        _check_units(answer.members, asked.members, network, at)
        key = answer.network, frozenset(answer.units), frozenset(answer.members)
        if key in seen:
            raise SourceError(f"{at}: this circuit was answered before.")
        seen.add(key)


def _check_units(units: Sequence[str], layers: Sequence[str], network: Network, at: str) -> None:
    if len(set(units)) < len(units):
        raise SourceError(f"{at}: a unit is named twice.")
    for unit in units:
        name, _, number = unit.rpartition(":")
        if int(number) >= network.layers.get(name, 0):
            raise SourceError(f"{at}: {unit} is not there; layers are {_sizes(network)}.")
        if name not in layers:
            asked = f"units of {' and '.join(layers)}" if layers else "no members"
            raise SourceError(f"{at}: {unit}, where a {network.kind} has {asked} there.")


def _sizes(network: Network) -> str:
    return ", ".join(f"{name} ({count})" for name, count in network.layers.items())
