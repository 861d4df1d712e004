"""The outside world to rows of the graph: network weights, published circuits."""

from circuitkb.loaders.sources.loadable import KEEP, Loadable
from circuitkb.loaders.sources.opening import load_rows, open_source

__all__ = ["KEEP", "Loadable", "load_rows", "open_source"]
