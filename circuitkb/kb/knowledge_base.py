"""A knowledge base in Python: load, find, list, ask, show."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from circuitkb.annotations.verbs import Annotating
from circuitkb.claims.verbs import Claiming
from circuitkb.kb.cover import Covering
from circuitkb.kb.find import Finding
from circuitkb.kb.listing import Listing
from circuitkb.kb.load import Loading
from circuitkb.kb.match import Matching
from circuitkb.kb.observe import Observing
from circuitkb.kb.prove import Proving
from circuitkb.kb.trial_lists import TryingMany
from circuitkb.kb.visualize import Visualizing
from circuitkb.lists.selections import FeatureQuery
from circuitkb.moving.verbs import Moving
from circuitkb.queries.lists.conditions import DEFAULT_LIMIT
from circuitkb.results.circuit_records import circuit_records
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.checking.report import CheckReport
    from circuitkb.results.card import Card
    from circuitkb.results.reports import Kernel
    from circuitkb.schema.responses import Responses
    from circuitkb.trials.hypotheses import Ablation, Hypotheses


class KnowledgeBase(
    Loading,
    Observing,
    Visualizing,
    Finding,
    TryingMany,
    Proving,
    Covering,
    Matching,
    Listing,
    Annotating,
    Claiming,
    Moving,
):
    """Features, weights, circuits and what is said of them, in one store.

    Use it as a context manager, or :meth:`close` it.

    Attributes
    ----------
    store
        Where it is kept.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"<KnowledgeBase {self.address}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Path or URL, as it was given."""
        return self.store.address

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def check(self, *, repair: bool = False, progress: Progress = silent) -> CheckReport:
        """Compare all of the knowledge base with what was written; see :func:`circuitkb.check`.

        Parameters
        ----------
        repair
            Whether to let the newest whole state count where the one that does is damaged.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        CapabilityError
            A repair of a knowledge base on a server.
        """
        from circuitkb.checking.check import check, check_store

        return (
            check(self.address, repair=True, progress=progress)
            if repair
            else (check_store(self.store, progress))
        )

    def circuit_records(
        self,
        *,
        model: str | None = None,
        motif: str | None = None,
        origin: str | None = None,
        feature: str | FeatureId | FeatureQuery | None = None,
        limit: int | None = DEFAULT_LIMIT,
    ) -> list[dict[str, Any]]:
        """Return circuits as records for JSON; the parameters are those of :meth:`circuits`.

        Each has ``id, motif, model, origin, group, shape, asymmetry, pair_targets, pair_null,
        pair_p, pair_q, score, stability, members, nulls, p, q, trial, trial_q, published_as,
        claim``; a member has ``feature, role, side, facing, weight, labels``, a null what was
        measured (``kind, value``) and what chance gives (``mean, count, method, p, q, tested``).
        """
        rows = self.circuits(model=model, motif=motif, origin=origin, feature=feature, limit=limit)
        return circuit_records(self.store, rows.run())

    def show(self, id: str | FeatureId) -> Card:
        """Return what is known of a feature, a layer, a model, a circuit, or a node of any kind.

        Raises
        ------
        NotFoundError
            There is no such thing here.
        """
        from circuitkb.results.cards import card

        return card(self.store, str(id))

    def kernels(self, source: str | FeatureId, target: str | FeatureId) -> list[Kernel]:
        """Return every kernel from one feature to another, kept by the graph or not.

        Raises
        ------
        NotFoundError
            One of the features is not here.
        """
        from circuitkb.kb.single_kernels import kernels_between

        return kernels_between(self.store, source, target)

    def hypotheses(
        self, circuit: str, *, ablation: Ablation = "median", seed: int = 0
    ) -> Hypotheses:
        """Test a circuit as a hypothesis: five tests with p-values; see ``docs/trials.md``.

        Parameters
        ----------
        circuit
            Id of a circuit of one target and some of its inputs, in an observed model.
        ablation
            What an ablated edge gives: what it gives to the ``median`` or ``mean`` stimulus, or
            nothing (``zero``).
        seed
            Of the random circuits and permutations.

        Raises
        ------
        NotFoundError
            There is no such circuit.
        ObservationError
            Its model was not observed.
        QueryError
            It is another kind of circuit, or kernels into its target cover more than one place.
        """
        from circuitkb.trials.hypotheses import hypotheses

        return hypotheses(self.store, circuit, ablation=ablation, seed=seed)

    def report(
        self,
        models: Sequence[str] | None = None,
        *,
        pictures: str | os.PathLike[str] | None = None,
        by_network: str | os.PathLike[str] | None = None,
        beside: str | os.PathLike[str] = ".",
    ) -> str:
        """Return what was found in all models, or in some, with all controls, in Markdown.

        With ``pictures``, a folder, one circuit of each motif found is drawn there as
        ``MOTIF.svg``, and shown by the report, which is to lie in the folder ``beside``. With
        ``by_network``, a folder, the tables of single models go there, as ``MODEL.md``.
        """
        from circuitkb.report.report import report

        return report(
            self.store,
            models,
            pictures=None if pictures is None else Path(pictures),
            by_network=None if by_network is None else Path(by_network),
            beside=Path(beside),
        )

    def responses(self, model: str) -> Responses | None:
        """Return what the units of a model answered to the battery, memory-mapped.

        None for a model that was not observed. Rows are units in the order of
        ``responses.layers``, columns stimuli; ``responses.row(feature)`` finds a unit.

        Raises
        ------
        NotFoundError
            No such model.
        """
        known_names.check_models(self.store, [model])
        return self.store.responses(model)
