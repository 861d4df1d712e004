"""A made-up knowledge base of any size, in the shape of one that holds observed networks.

from synthetic import Shape, synthetic

for rows in synthetic(Shape(features=100_000, edges=3_000_000)):
    store.write(rows)
"""

from .base import synthetic
from .shape import Shape

__all__ = ["Shape", "synthetic"]
