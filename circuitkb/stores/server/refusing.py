"""What must not reach a Neo4j server.

Queries run in READ mode within a transaction that is rolled back, so the server itself refuses what
writes. But in that mode it still reads files and the network, tells of its settings and its other
databases, and calls procedures and functions that do all of it. Here only what is known to read the
graph alone is let through; everything is looked at before it is sent.
"""

from __future__ import annotations

import re

from circuitkb.schema.errors import QueryRefusedError
from circuitkb.stores.querying.cypher_text import Token, error_at
from circuitkb.stores.querying.errors import write_refused_error
from circuitkb.stores.querying.refusals import CalledName, calls_of, refuse_on_any_engine

# Neo4j decodes these before it looks for strings and comments, so they could hide anything.
_ESCAPE = re.compile(r"\\u+[0-9A-Fa-f]{4}")

_READING = {"MATCH", "OPTIONAL", "UNWIND", "WITH", "RETURN", "CALL", "SHOW", "FINISH"}
_CHANGING = {
    "ALTER",
    "COMMIT",
    "CREATE",
    "DEALLOCATE",
    "DELETE",
    "DENY",
    "DETACH",
    "DISABLE",
    "DROP",
    "DRYRUN",
    "ENABLE",
    "FOREACH",
    "GRANT",
    "INSERT",
    "MERGE",
    "NODETACH",
    "REALLOCATE",
    "REMOVE",
    "RENAME",
    "REVOKE",
    "ROLLBACK",
    "SET",
    "START",
    "STOP",
    "USING",
}
_LEAVING = {
    "USE": "USE: a query may only read the knowledge base it is sent to (a name is `use`).",
    "SHOW": "SHOW tells of the server: only SHOW INDEXES and SHOW CONSTRAINTS are for queries "
    "(a name is `show`).",
    "TERMINATE": "TERMINATE ends the work of others: it is not for queries (a name is "
    "`terminate`).",
}
_BEFORE_NAMES = set(".:$,=<>+/%^[|")
_KINDS_SHOWN = {
    "ALL",
    "BTREE",
    "EXIST",
    "EXISTENCE",
    "EXISTS",
    "FULLTEXT",
    "KEY",
    "LOOKUP",
    "NODE",
    "POINT",
    "PROPERTY",
    "RANGE",
    "REL",
    "RELATIONSHIP",
    "TEXT",
    "TYPE",
    "UNIQUE",
    "UNIQUENESS",
    "VECTOR",
}
_SHOWN = {"INDEX", "INDEXES", "CONSTRAINT", "CONSTRAINTS"}

_PROCEDURES = frozenset(
    [
        "db.labels",
        "db.relationshiptypes",
        "db.propertykeys",
        "db.schema.visualization",
        "db.schema.nodetypeproperties",
        "db.schema.reltypeproperties",
        "db.index.fulltext.querynodes",
        "db.index.fulltext.queryrelationships",
        "db.index.fulltext.listavailableanalyzers",
        "db.index.vector.querynodes",
        "db.index.vector.queryrelationships",
        "apoc.path.expand",
        "apoc.path.expandconfig",
        "apoc.path.subgraphall",
        "apoc.path.subgraphnodes",
        "apoc.path.spanningtree",
        "apoc.algo.astar",
        "apoc.algo.astarconfig",
        "apoc.algo.dijkstra",
        "apoc.algo.allsimplepaths",
        "apoc.algo.cover",
        "apoc.meta.data",
        "apoc.meta.graph",
        "apoc.meta.graphsample",
        "apoc.meta.nodetypeproperties",
        "apoc.meta.reltypeproperties",
        "apoc.meta.schema",
        "apoc.meta.stats",
        "apoc.meta.subgraph",
    ]
)
_FUNCTIONS = (
    "date.",
    "datetime.",
    "duration.",
    "localdatetime.",
    "localtime.",
    "point.",
    "time.",
    "vector.",
    "apoc.agg.",
    "apoc.any.",
    "apoc.bitwise.",
    "apoc.coll.",
    "apoc.convert.",
    "apoc.date.",
    "apoc.label.",
    "apoc.map.",
    "apoc.math.",
    "apoc.meta.cypher.",
    "apoc.node.",
    "apoc.nodes.",
    "apoc.number.",
    "apoc.path.",
    "apoc.rel.",
    "apoc.temporal.",
    "apoc.text.",
)


def refuse(cypher: str, tokens: list[Token]) -> None:
    """Raise for what must not reach the server.

    Raises
    ------
    QueryRefusedError
        What would write, read files or the network, or tell of the server.
    CypherError
        What is no query at all.

    Examples
    --------
    >>> from circuitkb.stores.querying.cypher_text import tokens_of
    >>> for text in ["SHOW SETTINGS", r"RETURN '\\u0041'", "RETURN apoc.load.json('http://a.b')"]:
    ...     try:
    ...         refuse(text, tokens_of(text))
    ...     except QueryRefusedError as error:
    ...         print(error)
    SHOW tells of the server: only SHOW INDEXES and SHOW CONSTRAINTS are for queries (a name is
    `show`).
    \\u0041: write the character itself, or give the text as a parameter.
    The function apoc.load.json is not for queries.
    >>> text = "MATCH (n:Label {text: 'USE system'}) RETURN n // SHOW SETTINGS"
    >>> refuse(text, tokens_of(text))
    """
    escape = _ESCAPE.search(cypher)
    if escape:
        raise QueryRefusedError(
            f"{escape.group()}: write the character itself, or give the text as a parameter."
        )
    refuse_on_any_engine(cypher, tokens)
    begin = _beginning(cypher, tokens)
    for index in range(begin, len(tokens)):
        _refuse_leaving(tokens, index, begin)
    for call in calls_of(tokens):
        _refuse_call(call)


def _beginning(cypher: str, tokens: list[Token]) -> int:
    """Return which token begins the query itself, once it is one that reads."""
    begin = 0
    while begin < len(tokens) - 1 and tokens[begin].word in ("EXPLAIN", "PROFILE"):
        begin += 1
    first = tokens[begin]
    if first.word == "CYPHER":
        raise QueryRefusedError("CYPHER and its options are not for queries: leave them out.")
    if first.word in _CHANGING:
        raise write_refused_error()
    if first.word == "SHOW" and not _shows_the_schema(tokens[begin + 1 :]):
        raise QueryRefusedError(_LEAVING["SHOW"])
    if first.word not in _READING and first.word not in _LEAVING:
        raise error_at(
            f"{first.text!r} begins no query that reads: begin with MATCH, WITH, UNWIND, CALL or "
            "RETURN.",
            cypher,
            first.start,
        )
    return begin


def _shows_the_schema(tokens: list[Token]) -> bool:
    """Return whether what follows SHOW names indexes or constraints, of whatever kind."""
    for token in tokens:
        if token.word not in _KINDS_SHOWN:
            return token.word in _SHOWN
    return False


def _refuse_leaving(tokens: list[Token], index: int, begin: int) -> None:
    """Refuse a keyword that leaves the graph, unless it plainly is a name there.

    Most keywords of Cypher may also be names (``WITH as USE other`` imports a variable ``as``), so
    the words around it tell nothing: only signs do.
    """
    here = tokens[index]
    if here.word == "TRANSACTIONS" and _in_transactions(tokens, index):
        raise QueryRefusedError("CALL { ... } IN TRANSACTIONS is for writing: leave it out.")
    if here.word not in _LEAVING or (index == begin and here.word == "SHOW"):
        return
    before = tokens[index - 1].word if index else ""
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    ends_a_part = following is None or (following.kind == "sign" and following.word != "$")
    if index == begin or not (ends_a_part or before in _BEFORE_NAMES):
        raise QueryRefusedError(_LEAVING[here.word])


def _in_transactions(tokens: list[Token], index: int) -> bool:
    """Return whether ``} IN [n] [CONCURRENT] TRANSACTIONS`` ends at ``index``."""
    for back in range(index - 1, max(index - 6, -1), -1):
        if tokens[back].word == "IN":
            return back > 0 and tokens[back - 1].word == "}"
    return False


def _refuse_call(call: CalledName) -> None:
    if call.procedure and call.name not in _PROCEDURES:
        raise QueryRefusedError(
            f"CALL {call.name}: only procedures that read the graph may be called (db.labels, "
            f"db.schema.*, db.index.*.query*, apoc.path.*, apoc.algo.*, apoc.meta.*)."
        )
    if call.function and not call.name.startswith(_FUNCTIONS):
        raise QueryRefusedError(f"The function {call.name} is not for queries.")
