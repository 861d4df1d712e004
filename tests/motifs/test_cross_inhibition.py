"""Cross-inhibition: planted ones are found in their roles (5 s)."""

from __future__ import annotations

from circuitkb.motifs.by_responses.find import find_in_model
from circuitkb.motifs.cross_inhibition import CROSS_INHIBITION
from circuitkb.motifs.registry import MOTIFS
from circuitkb.queries.questions.catalogue import find
from tests.motifs.test_another_motif import PLANTED, observed_model


def test_planted_targets_are_found_with_the_input_that_excites_and_the_one_that_inhibits() -> None:
    rows, truth = observed_model("one", 2)
    findings = find_in_model(
        rows.kernels["one"], rows.responses["one"], CROSS_INHIBITION, model="one", seed=0
    )
    found = {
        target.target: {case.role: case.feature for case in target.cases.values()}
        for target in findings.found
    }
    assert found == {
        target: {"exciting": one, "inhibiting": other} for target, (one, other) in truth.items()
    }
    assert findings.circuits == len(PLANTED)


def test_every_motif_of_ours_has_a_question_that_depends_on_it() -> None:
    for motif in MOTIFS:
        assert motif.question is not None, motif.name
        assert find(motif.question).motif == motif.name
        assert motif.summary
