"""A claim to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from circuitkb.results.harmless_text import for_terminal


def card(found: Mapping[str, Any]) -> str:
    """Return what :meth:`circuitkb.claims.verbs.Claims.show` gives, as lines.

    Examples
    --------
    >>> print(card({"claim": "a", "standing": "untested", "why": "not tested yet",
    ...             "statement": "It unites two cases.", "aspect": "purity",
    ...             "refuted_by": "one peak", "source": {"title": "t", "section": "s",
    ...             "year": 2020}, "parts": {}, "part_of": [], "trials": []}))
    a: It unites two cases.
      untested: not tested yet
      aspect: purity
      refuted by: one peak
      source: t, s (2020)
    """
    return for_terminal("\n".join(_lines(found)))


def predicted(prediction: Mapping[str, Any]) -> str:
    """Return a prediction in words.

    Examples
    --------
    >>> predicted({"test": "explained", "motif": "union", "at_least": 0.5})
    'explained at least 0.5; motif union'
    """
    rest = dict(prediction)
    bound = next(name for name in ("at_least", "at_most", "about") if name in rest)
    value, test = rest.pop(bound), rest.pop("test")
    settings = ", ".join(f"{name} {_short(given)}" for name, given in rest.items())
    return f"{test} {bound.replace('_', ' ')} {value:g}; {settings}"


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['claim']}: {found['statement']}"
    yield f"  {found['standing']}: {found['why']}"
    yield f"  aspect: {found['aspect']}"
    if "subject" in found:
        said = f" (its source speaks of {found['said_of']})" if "said_of" in found else ""
        yield f"  subject: {found['subject']}{said}"
    if "prediction" in found:
        yield f"  predicts: {predicted(found['prediction'])}"
        yield f"  tolerance: {found['tolerance']:g}"
    yield f"  refuted by: {found['refuted_by']}"
    source = found["source"]
    yield f"  source: {source['title']}, {source['section']} ({source['year']})"
    for name, standing in found["parts"].items():
        yield f"  part: {name} ({standing})"
    for whole in found["part_of"]:
        yield f"  part of: {whole}"
    for trial in found["trials"]:
        control = f", control {trial['null_mean']:.4g}" if "null_mean" in trial else ""
        p = f", p {trial['p']:.2g}" if "p" in trial else ""
        counts = "" if trial["counts"] else " (counts no more)"
        again = " and ".join(f"{value:.4g}" for value in trial.get("again", ()))
        yield (
            f"  {trial['id']}: {trial['outcome']}{counts}: {trial['measured']:.4g}{control}{p}; "
            f"{trial.get('stability', '')}: {again}"
        )
        yield f"    {trial['measure']}; control: {trial.get('null_method', 'none')}"
        if "proof" in trial:
            yield f"    {trial['proof']}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
