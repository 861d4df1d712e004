"""One edit is predicted, run, compared with its controls and kept; what cannot be made is refused.

Costs about eight seconds of a processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import circuitkb as ckb
from circuitkb.schema.errors import NotFoundError, ObservationError, TrialError
from tests.stores.made_once import published_copy
from tests.trials.planted import MODEL, observed


class Base:
    """A planted network, its knowledge base, and one union with its cases."""

    def __init__(self, kb: ckb.KnowledgeBase, target: str, cases: tuple[str, str]) -> None:
        self.kb, self.target, self.cases = kb, target, cases


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    place = tmp_path_factory.mktemp("planted") / "kb.ckb"
    planted, kb = observed(tmp_path_factory, place)
    responses = kb.responses(MODEL)
    assert responses is not None
    detectors, targets = (name for name, _ in responses.layers[-2:])
    union = next(target for target in planted.targets if target.kind == "union")
    one, other = (f"{detectors}:{side[0]}" for side in union.cases)
    with kb:
        yield Base(kb, f"{MODEL}/{targets}:{union.unit}", (one, other))


def test_a_removed_edge_costs_what_was_predicted_and_more_than_its_controls(base: Base) -> None:
    report = base.kb.trial(base.target, f"remove {base.cases[0]}")
    trial = report.trial
    assert trial.predicted is not None
    assert trial.low is not None
    assert trial.high is not None
    assert trial.low <= trial.predicted <= trial.high
    assert trial.outcome == ("held" if trial.low <= trial.measured <= trial.high else "failed")
    assert trial.measured == pytest.approx(trial.predicted, abs=0.01)
    assert trial.null_count is not None
    assert trial.null_count >= 19
    assert abs(trial.measured) > abs(trial.null_mean or 0)
    assert trial.p is not None
    assert trial.p <= 0.05


def test_it_is_kept_and_listed_and_shown_beside_the_feature(base: Base) -> None:
    report = base.kb.trial(base.target, f"scale {base.cases[0]} by 0.5")
    rows = base.kb.trials(kind="edit", feature=base.target, limit=None).run().to_dicts()
    (row,) = (row for row in rows if row["trial"] == report.trial.id)
    assert row["measured"] == pytest.approx(report.trial.measured)
    assert report.trial.id in base.kb.show(base.target).to_json()
    assert base.kb.show(report.trial.id).facts["outcome"] == report.trial.outcome


def test_an_edit_that_is_run_again_gives_the_same_and_writes_nothing(base: Base) -> None:
    first = base.kb.trial(base.target, f"flip {base.cases[1]}")
    count = len(base.kb.trials(limit=None).run())
    assert base.kb.try_again(first.trial.id).same
    assert len(base.kb.trials(limit=None).run()) == count


def test_an_ablated_feature_has_others_of_its_layer_as_controls(base: Base) -> None:
    report = base.kb.trial(f"{MODEL}/{base.cases[0]}", "ablate", read=base.target)
    assert report.trial.null_count == 20
    assert dict(report.trial.about)[f"{MODEL}/{base.cases[0]}"] == "edited"


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        ("remove detectors:99999", TrialError, "There is no edge from"),
        ("vanish detectors:1", TrialError, "is no edit"),
        ("remove {one}; flip {one}", TrialError, "Two changes clash"),
        ("rotate {one} by 90", TrialError, "cannot be rotated"),
        ("ablate", TrialError, "say which later feature to read"),
    ],
)
def test_an_edit_that_cannot_be_made_is_refused_in_a_line(
    base: Base, edit: str, error: type[Exception], words: str
) -> None:
    before = len(base.kb.trials(limit=None).run())
    with pytest.raises(error, match=words) as refused:
        base.kb.trial(base.target, edit.format(one=base.cases[0]))
    assert "\n" not in str(refused.value)
    assert len(base.kb.trials(limit=None).run()) == before


def test_what_is_not_there_is_named(base: Base) -> None:
    with pytest.raises(NotFoundError, match="no trial 'trial-x'"):
        base.kb.try_again("trial-x")
    with pytest.raises(NotFoundError):
        base.kb.trial(f"{MODEL}/nowhere:1", "ablate")
    with pytest.raises(NotFoundError, match="no circuit"):
        base.kb.trial("union-0", "ablate")
    with pytest.raises(TrialError, match="say what to change"):
        base.kb.trial(base.target)


def test_a_model_without_its_network_cannot_be_tried(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = published_copy(tmp_path_factory, tmp_path / "kb.ckb")
    with ckb.open(place) as kb, pytest.raises(ObservationError, match="published circuits"):
        kb.trial("inceptionv1/mixed4b:418", "ablate")


def test_an_edge_that_is_one_convolution_is_saved_as_changed_weights(
    base: Base, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    file = tmp_path / "edited.safetensors"
    base.kb.trial(base.target, f"scale {base.cases[1]} by 0.25", save=file)
    unit, source = (int(name.rpartition(":")[2]) for name in (base.target, base.cases[1]))
    connection = base.kb.kernels(f"{MODEL}/{base.cases[1]}", base.target)[0]
    (weights,) = (
        value
        for value in load_file(file).values()
        if value.ndim == 4 and value.shape[:2] == (60, 160)
    )
    assert weights[unit, source].item() == pytest.approx(0.25 * connection.values.item())
    with pytest.raises(TrialError, match="there already"):
        base.kb.trial(base.target, f"scale {base.cases[1]} by 0.25", save=file)
