"""Many edits are tried together, a bad line is named before anything runs, a kill loses a batch.

Costs about fifteen seconds of a processor.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import circuitkb as ckb
from circuitkb.kb import trial_lists
from circuitkb.schema.errors import TrialError
from tests.trials.planted import MODEL, observed

KILLED = """
import os, signal, sys
import circuitkb as ckb
from circuitkb.kb import trial_lists

trial_lists.BATCH = 10

def kill(doing, done):
    if done > 0.6:  # in the second of three batches
        os.kill(os.getpid(), signal.SIGKILL)

with ckb.open(sys.argv[1]) as kb:
    kb.try_edits(random=30, model=sys.argv[2], controls=False, search=False, progress=kill)
"""


class Base:
    """A planted network, its knowledge base, and a target with two of its inputs."""

    def __init__(self, kb: ckb.KnowledgeBase) -> None:
        responses = kb.responses(MODEL)
        assert responses is not None
        detectors, targets = (name for name, _ in responses.layers[-2:])
        self.kb = kb
        self.target = f"{MODEL}/{targets}:0"
        self.one, self.other = f"{detectors}:0", f"{detectors}:1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    observed(tmp_path_factory, folder / "kb.ckb")[1].close()
    return folder


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[Base]:
    shutil.copytree(folder / "kb.ckb", folder / "lists.ckb")
    with ckb.open(folder / "lists.ckb") as kb:
        yield Base(kb)


def count(kb: ckb.KnowledgeBase) -> int:
    return len(kb.trials(limit=None).run())


def test_a_table_gives_what_its_lines_give_one_by_one(base: Base, tmp_path: Path) -> None:
    file = tmp_path / "edits.csv"
    file.write_text(
        "about,edit,read\n"
        f"{base.target},remove {base.one},\n"
        f'{base.target},"set {base.other} to [[0.5]]",{base.target}\n'
        f"{MODEL}/{base.one},ablate by mean,{base.target}\n"
        f"{base.target},remove {base.one},\n"
    )
    found = base.kb.try_edits(file, search=False)
    assert len(found.trials) == 3
    assert (found.there, found.repeated) == (0, 1)
    kept = {row["trial"]: row for row in base.kb.trials(limit=None).run()}
    assert set(kept) == {one.id for one in found.trials}
    alone = base.kb.trial(base.target, f"remove {base.one}").trial
    assert alone.id == found.trials[0].id
    assert kept[alone.id]["measured"] == pytest.approx(alone.measured)
    assert kept[alone.id]["predicted"] == pytest.approx(alone.predicted)
    ablated = base.kb.try_again(found.trials[2].id)
    assert ablated.same
    assert ablated.trial.id == found.trials[2].id  # without controls, as it is read elsewhere
    assert ablated.trial.null_count == 0


def test_rows_that_are_there_are_not_run_again(base: Base) -> None:
    rows = [(base.target, f"flip {base.one}"), (base.target, f"flip {base.other}", None)]
    first = base.kb.try_edits(rows[:1], search=False)
    both = base.kb.try_edits(rows, search=False)
    assert (first.there, both.there, len(both.trials)) == (0, 1, 2)
    (row,) = both.to_result().to_dicts()
    assert row["trials"] == row["held"] + row["failed"] + row["undecided"] == 2
    assert row["there_before"] == 1


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["about,edit", "{target},remove {one}", "{target},vanish {one}"], "line 3: .* is no edit"),
        (["about,edit", "", "{target},remove {one}:9"], "line 3: "),
        (["about,edit", "{target},remove {one},{target}"], "line 2: it has 3 cells"),
        (["about,edit,read", "{target},ablate,"], "line 2: .* is itself ablated"),
        (["about,edit,read", "{target},remove {one},{one}"], "line 2: .* is not reached"),
        (["about,edit", "nowhere/a:1,ablate"], "line 2: .*nowhere"),
        (["about,edit", "{target},"], "line 2: edit is empty"),
        (["about,edti", "{target},ablate"], "line 1: there is no column 'edti'. Did you mean"),
        (["about,edit", '{target},"remove'], "line 2: .*no CSV"),
        ([], "is empty"),
    ],
)
def test_a_bad_line_is_named_and_nothing_runs(
    base: Base, tmp_path: Path, lines: list[str], words: str
) -> None:
    before = count(base.kb)
    file = tmp_path / "edits.csv"
    names = {"target": base.target, "one": base.one}
    file.write_text("\n".join(line.format(**names) for line in lines))
    with pytest.raises(TrialError, match=f"^{file}.*{words}"):
        base.kb.try_edits(file, progress=_only_reading)
    assert count(base.kb) == before


def _only_reading(doing: str, done: float) -> None:
    assert doing == "Reading edits"


def test_a_killed_list_goes_on_and_is_what_it_would_have_been(
    folder: Path, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = folder / "killed.ckb"
    shutil.copytree(folder / "kb.ckb", store)
    done = subprocess.run([sys.executable, "-c", KILLED, store, MODEL], check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    monkeypatch.setattr(trial_lists, "BATCH", 10)
    with ckb.open(store) as kb:
        assert count(kb) == 10
        after = kb.try_edits(random=30, model=MODEL, controls=False, search=False)
        assert (after.there, len(after.trials)) == (10, 30)
        assert kb.try_edits(random=30, model=MODEL, controls=False, search=False).there == 30
        killed = kb.trials(limit=None).run().to_dicts()
    monkeypatch.undo()
    found = {
        one.id
        for one in base.kb.try_edits(random=30, model=MODEL, controls=False, search=False).trials
    }
    rows = base.kb.trials(limit=None).run()
    whole = {row["trial"]: row for row in rows if row["trial"] in found}
    assert {row["trial"] for row in killed} == set(whole)
    for row in killed:
        for name in ("edit", "predicted", "low", "high", "outcome"):
            assert row[name] == whole[row["trial"]][name], name
        assert row["measured"] == pytest.approx(whole[row["trial"]]["measured"], abs=1e-5)


def test_random_edits_of_every_place_are_tried_and_a_longer_list_holds_the_shorter(
    base: Base,
) -> None:
    layer = base.one.partition(":")[0]
    few = base.kb.try_edits(
        random=5, kind="flip", model=MODEL, read_at="logits", controls=False, search=False
    )
    more = base.kb.try_edits(
        random=8, kind="flip", model=MODEL, read_at="logits", controls=False, search=False
    )
    assert {one.id for one in few.trials} < {one.id for one in more.trials}
    assert more.there == 5
    inside = base.kb.try_edits(random=5, model=MODEL, read_at=layer, search=False)
    read = [base.kb.show(one.id).facts["measure"] for one in inside.trials]
    assert all(f"of {layer}:" in measure for measure in read)
    with pytest.raises(TrialError, match="'nowhere' was not observed"):
        base.kb.try_edits(random=5, model=MODEL, read_at="nowhere")
    with pytest.raises(TrialError, match="no kind of edit"):
        base.kb.try_edits(random=5, model=MODEL, kind="cut")
    with pytest.raises(TrialError, match="read something later"):
        base.kb.try_edits(random=5, model=MODEL, kind="ablate")
    with pytest.raises(TrialError, match="of which model"):
        base.kb.try_edits(random=5)


@pytest.mark.parametrize("kind", ["swap", "set", "remove+scale"])
def test_sets_swaps_and_written_kernels_have_intervals_of_their_own_kind(
    base: Base, kind: str
) -> None:
    found = base.kb.try_edits(
        random=60, kind=kind, model=MODEL, controls=False, search=False, seed=3
    )
    (row,) = found.to_result().to_dicts()
    # 45 random edits made the interval, 60 others judge it: 4% and 3% of error.
    assert 0.84 <= row["coverage"] <= 1.0
    card = base.kb.show(found.trials[0].id).to_json()
    assert f"{kind}, " in card
    assert "how often such intervals hold is not known" not in card


def test_an_edit_like_none_that_is_drawn_says_so(base: Base) -> None:
    other = base.target.rpartition(":")[0].removeprefix(f"{MODEL}/") + ":1"
    edit = f"remove {base.one}; remove {base.one} into {other}"
    trial = base.kb.trial(base.target, edit, controls=False).trial
    assert "how often such intervals hold is not known" in str(trial.detail["left_in_place"])


def test_an_edit_that_explodes_is_named_and_the_others_are_kept(base: Base) -> None:
    layer = base.one.partition(":")[0]
    good = f"scale {base.one} by 3"
    bad = "; ".join(f"set {layer}:{unit} to [[3e38]]" for unit in range(8))
    found = base.kb.try_edits(
        [(base.target, good), (base.target, bad)], controls=False, search=False
    )
    assert len(found.trials) == 1
    assert found.exploded[0].startswith(f"set {layer}:0")
    assert "NaN or infinity" in found.notes[-1]
    assert np.isfinite(base.kb.trials(limit=None).run()["measured"]).all()
    with pytest.raises(TrialError, match="NaN or infinity"):
        base.kb.trial(base.target, bad, controls=False)
