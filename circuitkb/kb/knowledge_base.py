"""A knowledge base in Python: load, find, list, ask, show."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from circuitkb.annotations.verbs import Annotating
from circuitkb.kb.listing import Listing
from circuitkb.lists.selections import FeatureQuery
from circuitkb.motifs.registry import DEFAULT
from circuitkb.moving.verbs import Moving
from circuitkb.queries.lists.conditions import DEFAULT_LIMIT
from circuitkb.results.circuit_records import circuit_records
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, silent
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.checking.report import CheckReport
    from circuitkb.loaders.sources.pixels import Level
    from circuitkb.motifs.motif import Basis, Motif
    from circuitkb.results.card import Card
    from circuitkb.results.reports import FindReport, Kernel, LoadReport, MatchReport, ObserveReport
    from circuitkb.schema.responses import Responses


class KnowledgeBase(Listing, Annotating, Moving):
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Path or URL, as it was given."""
        return self.store.address

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def check(self, *, repair: bool = False, progress: Progress = silent) -> CheckReport:
        """Check all of the knowledge base by what was written; see :func:`circuitkb.check`.

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

    def load(
        self,
        source: str | os.PathLike[str] | nn.Module,
        *,
        name: str | None = None,
        keep: int = 64,
        architecture: str | None = None,
        input_shape: str | Sequence[int] | None = None,
        progress: Progress = silent,
    ) -> LoadReport:
        """Read a network or published circuits into the knowledge base, whole or not at all.

        A network that is there already changes nothing.

        Parameters
        ----------
        source
            A name of the zoo, ``torchvision:NAME``, ``timm:NAME``, a file, ``published:NAME``;
            ``FILE.py:FUNCTION``, which runs that file; or a ``torch.nn.Module``, which is copied.
        name
            Name of the model; the source's own if not given.
        keep
            How many of the strongest inputs of each unit the graph keeps.
        architecture
            What a checkpoint is a checkpoint of, as in ``torchvision:resnet18`` or
            ``FILE.py:FUNCTION``.
        input_shape
            (channels, rows, columns) of the image that a network of your own reads; if not given
            what its function returns beside it, its attribute ``input_shape``, or 3x224x224.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        SourceError
            The source cannot be read.
        ModelConflictError
            Other weights, or another network with the same weights, stand under the same name.
        """
        from circuitkb.kb.load import load

        return load(
            self.store,
            os.fspath(source) if isinstance(source, str | os.PathLike) else source,
            name=name,
            keep=keep,
            architecture=architecture,
            input_shape=input_shape,
            progress=progress,
        )

    def observe(
        self,
        model: str,
        *,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        pixels: tuple[Level, Level] | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> ObserveReport:
        """Show the battery of stimuli to a model and write what its units answer.

        An interrupted observation writes nothing, and goes on where it stopped. The same
        observation again changes nothing.

        Parameters
        ----------
        model
            Name of a model with weights.
        source
            Where its weights are now; where they were loaded from if not given. A Python file
            (``FILE.py:FUNCTION``) runs only where it is given here.
        architecture
            What a checkpoint is a checkpoint of; as it was loaded if not given, but for a Python
            file, which runs only where it is given here.
        module
            The network itself, where it was loaded from a ``torch.nn.Module``.
        pixels
            What the network reads for black and for white, each a number or one number for each
            channel, as in ``((0, 0, 0), (255, 255, 1))``; what its source says if not given.
        seed
            Seed of the shuffled weights and of random draws.

        Raises
        ------
        NotFoundError
            No such model.
        ObservationError
            It cannot be observed: it has no weights, or reads no images.
        SourceError
            Its weights are not where they were.
        """
        from circuitkb.kb.observe import observe

        return observe(
            self.store,
            model,
            source=None if source is None else os.fspath(source),
            architecture=architecture,
            module=module,
            pixels=pixels,
            seed=seed,
            progress=progress,
        )

    def find(
        self,
        motif: str | Motif = DEFAULT,
        *,
        models: Sequence[str] | None = None,
        by: Basis | None = None,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> FindReport:
        """Search all edges of the models for a motif; write circuits and their evidence.

        Parameters
        ----------
        motif
            A name, as ``circuitkb find`` lists them, or a value: ``Union(of=mirror("up-down"))``,
            or any other :class:`~circuitkb.motifs.motif.Motif`.
        models
            Models to search; all if not given.
        by
            ``"responses"`` or ``"kernels"``; if not given, responses where a model was observed.
        seed
            Seed of the null's random draws; the motif's own if not given.

        Raises
        ------
        NotFoundError
            No such model.
        QueryError
            No such motif, or no such way to search for it.
        ObservationError
            A model was not observed and is to be searched by responses.
        """
        from circuitkb.kb.find import search

        return search(self.store, motif, models=models, by=by, seed=seed, progress=progress)

    def match(
        self, first: str, second: str, *, seed: int = 0, progress: Progress = silent
    ) -> MatchReport:
        """Find analogous features of two observed models, and analogous circuits, with controls.

        Parameters
        ----------
        first, second
            Names of the models; ``ANALOGOUS_TO`` goes from the first to the second.
        seed
            Seed of the nulls' random draws.

        Raises
        ------
        NotFoundError
            No such model.
        ObservationError
            A model was not observed, or both saw other batteries.
        """
        from circuitkb.kb.match import match_models

        return match_models(self.store, first, second, seed=seed, progress=progress)

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

        Each has ``id, motif, model, origin, group, score, members, nulls, p, q, published_as,
        claim``; a member has ``feature, role, side, weight, labels``, a null what was measured
        (``kind, value``) and what chance gives (``mean, count, method, p, q, tested``).
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

    def report(self, models: Sequence[str] | None = None) -> str:
        """Return what was found in all models, or in some, with all controls, in Markdown."""
        from circuitkb.report.report import report

        return report(self.store, models)

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
