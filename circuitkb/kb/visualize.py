"""Feature visualisation: the image that a unit answers to most, beside its control."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from circuitkb.kb.observe import refuse_without_weights, stored_model
from circuitkb.kb.writing import Writing
from circuitkb.queries.lists.conditions import Mention
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, parts, silent, within
from circuitkb.stores import known_names
from circuitkb.visualization import STEPS

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.schema.responses import Responses
    from circuitkb.visualization.visualization import Visualization, Visualizations

OPENED = 0.15
"""Share of the work that opening a network takes, for progress."""


class Visualizing(Writing):
    """Gives a knowledge base its ``visualize``."""

    def visualize(
        self,
        feature: str | FeatureId | Sequence[str | FeatureId],
        *,
        steps: int = STEPS,
        seed: int = 0,
        size: int | None = None,
        control: bool = True,
        source: str | os.PathLike[str] | None = None,
        architecture: str | None = None,
        module: nn.Module | None = None,
        progress: Progress = silent,
    ) -> Visualizations:
        """Search the image that a unit answers to most, and keep it as evidence.

        The same search of the same unit is made once, and then read. An interrupted one keeps
        what it has finished.

        Parameters
        ----------
        feature
            A unit, or several, which share what it takes to open the network.
        steps
            How often the image is moved.
        seed
            Of the image to start from, and of how it is jittered.
        size
            Rows and columns of the image at most; what lies around it is grey. If not given, all
            that the unit sees.
        control
            Whether the same is searched where weights are shuffled.
        source, architecture, module
            Where the network is, as for :meth:`observe`, if not where it was loaded from.
        progress
            Called with what is being done and how far it is.

        Raises
        ------
        NotFoundError
            There is no such feature.
        ObservationError
            It is a direction, its model has no weights, or it reads neither one channel nor three.
        SourceError
            Its weights are not where they were.
        """
        from circuitkb.visualization.visualization import Visualizations

        start = perf_counter()
        asked = [feature] if isinstance(feature, str | FeatureId) else list(feature)
        features = list(dict.fromkeys(FeatureId.parse(str(each)) for each in asked))
        self._check(features, steps=steps, size=size)
        how = {"steps": steps, "seed": seed, "size": size}
        by_model: dict[str, list[FeatureId]] = {}
        for each in features:
            by_model.setdefault(each.model, []).append(each)
        if len(by_model) > 1 and (source is not None or module is not None):
            raise ObservationError("A source, or a module, goes with the features of one model.")
        given = None if source is None else os.fspath(source)
        found: dict[str, Visualization] = {}
        for (model, own), tell in zip(
            by_model.items(), parts(progress, len(by_model)), strict=True
        ):
            maker = _Maker(self, model, how, control=control)
            kept = {str(each): maker.kept(each) for each in own}
            found |= {id: one for id, one in kept.items() if one is not None}
            missing = [each for each in own if kept[str(each)] is None]
            if missing:
                for made in maker.make(missing, (given, architecture, module), tell):
                    found |= {one.feature: one for one in made}
        items = tuple(found[str(each)] for each in features)
        return Visualizations(items, perf_counter() - start)

    def visualizations(self, feature: str | FeatureId) -> list[Visualization]:
        """Return the visualisations of a feature that are kept, without making any."""
        from circuitkb.visualization.kept import kept

        return list(kept(self.store, str(feature)))

    def _check(self, features: Sequence[FeatureId], *, steps: int, size: int | None) -> None:
        if not features:
            raise ObservationError("Name a feature, as in inceptionv1/mixed4b:418.")
        if steps < 1:
            raise ObservationError(f"steps is {steps}: an image is moved once at least.")
        if size is not None and size < 1:
            raise ObservationError(f"size is {size}: an image has one pixel at least.")
        for each in features:
            known_names.check(self.store, [Mention("feature", str(each))])
            if each.basis is not None:
                raise ObservationError(
                    f"{each} is a direction, and no vectors of directions are kept here: show the "
                    "units of its layer."
                )


class _Maker:
    """Makes visualisations of one model, and writes them."""

    def __init__(self, kb: Visualizing, model: str, how: dict[str, Any], *, control: bool) -> None:
        self._kb = kb
        self._stored = stored_model(kb.store, model)
        refuse_without_weights(self._stored)
        self._responses: Responses | None = kb.store.responses(model)
        of = self._responses
        shuffled = (0 if of is None else int(of.settings["seed"])) if control else None
        self._how, self._settings = how, {**how, "shuffled": shuffled}
        self._pixels = {} if of is None else {k: of.settings.get(k) for k in _PIXELS}

    def kept(self, feature: FeatureId) -> Visualization | None:
        """Return what an earlier search with the same settings found."""
        from circuitkb.visualization.kept import kept

        return next(iter(kept(self._kb.store, str(feature), self._id(feature))), None)

    def make(
        self,
        features: Sequence[FeatureId],
        where: tuple[str | None, str | None, nn.Module | None],
        progress: Progress,
    ) -> Iterator[list[Visualization]]:
        """Search images, write them and give them, a few at a time."""
        from circuitkb.kb.reopening import reopen
        from circuitkb.loaders.feature_images.ascent import Ascent
        from circuitkb.results.pictures.provenance import Provenance
        from circuitkb.visualization.rows import visualization_rows
        from circuitkb.visualization.visualization import Visualization
        from circuitkb.visualization.visualizer import Visualizer

        model = self._stored["id"]
        progress(f"{model}: opening the network", 0.0)
        start = perf_counter()
        network = reopen(self._stored, *where)
        said = Provenance(self._kb.store).texts
        units: dict[str, list[int]] = {}
        for each in features:
            units.setdefault(each.layer, []).append(each.unit)
        opening = within(progress, 0.0, OPENED, f"{model}: {{}}")
        visualizer = Visualizer(network, self._responses, opening)
        searching = within(progress, OPENED, 1.0, f"{model}: {{}}")
        lots = visualizer.visualize(
            units, Ascent(**self._how), self._settings["shuffled"], searching
        )
        for lot in lots:
            made = []
            for one in lot:
                feature = FeatureId(model, one.layer, one.unit)
                made.append(
                    Visualization(
                        str(feature),
                        self._id(feature),
                        self._settings,
                        one.reached,
                        one.control,
                        self._best(feature),
                    )
                )
            rows = visualization_rows(made, said, seconds=perf_counter() - start)
            self._kb._write(rows)
            yield made
            start = perf_counter()

    def _id(self, feature: FeatureId) -> str:
        from circuitkb.visualization.rows import evidence_id

        what = {**self._settings, **self._pixels}
        return evidence_id(self._stored["fingerprint"], str(feature), what)

    def _best(self, feature: FeatureId) -> tuple[str, float] | None:
        """Return the stimulus that a unit answers to most, and what it answers to that."""
        responses = self._responses
        if responses is None:
            return None
        row = responses.before[responses.row(feature)]
        place = int(row.argmax())
        return responses.stimuli[place], float(row[place])


_PIXELS = ("black", "white", "order")
"""Settings of an observation that say what a network reads for an image."""
