"""``circuitkb planted score``: answers of any tool against the truth.

An answer is right where it is matched to a circuit of its network: at least half of the units of
either that the circuit is about are of both, and so of its other members. Each circuit and each
answer is matched once, so that as many as possible are. ``docs/planted.md`` has the definitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from circuitkb.planted.files import (
    Answer,
    Answers,
    Circuit,
    Planted,
    Truth,
    check_answers,
    read,
    read_networks,
    read_truth,
    sha256,
)
from circuitkb.planted.intervals import f1_of, share_of
from circuitkb.results.result import Result
from circuitkb.schema.errors import SourceError

HALF = 0.5

LEVELS_OF_Q = (0.01, 0.05, 0.1, 0.2)
"""Where a table of calibration asks how many of what is found up to there are wrong."""


@dataclass(frozen=True)
class Counts:
    """What became of answers and circuits.

    Attributes
    ----------
    networks, with_answers
        Networks, and those with any answer.
    right, wrong, missed
        Answers that are matched, answers that are not, circuits that are not.
    decoys
        Of the wrong ones: those that are a decoy.
    members_right, members_wrong, members_missed
        Other members of matched pairs: in both, in the answer alone, in the circuit alone.
    """

    networks: int = 0
    with_answers: int = 0
    right: int = 0
    wrong: int = 0
    missed: int = 0
    decoys: int = 0
    members_right: int = 0
    members_wrong: int = 0
    members_missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )


def compare(answers: Sequence[Answer], planted: Planted) -> Counts:
    """Count what is right in the answers about one network.

    Examples
    --------
    >>> truth = Planted(
    ...     kind="union", noise=0, strength=4, superposition=0, dial="easiest", level="easiest",
    ...     easy=True, without="", decoys=[],
    ...     circuits=[Circuit(units=("t:1",), members=("d:1", "d:2"))],
    ... )
    >>> answer = Answer(network="n", units=("t:1",), members=("d:1", "d:3", "d:2"))
    >>> counts = compare([answer], truth)
    >>> counts.right, counts.members_right, counts.members_wrong
    (1, 2, 1)
    """
    pairs = matched(answers, planted.circuits)
    both = [
        (set(answers[answer].members), set(planted.circuits[circuit].members))
        for answer, circuit in pairs
    ]
    taken = {answer for answer, _ in pairs}
    others = [answer for place, answer in enumerate(answers) if place not in taken]
    return Counts(
        networks=1,
        with_answers=bool(answers),
        right=len(pairs),
        wrong=len(others),
        missed=len(planted.circuits) - len(pairs),
        decoys=len(matched(others, planted.decoys)),
        members_right=sum(len(found & true) for found, true in both),
        members_wrong=sum(len(found - true) for found, true in both),
        members_missed=sum(len(true - found) for found, true in both),
    )


def matched(answers: Sequence[Answer], circuits: Sequence[Circuit]) -> list[tuple[int, int]]:
    """Return the places of answers and circuits that go together, each at most once."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    if not answers or not circuits:
        return []
    gain = np.zeros((len(answers), len(circuits)))
    for row, answer in enumerate(answers):
        for column, circuit in enumerate(circuits):
            about = overlap(answer.units, circuit.units)
            if about >= HALF:
                others = overlap(answer.members, circuit.members)
                gain[row, column] = 1 + (about + others) / 8 if others >= HALF else 0
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if gain[row, column]]


def overlap(one: Iterable[str], other: Iterable[str]) -> float:
    """Return the share of the units in either that are in both; 1 where neither has any.

    Examples
    --------
    >>> overlap(["a:1", "a:2"], ["a:2", "a:3"]), overlap([], [])
    (0.3333333333333333, 1.0)
    """
    first, second = set(one), set(other)
    return len(first & second) / len(first | second) if first or second else 1.0


def score(folder: str | Path, answers: str | Path) -> Result:
    """Score an answers file: one row for each kind and setting of the dials.

    Parameters
    ----------
    folder
        What ``make`` made.
    answers
        A file of the format in ``answers.schema.json``, of any tool.

    Returns
    -------
    Result
        For each kind: every level, the ``easy half``, ``all``, and networks that hold nothing.
        Shares come with exact 95% intervals (Clopper and Pearson), which take circuits for
        independent; None where nothing can be told. F1's interval is that of right among right,
        wrong and missed.

    Raises
    ------
    SourceError
        No benchmark, a truth or network that was altered, or answers about what is not there.
    """
    truth, given = _read(Path(folder), Path(answers))
    rows = []
    for kind, networks in _by_kind(truth).items():
        if given.searched is not None and kind not in given.searched:
            rows.append({"method": given.method, "kind": kind, "dials": "not searched"})
            continue
        counts = {name: compare(_about(given, name), truth.networks[name]) for name in networks}
        for level, chosen in _levels(networks).items():
            own = sum((counts[name] for name in chosen), Counts())
            rows.append({"method": given.method, "kind": kind, "dials": level, **_row(own)})
    columns = ("method", "kind", "dials", *_row(Counts()))
    return Result.of_records(rows, columns=columns, notes=_notes(given, rows))


def brief(scored: Result) -> Result:
    """Return a score in fewer columns, to be read: shares with their intervals as text."""
    kept = ("kind", "dials", "circuits", "found", "right", "decoys_found")
    rows = [
        {name: row[name] for name in kept} | {name: _said(row, name) for name in ("f1", "fdr")}
        for row in scored
    ]
    return Result.of_records(rows, notes=scored.notes)


def _said(row: Mapping[str, Any], name: str) -> str | None:
    value, low, high = (row[each] for each in (name, f"{name}_low", f"{name}_high"))
    return None if value is None else f"{value:.2f} ({low:.2f}-{high:.2f})"


def calibration(folder: str | Path, answers: str | Path) -> Result:
    """Compare the q-values of answers with how many of them are wrong.

    Returns
    -------
    Result
        For each kind, and all of them, what is found with a q of at most .01, .05, .1 and .2, and
        the share of it that is wrong, with its interval. Answers without q are left out.

    Raises
    ------
    SourceError
        As :func:`score`.
    """
    truth, given = _read(Path(folder), Path(answers))
    rows = []
    groups = {**_by_kind(truth), "all": truth.networks}
    for kind, networks in groups.items():
        for level in LEVELS_OF_Q:
            own = Counts()
            for name, planted in networks.items():
                some = [each for each in _about(given, name) if each.q is not None]
                own += compare([each for each in some if float(each.q or 0) <= level], planted)
            found = own.right + own.wrong
            if found:
                low, high = share_of(own.wrong, found)
                rows.append(
                    {
                        "method": given.method,
                        "kind": kind,
                        "q_at_most": level,
                        "found": found,
                        "wrong": own.wrong,
                        "fdr": own.wrong / found,
                        "fdr_low": low,
                        "fdr_high": high,
                    }
                )
    return Result.of_records(rows)


def _read(folder: Path, path: Path) -> tuple[Truth, Answers]:
    networks = read_networks(folder)
    truth = read_truth(folder, networks)
    for network in networks.networks.values():
        if sha256(folder / network.file) != network.sha256:
            raise SourceError(
                f"{folder / network.file} was altered since it was made: make the benchmark "
                "again, with the same options, elsewhere."
            )
    answers = read(path, Answers)
    check_answers(answers, networks, path)
    return truth, answers


def _by_kind(truth: Truth) -> dict[str, dict[str, Planted]]:
    found: dict[str, dict[str, Planted]] = {}
    for name, planted in truth.networks.items():
        found.setdefault(planted.kind, {})[name] = planted
    return found


def _about(answers: Answers, network: str) -> list[Answer]:
    return [each for each in answers.circuits if each.network == network]


def _levels(networks: Mapping[str, Planted]) -> dict[str, list[str]]:
    """Return the networks of each level, the easy half, and all; then those that hold nothing."""
    levels: dict[str, list[str]] = {}
    ordered = sorted(networks.items(), key=lambda item: _place(item[1]))
    for name, planted in ordered:
        levels.setdefault(planted.level, []).append(name)
    holding = [name for name, planted in ordered if not planted.without]
    empty = {name: levels.pop(name) for name in sorted({*levels} & {"shuffled", "random"})}
    easy = [name for name in holding if networks[name].easy]
    return {**levels, "easy half": easy, "all": holding, **empty}


def _place(planted: Planted) -> tuple[str, float, float, float]:
    """Order levels: the easiest, then dial by dial from easy to hard."""
    dial = "" if planted.dial == "easiest" else planted.dial
    return dial, planted.noise, -planted.strength, planted.superposition


def _row(own: Counts) -> dict[str, Any]:
    found, there = own.right + own.wrong, own.right + own.missed
    f1, f1_low, f1_high = f1_of(own.right, own.wrong, own.missed)
    named = own.members_right + own.members_wrong
    members = own.members_right + own.members_missed
    row: dict[str, Any] = {
        "networks": own.networks,
        "circuits": there,
        "found": found,
        "right": own.right,
        "decoys_found": own.decoys,
        "f1": f1,
        "f1_low": f1_low,
        "f1_high": f1_high,
    }
    for name, some, of in (
        ("precision", own.right, found),
        ("recall", own.right, there),
        ("fdr", own.wrong, found),
    ):
        low, high = share_of(some, of)
        row |= {name: some / of if of else None, f"{name}_low": low, f"{name}_high": high}
    return row | {
        "members_precision": own.members_right / named if named else None,
        "members_recall": own.members_right / members if members else None,
        "networks_with_answers": own.with_answers,
    }


def _notes(answers: Answers, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    notes = []
    left = [row["kind"] for row in rows if row["dials"] == "not searched"]
    if left:
        notes.append(f"{answers.method} did not search for {', '.join(left)}.")
    if answers.fdr is not None:
        holding = [row for row in rows if row["dials"] == "all"]
        found, right = (sum(row[name] for row in holding) for name in ("found", "right"))
        low, high = share_of(found - right, found)
        if low is not None and high is not None:
            verdict = "above it" if low > answers.fdr else "within it"
            notes.append(
                f"{answers.method} allows itself a false discovery rate of {answers.fdr:g}; "
                f"measured over all kinds {(found - right) / found:.3f} ({low:.3f} to {high:.3f}): "
                f"{verdict if high <= answers.fdr or low > answers.fdr else 'not told apart'}."
            )
    return tuple(notes)
