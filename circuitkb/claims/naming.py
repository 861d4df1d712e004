"""What a claim speaks of: its model, and the features and circuits that it names."""

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


def about_of(record: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Give label, id and role of everything that a claim may be about.

    A subject that is no feature is a model or a circuit: only a store knows which.

    Examples
    --------
    >>> list(about_of({"subject": "net/a:3"}))
    [('Feature', 'net/a:3', 'subject'), ('Model', 'net', 'network')]
    """
    subject = record.get("subject")
    if subject is not None:
        if is_feature(subject):
            yield "Feature", subject, "subject"
            yield "Model", FeatureId.parse(subject).model, "network"
        else:
            yield "Model", subject, "subject"
            yield "Circuit", subject, "subject"
    other = record.get("prediction", {}).get("with")
    if other is not None:
        yield "Model", other, "network"


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
