"""What a person, Neo4j's importer and cypher-shell are told about the files of an import."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from circuitkb.stores.server.arrays import ARRAYS_VARIABLE

_BUFFER = 4 << 20
"""Bytes that the importer reads at once unless told otherwise; a text must fit into them."""

_AT_ONCE = 10_000


@dataclass(frozen=True)
class Leftover:
    """A list that the importer cannot take, and the nodes that have it."""

    label: str
    property: str
    value: tuple[str, ...]
    ids: list[str]


def arguments(
    nodes: Mapping[str, str], relations: Mapping[str, str], longest: int, *, breaks: bool
) -> str:
    """Return the arguments of ``neo4j-admin database import full``, one a line.

    The paths are relative: the command is to be run in the folder.

    Examples
    --------
    >>> print(arguments({"nodes/Layer": "Layer"}, {}, 20, breaks=False), end="")
    --nodes=Layer=nodes/Layer.header.csv,nodes/Layer.csv
    --array-delimiter=U+001F
    --bad-tolerance=0
    """
    lines = [f"--nodes={label}={n}.header.csv,{n}.csv" for n, label in nodes.items()]
    lines += [f"--relationships={kind}={n}.header.csv,{n}.csv" for n, kind in relations.items()]
    # No entry is bad: one that is taken for bad must end the import, not be left out.
    lines += ["--array-delimiter=U+001F", "--bad-tolerance=0"]
    if breaks:
        lines.append("--multiline-fields=true")
    if 2 * longest > _BUFFER:  # quotes are doubled
        lines.append(f"--read-buffer-size={4 * longest}")
    return "".join(f"{line}\n" for line in lines)


def cypher_after(leftovers: list[Leftover], marker: str, properties: Mapping[str, Any]) -> str:
    """Return statements that set what the importer cannot take, and at last make the marker."""
    statements = [
        f"UNWIND {_literal(item.ids[start : start + _AT_ONCE])} AS id "
        f"MATCH (n:`{item.label}` {{id: id}}) SET n.`{item.property}` = {_literal(item.value)}"
        for item in leftovers
        for start in range(0, len(item.ids), _AT_ONCE)
    ]
    given = ", ".join(f"{name}: {_literal(value)}" for name, value in properties.items())
    statements.append(f"CREATE (:`{marker}` {{{given}}})")
    return "".join(f"{statement};\n" for statement in statements)


def _literal(value: Any) -> str:
    r"""Return a value as Cypher text, in ASCII.

    Cypher replaces ``\uXXXX`` before it reads anything else, so a backslash of the text itself must
    not stand before a ``u``: each is written as a piece of its own.

    Examples
    --------
    >>> print(_literal(["é", 'a"b', 1]))
    ["\u00e9", "a\"b", 1]
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return ' + "\\\\" + '.join(map(json.dumps, value.split("\\")))
    return json.dumps(value)


_IMPORT = """\
FILES FOR NEO4J'S OFFLINE IMPORT

They make a new database of Neo4j 5.26 or later that circuitkb works with. Nothing else may be in
that database; to add to one that has data already, use: circuitkb push bolt://HOST:7687

1. Stop Neo4j, or on the Enterprise edition choose the name of a database that does not exist yet.
   Then, in this folder (the paths in import.args start here), as the user that Neo4j runs as:

       neo4j-admin database import full @import.args neo4j

   The last word is the name of the database. If an empty one of that name exists already, add
   --overwrite-destination, which deletes what is in it. With Docker, in this folder:

       docker run --rm --volume "$PWD:/import" --workdir /import --volume DATA:/data \\
           neo4j:5.26-community neo4j-admin database import full @import.args neo4j

   DATA is the volume or the folder that the server uses as /data.

2. Start Neo4j. On the Enterprise edition, for another name than neo4j: CREATE DATABASE name.
"""
_AFTER = """
{number}. Lists that the importer cannot take are set by a few lines of Cypher. Until then circuitkb
   does not know the database for its own, and refuses it:

       cypher-shell --database neo4j --file after-import.cypher
"""
_ARRAYS = """
{number}. Kernels, responses and pictures lie beside the graph, in arrays/{uuid}.
   Copy that folder into the one that {variable} names, or name this one:

       export {variable}=/path/to/this/folder/arrays
"""
_OPEN = """
{number}. Open it. The first time, circuitkb makes the constraints and indexes:

       circuitkb models --kb bolt://localhost:7687

Import these files once: two databases made from them would count as one knowledge base. For a
second server, export again.
"""


def instructions(uuid: str, *, after: bool, arrays: bool) -> str:
    """Return the text of README.txt: the steps that these files need, and no other."""
    steps = [text for text, wanted in ((_AFTER, after), (_ARRAYS, arrays), (_OPEN, True)) if wanted]
    return _IMPORT + "".join(
        step.format(number=number, uuid=uuid, variable=ARRAYS_VARIABLE)
        for number, step in enumerate(steps, start=3)
    )
