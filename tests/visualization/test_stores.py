"""Visualisations on every kind of store: kept with their images, and taken along to another one.

Costs about fifteen seconds of a processor, half of them what a server takes to start.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import circuitkb as ckb
from tests.stores.factories import FACTORIES, Factory
from tests.visualization.test_visualize import MODEL, SIDE, UNIT, module

pytestmark = pytest.mark.long  # tests beside this one have the embedded store alone

KINDS = [factory for factory in FACTORIES if not factory.only_writes]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kb(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ckb.KnowledgeBase]:
    kind: Factory = request.param
    with kind.held(tmp_path_factory.mktemp("store")) as store:
        found = ckb.KnowledgeBase(store)
        found.load(module(), name=MODEL, input_shape=(3, SIDE, SIDE))
        yield found


def test_it_is_kept_read_again_and_comes_along_when_the_model_is_copied(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    (made,) = kb.visualize(UNIT, module=module(), steps=5)
    (again,) = kb.visualize(UNIT, steps=5)  # without the network
    kb.push(tmp_path / "copy.ckb")
    with ckb.open(tmp_path / "copy.ckb") as copy:
        (copied,) = copy.visualize(UNIT, steps=5)
    for other in (again, copied):
        assert other.figures() == made.figures()
        assert other.evidence == made.evidence
        for one, two in zip(other.shown(), made.shown(), strict=True):
            assert (one[0] == two[0]).all()
            assert one[1] == two[1]
