"""What holds for every record of a file: as the user says, or as the file's place tells."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from circuitkb.loaders.annotation_formats.lines import Defaults
from circuitkb.schema.errors import AnnotationFileError, IdError
from circuitkb.schema.ids import check_slug
from circuitkb.schema.records import Record

SCHEMA = "circuitkb.annotation/1"
NO_LICENSE = "NOASSERTION"


def missing(path: Path, what: str, option: str) -> NoReturn:
    """Raise an error that says what a file leaves out, and which option gives it."""
    raise AnnotationFileError(f"{path} does not say {what}. Give it with {option}.")


def model_of(path: Path, defaults: Defaults, otherwise: str | None = None) -> str:
    """Return the model that the units of a file belong to; raises if nobody says it."""
    name = defaults.model or otherwise
    if name is None:
        missing(path, "which model its units belong to", "--model NAME")
    try:
        return check_slug(name)
    except IdError as error:
        raise AnnotationFileError(f"{path}: --model: {error}") from None


def layer_of(path: Path, defaults: Defaults) -> str:
    """Return the layer that the units of a file belong to; raises if nobody says it."""
    return defaults.layer or missing(path, "which layer its units belong to", "--layer NAME")


def created_of(path: Path, defaults: Defaults) -> str:
    """Return the date of records that bring none: as given, or of the file's last change (UTC)."""
    return defaults.created or datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()


def source_of(path: Path, defaults: Defaults) -> Record:
    """Return the source of records that bring none: as given, or the file's name.

    The name without its folders: a file that is moved still says the same.
    """
    return {"uri": defaults.source or f"file:{quote(os.fsencode(path.name))}"[:2000]}


def author_of(defaults: Defaults, otherwise: Mapping[str, Any]) -> Record:
    """Return the author of a tool's file: as the user says, or the tool itself."""
    return {
        "id": defaults.author or otherwise["id"],
        "type": defaults.author_type or otherwise["type"],
    }


class FileLabels:
    """Makes records of the labels in one file: source, date and licence are those of the file.

    Parameters
    ----------
    path, defaults
        The file, and what the user says of it.
    """

    def __init__(self, path: Path, defaults: Defaults) -> None:
        self.path = path
        self.defaults = defaults
        self._shared = {
            "source": source_of(path, defaults),
            "created": created_of(path, defaults),
            "license": defaults.license or NO_LICENSE,
        }

    def record(
        self,
        *,
        target: Record,
        text: str,
        author: Record,
        method: str,
        vocabulary: str | None = None,
    ) -> Record:
        """Return a record that gives a label to a target.

        Parameters
        ----------
        target
            What the label is of.
        text
            The label.
        author
            Who gave it.
        method
            How it was found, as the schema names it.
        vocabulary
            The list that it comes from, where the user names none.
        """
        label = {"text": text}
        if listed := self.defaults.vocabulary or vocabulary:
            label["vocabulary"] = listed
        return {
            "schema": SCHEMA,
            "kind": "label",
            "target": target,
            "label": label,
            "author": author,
            "method": method,
            **self._shared,
        }
