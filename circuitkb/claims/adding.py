"""Claims taken into a store: all of them checked, then all or none written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from circuitkb.claims.carried_proofs import carried_proofs
from circuitkb.claims.checking import problems_of
from circuitkb.claims.merging import ClaimMerge
from circuitkb.claims.naming import is_feature, units_of
from circuitkb.claims.reading import ClaimFile, Line
from circuitkb.claims.stored import StoredClaims
from circuitkb.claims.testing import keep_standings
from circuitkb.claims.trial_rows import carried_rows
from circuitkb.claims.ways.registry import WAYS
from circuitkb.results.result import Result
from circuitkb.schema.claims import claim_id
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import CircuitKBError, ClaimError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.records import Record
from circuitkb.schema.tables import GraphRows
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

_SHOWN = 5


@dataclass(frozen=True)
class AddReport:
    """What became of the claims of some files.

    Attributes
    ----------
    new, known
        Claims that were not there, and that were.
    contested
        Ids that now stand for two different statements.
    waiting
        Claims on each model or circuit that is not here.
    trials, proofs
        Trials and proofs that came along.
    """

    new: int
    known: int
    contested: tuple[str, ...]
    waiting: Mapping[str, int]
    trials: int = 0
    proofs: int = 0

    def to_result(self) -> Result:
        """Return one row of counts."""
        row = {"new": self.new, "known": self.known, "contested": len(self.contested)}
        row |= {"waiting": sum(self.waiting.values()), "trials": self.trials}
        row |= {"proofs": self.proofs}
        notes = [f"{id}: its id stands for two different statements" for id in self.contested]
        notes += [
            f"{count} on {model}, which is not here: they wait for it"
            for model, count in sorted(self.waiting.items())
        ]
        return Result.of_records([row], notes=tuple(notes))


def add_claims(store: Store, files: Sequence[ClaimFile], *, wait: bool = False) -> AddReport:
    """Write the claims of some files, all or none.

    Parameters
    ----------
    wait
        Whether claims on models or circuits that are not here are kept until these come.

    Raises
    ------
    ClaimError
        Some are refused, each with its line; nothing was written.
    """
    lines = [line for file in files for line in file.claims]
    checked = list(_checked(lines))
    known = _Known(store)
    refused = [(line, text) for line, text in checked if text]
    lines = [line for line, text in checked if not text]
    waiting: dict[str, int] = {}
    for line in lines:
        for problem, model in known.problems(line.record):
            if model is not None and wait:
                waiting[model] = waiting.get(model, 0) + 1
            else:
                hint = ", or add it all the same with --wait" if model is not None else ""
                refused.append((line, f"{problem}{hint}"))
    if not refused:
        refused = list(_part_problems(lines, known.parts))
    if refused:
        _refuse(refused, len(checked))
    trials = [trial for file in files for trial in file.trials]
    proofs = [proof for file in files for proof in file.proofs]
    tried = carried_rows(trials, lines)
    proved = carried_proofs(store, proofs, trials, lines)
    further = GraphRows(
        nodes={**tried.nodes, **proved.nodes}, relations=[*tried.relations, *proved.relations]
    )
    merge = ClaimMerge([line.record for line in lines], further)
    store.merge(merge)
    if trials:
        keep_standings(store, StoredClaims.of(store))
    counts = merge.counts
    return AddReport(counts.new, counts.known, counts.contested, waiting, len(trials), len(proofs))


def _refuse(refused: Sequence[tuple[Line, str]], of: int) -> None:
    first = sorted(refused, key=lambda item: (item[0].file, item[0].number))[:_SHOWN]
    said = "\n".join(f"{line.place}: {text}" for line, text in first)
    more = len(refused) - len(first)
    raise ClaimError(
        f"{said}{f' ... and {more} more' if more else ''}\nNothing was written of {of} claims."
    )


def _checked(lines: Iterable[Line]) -> Iterator[tuple[Line, str]]:
    """Give each line with what is wrong with it, and with its id where nothing is."""
    for line in lines:
        problems = [line.problem] if line.problem else problems_of(line.record)
        if not problems:
            line = replace(line, record=_canonical(line.record))
        yield line, "; ".join(map(str, problems))


def _canonical(record: Record) -> Record:
    kept = dict(record)
    if "parts" in kept:
        kept["parts"] = sorted(kept["parts"])
    kept["id"] = claim_id(kept)
    return dict(sorted(kept.items()))


class _Known:
    """What a store holds that claims may name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._models = set(known_names.models(store))
        rows = store.read("MATCH (c:Circuit) RETURN c.id AS id, c.model AS model", limit=None).rows
        self._circuits: dict[str, str] = dict(rows)
        rows = store.read("MATCH (c:Claim) RETURN c.id AS id, c.parts AS parts", limit=None).rows
        self.parts: dict[str, tuple[str, ...]] = {id: tuple(parts or ()) for id, parts in rows}

    def problems(self, record: Record) -> Iterator[tuple[str, str | None]]:
        """Give what is wrong with what a claim names, with the model that is not here, if it is."""
        subject = record.get("subject")
        prediction = record.get("prediction", {})
        if subject is None:
            return
        model = FeatureId.parse(subject).model if is_feature(subject) else subject
        model = self._circuits.get(model, model)
        for name in dict.fromkeys((model, prediction.get("with", model))):
            if name not in self._models:
                near = did_you_mean(name, [*self._models, *self._circuits])
                yield (
                    f"no model or circuit {name!r} is here: load it{near and f' ({near[1:]})'}",
                    name,
                )
                return
        tried = prediction.get("tried", subject)
        if not is_feature(tried) and tried not in (*self._circuits, *self._models):
            near = did_you_mean(tried, self._circuits) if self._circuits else ""
            yield f"no circuit {tried!r} is here: find it{near and f' ({near[1:]})'}", tried
            return
        features = [f"{model}/{unit}" for unit in units_of(prediction)]
        yield from ((text, None) for text in self._missing([subject, tried, *features]))
        if prediction:
            try:
                WAYS[prediction["test"]].check(self._store, model, prediction)
            except CircuitKBError as error:
                yield f"prediction: {str(error).splitlines()[0]}", None

    def _missing(self, ids: Sequence[str]) -> Iterator[str]:
        wanted = [id for id in dict.fromkeys(ids) if is_feature(id)]
        if not wanted:
            return
        text = "UNWIND $ids AS id MATCH (f:Feature {id: id}) RETURN f.id AS id"
        here = {row[0] for row in self._store.read(text, {"ids": wanted}, limit=None).rows}
        missing = [id for id in wanted if id not in here]
        if missing:
            yield f"there is no feature {missing[0]} here"


def _part_problems(
    lines: Sequence[Line], stored: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Line, str]]:
    """Give claims with a part that is nowhere, or that would be a part of itself."""
    parts = {id: list(names) for id, names in stored.items()}
    for line in lines:
        names = parts.setdefault(line.record["id"], [])
        names += line.record.get("parts", ())
    for line in lines:
        id = line.record["id"]
        absent = [name for name in line.record.get("parts", ()) if name not in parts]
        if absent:
            near = did_you_mean(absent[0], parts)
            yield line, f"parts: there is no claim {absent[0]!r}.{near}"
        elif (circle := _circle(id, parts)) is not None:
            yield line, f"parts: a circle, {' of '.join(circle)}"


def _circle(id: str, parts: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Return the way from a claim through its parts back to it, if there is one.

    Examples
    --------
    >>> _circle("a", {"a": ["b"], "b": ["c"], "c": ["a"]})
    ['a', 'b', 'c', 'a']
    """
    ways: list[list[str]] = [[id]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for part in parts.get(way[-1], ()):
            if part == id:
                return [*way, id]
            if part not in seen:
                seen.add(part)
                ways.append([*way, part])
    return None
