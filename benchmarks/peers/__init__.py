"""The same questions to graph engines and to their peers: see :mod:`peers.questions`."""

from __future__ import annotations

from pathlib import Path

from .questions import Peer

NAMES = ("numpy", "duckdb", "networkx", "embedded", "neo4j")
"""All of them; the first is what the others are compared with."""

IN_MEMORY = ("networkx",)
"""Those that keep nothing on the disk: a process that asks them loads first."""


def peer(name: str, folder: Path, address: str = "", patience: float = 600) -> Peer:
    """Return the peer of a name, with what it imports.

    Parameters
    ----------
    name
        One of ``NAMES``.
    folder
        Where it keeps its files.
    address
        Of the Neo4j server.
    patience
        Seconds that a graph engine may take for a query.
    """
    if name == "numpy":
        from .numpy_search import NumpySearch

        return NumpySearch(folder / "arrays")
    if name == "duckdb":
        from .duckdb_tables import DuckdbTables

        return DuckdbTables(folder / "tables.duckdb")
    if name == "networkx":
        from .networkx_graph import NetworkxGraph

        return NetworkxGraph()
    from .graph_store import GraphStore

    return GraphStore(str(folder / "zoo.ckb") if name == "embedded" else address, patience)
