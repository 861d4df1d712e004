"""What must be in a knowledge base before a question can have rows, and what brings it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from circuitkb.annotations.comparing.waiting import waiting
from circuitkb.motifs.registry import DEFAULT
from circuitkb.queries.questions.catalogue import Prerequisite, Question
from circuitkb.schema.ids import FeatureId
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

EMPTY = (
    "This knowledge base is empty. Fill it, as in: circuitkb load published:inceptionv1, "
    "or circuitkb load net.onnx"
)

_NAMED = 4
"""Models that a note names; of more it says how many."""


def required(question: Question, values: Mapping[str, Any]) -> tuple[Prerequisite, ...]:
    """Return what a question needs, and what the parameters that were given need besides.

    Examples
    --------
    >>> from circuitkb.queries.questions.catalogue import find
    >>> required(find("hubs"), find("hubs").bind({}).parameters)
    ('circuits',)
    >>> required(find(DEFAULT), find(DEFAULT).bind({"orientation": 45}).parameters)
    ('observations',)
    """
    more: list[Prerequisite] = []
    for name, parameter in question.parameters.items():
        if parameter.type == "label" and values[name] != parameter.default:
            more.append("labels")
        if parameter.type == "angle" and values[name] != parameter.default:
            more.append("observations")
    return tuple(dict.fromkeys((*question.requires, *more)))


def lacking(
    store: Store, question: Question, values: Mapping[str, Any], *, answered: bool
) -> Iterator[str]:
    """Give a line for each thing that is missing, which also says the command that brings it.

    Parameters
    ----------
    store, question, values
        What was asked, with which parameters.
    answered
        Whether the answer has rows. Then only models are named that it cannot speak of.
    """
    models = known_names.models(store)
    needed = required(question, values)
    if not models and not answered:
        yield EMPTY
        if "labels" in needed or "annotations" in needed:
            yield from _waiting(store)
        return
    named = [
        FeatureId.parse(values[name]).model
        for name, parameter in question.parameters.items()
        if parameter.type == "feature"
    ]
    wanted = [model for model in named or values.get("models") or models if model in models]
    for name in needed:
        # Which features prefer an angle is known only of models that were observed.
        if not answered or (name == "observations" and "angle" in _types(question)):
            yield from _CHECKS[name](store, list(dict.fromkeys(wanted)))


def _types(question: Question) -> set[str]:
    return {parameter.type for parameter in question.parameters.values()}


def _two_models(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    models = known_names.models(store)
    if len(models) == 1:
        yield (
            f"Only {models[0]} is here, and this compares models. Load another one, as in: "
            "circuitkb load efficientnet_lite0"
        )


def _labels(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    if not _any(store, "MATCH (a:Annotation {kind: 'label', state: 'live'})"):
        yield (
            "Nothing is labelled here. Bring labels: circuitkb annotate import FILE, or "
            "circuitkb annotate add FEATURE LABEL --author NAME"
        )
        yield from _waiting(store)


def _annotations(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    if not _any(store, "MATCH (a:Annotation)"):
        yield "Nothing is annotated here. Bring annotations: circuitkb annotate import FILE"


def _reviews(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    if not _any(store, "MATCH (a:Annotation {kind: 'review'})"):
        yield "No annotation was reviewed. To review one: circuitkb annotate review --help"


def _vocabulary(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    if not _any(store, "MATCH (l:Label) WHERE l.measure IS NOT NULL"):
        yield (
            "No label here is tied to a measure. A vocabulary ties them: "
            "circuitkb annotate vocabulary FILE"
        )


def _waiting(store: Store) -> Iterator[str]:
    if labels := waiting(store).notes:
        yield from labels
        return
    count = store.read("MATCH (a:Annotation {state: 'pending'}) RETURN count(a)").rows[0][0]
    if count:
        wait = "annotation waits" if count == 1 else "annotations wait"
        yield f"{count:,} {wait} for what is not loaded. To see for what: circuitkb ask pending"


def _circuits(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    if not _any(store, "MATCH (c:Circuit)"):
        yield f"No circuits are here yet. Search for some, as in: circuitkb find {DEFAULT}"


def _searches(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    done = _models_with(store, "find")
    yield from _models_without(
        wanted, done, "not searched yet", f"To search: circuitkb find {DEFAULT} --model {{}}"
    )


def _observations(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    done = _models_with(store, "observe")
    published = {
        row[0]
        for row in store.read("MATCH (m:Model {weights: 'published'}) RETURN m.id AS model").rows
    }
    yield from _models_without(
        wanted, done | published, "not observed yet", "To measure: circuitkb observe {}"
    )
    if only := [model for model in wanted if model in published - done]:
        yield (
            f"{some(only)}: only published weights are known, so it was shown no stimuli and "
            "nothing was measured here."
        )


def _models_with(store: Store, kind: str) -> set[str]:
    """Return the models that something was done to, as their Imports say."""
    text = "MATCH (i:Import {kind: $kind}) RETURN i.model AS model"
    return {row[0] for row in store.read(text, {"kind": kind}, limit=None).rows}


def _matches(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    if not _any(store, "MATCH (i:Import {kind: 'match'})"):
        yield "No two models were matched yet. To match two: circuitkb match MODEL MODEL"


def _evidence(store: Store, wanted: Sequence[str]) -> Iterator[str]:
    if not _any(store, "MATCH (e:Evidence)"):
        yield (
            "Nothing was measured or published here. To measure: circuitkb observe MODEL, "
            f"circuitkb find {DEFAULT}"
        )


def _models_without(wanted: Sequence[str], done: set[str], what: str, remedy: str) -> Iterator[str]:
    """Name the models that something was not done to."""
    if left := [model for model in wanted if model not in done]:
        yield f"{some(left)}: {what}. {remedy.format(left[0] if len(left) == 1 else 'MODEL')}"


def some(models: Sequence[str]) -> str:
    """Return the names of a few models, and of more how many there are.

    Examples
    --------
    >>> some(["a", "b"]), some(list("abcdef"))
    ('a, b', 'a, b, c, d and 2 more')
    """
    more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
    return ", ".join(models[:_NAMED]) + more


def _any(store: Store, match: str) -> bool:
    return bool(store.read(f"{match} RETURN 1 AS one LIMIT 1").rows)


_CHECKS: dict[Prerequisite, Callable[[Store, Sequence[str]], Iterator[str]]] = {
    "two-models": _two_models,
    "labels": _labels,
    "annotations": _annotations,
    "reviews": _reviews,
    "vocabulary": _vocabulary,
    "circuits": _circuits,
    "searches": _searches,
    "observations": _observations,
    "matches": _matches,
    "evidence": _evidence,
}
