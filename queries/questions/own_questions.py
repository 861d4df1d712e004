"""Questions that a group adds to the catalogue: files of the same form in folders of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from circuitkb.queries.questions.catalogue import Question, parse, questions
from circuitkb.schema.errors import QueryError, SchemaError

VARIABLE = "CIRCUITKB_QUESTIONS"
"""Folders of questions, separated as those of ``PATH`` are."""

LARGEST = 100_000
"""Bytes that a file may have."""

_NAME = re.compile(r"[a-z][a-z0-9-]*\.cypher")


def every_question() -> tuple[Question, ...]:
    """Return the catalogue with the questions of all folders that :data:`VARIABLE` names.

    They pass the same checks as ours, and their text runs as any query does: it only reads, within
    a time and a number of rows.

    Raises
    ------
    QueryError
        A folder that is not there, a file that breaks the form (named, with what is wrong), or a
        name that is taken.
    """
    listed = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    found = {question.name: question for question in questions()}
    for folder in listed:
        for question in in_folder(Path(folder).expanduser()):
            taken = found.get(question.name)
            if taken is not None:
                raise QueryError(
                    f"{question.origin}: there is a question {question.name!r} already, "
                    f"{taken.origin or 'in the catalogue'}: name the file otherwise."
                )
            found[question.name] = question
    return tuple(sorted(found.values(), key=lambda question: question.name))


def in_folder(folder: Path) -> Iterator[Question]:
    """Give the questions of a folder, by the names of their files.

    Raises
    ------
    QueryError
        It is not there, or a file in it breaks the form.
    """
    if not folder.is_dir():
        raise QueryError(f"{folder} is no folder; {VARIABLE} names it for questions of your own.")
    for path in sorted(folder.glob("*.cypher")):
        try:
            yield _read(path)
        except (SchemaError, QueryError, OSError, ValueError, TypeError, AttributeError) as error:
            # Headers of strangers: a list where a table should be fails deep inside.
            raise QueryError(f"{path}: {str(error).splitlines()[0]}") from None


def _read(path: Path) -> Question:
    if not _NAME.fullmatch(path.name):
        raise QueryError("a question's file is called as in my-question.cypher.")
    if not path.is_file():  # a pipe would be waited for
        raise QueryError("a question is an ordinary file.")
    if path.stat().st_size > LARGEST:
        raise QueryError(f"a question has at most {LARGEST:,} bytes.")
    question = parse(path.stem, path.read_text(encoding="utf-8"))
    return replace(question, origin=str(path))
