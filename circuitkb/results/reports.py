"""What the verbs of a knowledge base answer with, besides rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from circuitkb.motifs.registry import DEFAULT
from circuitkb.results.result import Result

if TYPE_CHECKING:
    from circuitkb.queries.questions.catalogue import Question
    from circuitkb.schema.kernels import Floats


class Kernel(NamedTuple):
    """One kernel between two features; ``values`` has the axes (row, column)."""

    connection: str
    origin: str | None
    values: Floats


class Report(Protocol):
    """What one work did."""

    def to_result(self) -> Result:
        """Return it as rows."""


def stacked(reports: Sequence[Report]) -> Result:
    """Return the rows and notes of several reports as one.

    Examples
    --------
    >>> stacked([LoadReport(name, True, 64, 64) for name in ("a", "b")])["name"]
    ['a', 'b']
    """
    results = [report.to_result() for report in reports]
    return Result.of_records(
        (row for result in results for row in result),
        seconds=sum(result.seconds for result in results),
        notes=tuple(dict.fromkeys(note for result in results for note in result.notes)),
    )


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes
    ----------
    name
        Name of the model, or path of the folder that was exported.
    created
        Whether anything was written; a model whose weights are there already is left as it is.
    keep
        Strongest inputs of each unit that the graph keeps now; None where it keeps what was
        published.
    asked_keep
        The number asked for; None for a folder, which says itself.
    counts
        Rows written, by label and relation; of a folder those that were not there.
    seconds
        How long it took.
    models
        For a folder: its models, and whether each is new here.
    notes
        What a user is to know of the network and of what was composed, a sentence each.
    without_inputs
        Units that no edge leads to, by layer; layers without any such unit are left out.
    not_composed
        Paths that have no linear edge, or whose edges failed the check, a sentence each.
    """

    name: str
    created: bool
    keep: int | None
    asked_keep: int | None
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    models: Mapping[str, bool] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    without_inputs: Mapping[str, int] = field(default_factory=dict)
    not_composed: tuple[str, ...] = ()

    def to_result(self) -> Result:
        """Return one row."""
        row = {
            "name": self.name,
            "created": self.created,
            "keep": self.keep,
            "features": self.counts.get("Feature", 0),
            "edges_kept": self.counts.get("WEIGHT", 0),
            "seconds": self.seconds,
            "units_without_inputs": sum(self.without_inputs.values()),
            "without_inputs": dict(self.without_inputs),
            "not_composed": list(self.not_composed),
            "models": dict(self.models),
        }
        return Result.of_records([row], seconds=self.seconds, notes=self.notes)

    @property
    def message(self) -> str:
        """One line that says it.

        Examples
        --------
        >>> LoadReport("alexnet", False, keep=64, asked_keep=32).message
        'alexnet is there already with 64 inputs of each unit, not 32: nothing changed.'
        >>> LoadReport("zoo", True, None, None, {"Evidence": 8}, 1, {"alexnet": False}).message
        'zoo loaded in 1.0 s: 0 new models (1 there already), 0 features, 0 edges, 8 other nodes
        and relations.'
        """
        features, edges = self.counts.get("Feature", 0), self.counts.get("WEIGHT", 0)
        if self.asked_keep is None:
            return self._message_of_folder(features, edges)
        if self.created:
            return (
                f"{self.name} loaded in {self.seconds:.1f} s: "
                f"{features:,} features, {edges:,} edges kept."
            )
        if self.keep not in (None, self.asked_keep):
            return (
                f"{self.name} is there already with {self.keep} inputs of each unit, "
                f"not {self.asked_keep}: nothing changed."
            )
        return f"{self.name} is there already: nothing changed."

    def _message_of_folder(self, features: int, edges: int) -> str:
        new = sum(self.models.values())
        there = len(self.models) - new
        if not self.created:
            return f"All of {self.name} is there already: no node or relation is new."
        others = sum(self.counts.values()) - features - edges
        return (
            f"{self.name} loaded in {self.seconds:.1f} s: {new} new model{'s' * (new != 1)}"
            f"{f' ({there} there already)' if there else ''}, {features:,} features, "
            f"{edges:,} edges, {others:,} other nodes and relations."
        )


@dataclass(frozen=True)
class ObserveReport:
    """What an observation did.

    Attributes
    ----------
    model
        Name of the model.
    created
        Whether anything was written; what was observed already is left as it is.
    battery, stimuli, images
        What was shown: name and version, number of stimuli, sizes of the images.
    units, silent
        Units read, and those that no stimulus moved: they are marked and not counted.
    counts
        For each measure how many units passed it, and how many of a network with shuffled weights
        would, by the same test: ``oriented``, ``oriented_shuffled``. They are attributes too.
    off_centre
        Pixels between the stimuli and the receptive field that was read, for the worst layer.
    pixels_known
        Whether the values of black and white come with the weights, or were assumed.
    resumed
        Share of the work that an interrupted observation had done before.
    seconds
        How long it took.
    """

    model: str
    created: bool
    battery: str
    stimuli: int
    images: tuple[str, ...]
    units: int
    silent: int
    counts: Mapping[str, int]
    off_centre: float
    pixels_known: bool
    resumed: float
    seconds: float

    def __getattr__(self, name: str) -> int:
        """Return a count; called for what is no attribute."""
        if name != "counts" and name in self.counts:
            return self.counts[name]
        raise AttributeError(f"This report has no {name!r}.")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about the figures."""
        notes = []
        if not self.created:
            notes.append(f"{self.model} was observed already: nothing changed.")
        if self.resumed:
            notes.append(f"{self.resumed:.0%} of the stimuli had been shown before.")
        if self.off_centre:
            notes.append(
                f"Some layers were read up to {self.off_centre:g} pixels off the stimuli's centre; "
                "Layer.off_centre has them."
            )
        if not self.pixels_known:
            notes.append(
                "The source does not say what black and white are to it: -1 and 1 were assumed. "
                "--black and --white tell."
            )
        return tuple(notes)

    def to_result(self) -> Result:
        """Return one row."""
        names = (
            "model",
            "battery",
            "stimuli",
            "images",
            "units",
            "silent",
            *self.counts,
            "off_centre",
            "seconds",
        )
        row = tuple(getattr(self, name) for name in names)
        shown = tuple(list(v) if isinstance(v, tuple) else v for v in row)
        return Result(names, (shown,), seconds=self.seconds, notes=self.notes)


@dataclass(frozen=True)
class ModelFound:
    """What a search found in one model.

    Attributes
    ----------
    by
        What was searched: ``responses`` to stimuli, or ``kernels`` alone.
    tested, not_testable
        Candidates that were tested, and those that could not be.
    why
        Why they could not be; empty if all could.
    circuits, groups
        Circuits found, and targets that they belong to.
    null
        Figures of the null, by name.
    motif
        What was searched for.
    shapes
        How many circuits have each shape of the target's tuning, first the one that makes them
        what the motif is called; empty where none was tested.
    tried, held
        Circuits whose trial was run, and those whose trial held.
    untried
        Why circuits were found and not tried; empty if they were, or were not to be.
    at
        What ``groups`` counts: ``target``, or ``layer`` where circuits are groups of units.
    """

    model: str
    by: str
    tested: int
    not_testable: int
    why: str
    circuits: int
    groups: int
    null: Mapping[str, float] = field(default_factory=dict)
    motif: str = DEFAULT
    shapes: Mapping[str, int] = field(default_factory=dict)
    tried: int = 0
    held: int = 0
    untried: str = ""
    at: str = "target"

    @property
    def message(self) -> str:
        """One line that says it, so that silence is not read as absence.

        Examples
        --------
        >>> ModelFound("lite0", "kernels", 0, 8, "1x1 kernels show no side", 0, 0).message
        'lite0: nothing could be tested: 1x1 kernels show no side.'
        >>> ModelFound("inceptionv1", "kernels", 9, 0, "", 4, 1).message
        'inceptionv1: 9 tested by kernels, 4 circuits found around 1 target.'
        >>> null = {"hits": 8, "two_peaks": 4}
        >>> null |= {"permuted_hits_mean": 2, "permuted_two_peaks_mean": 0.5}
        >>> shapes = {"two peaks": 3, "flat": 1, "between": 2, "other": 0}
        >>> ModelFound("m", "responses", 9, 0, "", 6, 2, null, shapes=shapes).message
        'm: 9 tested by responses, 6 circuits found around 2 targets: 3 unions (two peaks), and 3
        that have only mirrored inputs (1 flat, 2 between). Of all hits 50% have two peaks, with
        permuted weights 25%.'
        >>> null = {"hits": 8, "permuted_hits_mean": 7.5, "matched_hits_mean": 2}
        >>> ModelFound("m", "responses", 9, 0, "", 0, 0, null).message
        'm: 9 tested by responses, none found beyond chance (8 hits; by chance 7.5 permuted,
        2.0 matched).'
        >>> ModelFound("m", "responses", 9, 0, "", 4, 1, tried=4, held=3).message
        'm: 9 tested by responses, 4 circuits found around 1 target, 3 of 4 held their trial.'
        """
        why = f": {self.why.rstrip('.')}" if self.why else ""
        if not self.tested:
            return f"{self.model}: nothing could be tested{why}."
        where = "around" if self.at == "target" else "in"
        targets = f"{where} {self.groups} {self.at}{'' if self.groups == 1 else 's'}"
        found = f"{self.circuits} circuits found {targets}" if self.circuits else self._none()
        rest = f"; {self.not_testable:,} could not be tested{why}" if self.not_testable else ""
        return (
            f"{self.model}: {self.tested:,} tested by {self.by}, {found}{self._trials()}"
            f"{self._shapes()}{rest}."
        )

    def _none(self) -> str:
        """Say that nothing was found, and how near chance comes to the hits that there are."""
        hits = self.null.get("hits", 0)
        ends = {name: name.removesuffix("_hits_mean") for name in self.null}
        chance = [f"{self.null[name]:,.1f} {end}" for name, end in ends.items() if name != end]
        beside = f" beyond chance ({hits:,.0f} hits; by chance {', '.join(chance)})"
        return f"none found{beside if hits and chance else ''}"

    def _shapes(self) -> str:
        """Say which shapes the circuits have, and how far permuted weights give the same."""
        if not self.shapes:
            return ""
        (wanted, count), *others = self.shapes.items()
        name = wanted.replace(" ", "_")
        others.append(("not testable", self.circuits - sum(self.shapes.values())))
        rest = ", ".join(f"{number:,} {shape}" for shape, number in others if number)
        left = f", and {self.circuits - count:,} that have only mirrored inputs ({rest})"
        said = f": {count:,} {self.motif}s ({wanted}){left if rest else ''}"
        hits, drawn = self.null.get("hits"), self.null.get("permuted_hits_mean")
        if hits and drawn:
            said += (
                f". Of all hits {self.null[name] / hits:.0%} have {wanted}, with permuted weights "
                f"{self.null[f'permuted_{name}_mean'] / drawn:.0%}"
            )
        return said

    def _trials(self) -> str:
        """Say how many of the circuits were tried, and held."""
        if self.untried:
            return f", untried: {self.untried}"
        return f", {self.held:,} of {self.tried:,} held their trial" if self.tried else ""


@dataclass(frozen=True)
class FindReport:
    """What a search did, model by model."""

    motif: str
    models: tuple[ModelFound, ...]
    seconds: float

    def to_result(self) -> Result:
        """Return one row for each model."""
        rows = ({**vars(found), **found.null} for found in self.models)
        left = ("null", "motif", "shapes", "at")
        return Result.of_records(
            ({name: row[name] for name in row if name not in left} for row in rows),
            seconds=self.seconds,
        )


@dataclass(frozen=True)
class Asked:
    """A question of the catalogue, as it was understood, and its answer."""

    question: Question
    parameters: Mapping[str, Any]
    cypher: str
    result: Result

    @property
    def understood(self) -> str:
        """One line that says how the question was read."""
        given = [
            f"{name}: {', '.join(value) if isinstance(value, list) else value}"
            for name, value in self.parameters.items()
            if value != self.question.parameters[name].default
        ]
        return "; ".join([f"{self.question.name}: {self.question.title}", *given])
