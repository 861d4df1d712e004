"""What a claim speaks of: the features that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from circuitkb.schema.errors import IdError
from circuitkb.schema.ids import FeatureId


def is_feature(text: str) -> bool:
    """Tell whether a subject is the id of a feature.

    Examples
    --------
    >>> is_feature("inceptionv1/mixed4b:418"), is_feature("inceptionv1")
    (True, False)
    """
    try:
        FeatureId.parse(text)
    except IdError:
        return False
    return True


def units_of(prediction: Mapping[str, Any]) -> Iterator[str]:
    """Give the units that a prediction names, without their model.

    Examples
    --------
    >>> list(units_of({"test": "kernels", "edges": [["a:0", "b:1"]]}))
    ['a:0', 'b:1']
    """
    for edge in prediction.get("edges", ()):
        yield from edge
    for pair in prediction.get("pairs", ()):
        for edge in pair:
            yield from edge
    yield from prediction.get("sources", ())
    yield from prediction.get("targets", ())
