"""An observation: a network shown the battery, its responses kept, their measures written."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from circuitkb.kb.reopening import reopen
from circuitkb.kb.writing import Writing
from circuitkb.motifs.registry import DEFAULT
from circuitkb.results.reports import ObserveReport
from circuitkb.schema.errors import ObservationError, StoreError
from circuitkb.schema.ids import content_hash
from circuitkb.schema.progress import Progress, silent, within
from circuitkb.schema.provenance import import_node, now
from circuitkb.schema.tables import GraphRows, node_table, rows_of
from circuitkb.stores import known_names
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.receptive_fields.views import View
    from circuitkb.loaders.sources.pixels import Level
    from circuitkb.observation.measures.measure import Measure, Places
    from circuitkb.observation.measures.rows import Measurements
    from circuitkb.observation.recording import Recording
    from circuitkb.observation.stimuli.battery import Battery
    from circuitkb.schema.responses import Responses

PLANNING, SHOWING, MEASURING = 0.05, 0.85, 0.9
"""Shares of an observation after which these are done, for progress."""

FEWEST_STIMULI = 100
"""Smaller images, which can show fewer, tell nothing of a unit."""


class Observing(Writing):
    """Gives a knowledge base its ``observe``."""

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
        store = self.store
        start = perf_counter()
        known_names.check_models(store, [model])
        stored = _stored(store, model)
        _refuse_without_weights(stored)
        progress(f"{model}: opening", 0.0)
        given = None if source is None else os.fspath(source)
        network = reopen(stored, given, architecture, module)
        if pixels is not None:
            network = _with_pixels(network, pixels)

        from circuitkb.loaders.receptive_fields.views import plan_views
        from circuitkb.observation.measures.measure import measures
        from circuitkb.observation.measuring import measure_recording, usable

        planning = within(progress, 0.2 * PLANNING, 0.7 * PLANNING, f"{model}: {{}}")
        views = plan_views(network.module, network.example, progress=planning)
        battery = _battery(network, views)
        settings = _settings(network, views, seed=seed)
        asked, read = usable(measures(), battery.stimuli)
        before = _kept(store, model)
        if before is not None and _is_that_of(before, battery, settings):
            said = _summary(store, model)
            if all(measure.counted in said for measure in asked):
                # The user may have said now what was assumed then.
                said |= {"pixels_known": network.pixels.known, "resumed": 0.0}
                return _report(model, said, asked, seconds=perf_counter() - start, created=False)
        recording = _record(store, model, network, views, battery, read, settings, seed, progress)
        progress(f"{model}: measuring", SHOWING)
        found = measure_recording(recording, battery.stimuli, asked, seed=seed)
        progress(f"{model}: writing", MEASURING)
        summary = {
            "battery": battery.name,
            "stimuli": len(battery),
            "images": [f"{view.rows}x{view.columns}" for view in views],
            "units": len(found.responsive),
            "silent": int((~found.responsive).sum()),
            **found.counts,
            "off_centre": _worst_off_centre(views),
            "pixels_known": network.pixels.known,
            "settings": settings,
            "resumed": round(recording.resumed, 3),
        }
        seconds = perf_counter() - start
        self._write(_rows(store, stored, recording.responses, found, views, summary, seconds))
        from circuitkb.observation.recording import forget

        forget(store.workspace(_workspace(model)))
        progress(f"{model}: observed", 1.0)
        return _report(model, summary, asked, seconds=perf_counter() - start, created=True)


def _kept(store: Store, model: str) -> Responses | None:
    """Return what is kept of an observation; nothing where its file is lost or damaged."""
    try:
        return store.responses(model)
    except StoreError:
        return None


def _stored(store: Store, model: str) -> dict[str, Any]:
    answer = store.read(
        "MATCH (m:Model {id: $id}) RETURN m.id AS id, m.source AS source, m.weights AS weights, "
        "m.architecture AS architecture, m.fingerprint AS fingerprint, "
        "m.computation AS computation, m.input_shape AS input_shape",
        {"id": model},
    )
    return answer.to_dicts()[0]


def _refuse_without_weights(stored: Mapping[str, Any]) -> None:
    if stored["weights"] == "published":
        raise ObservationError(
            f"{stored['id']!r} is published circuits without its network's weights: it cannot be "
            f"shown stimuli.\nSearch its kernels (circuitkb find {DEFAULT}), or load and observe a "
            "network, as in: circuitkb load efficientnet_lite0"
        )


def _with_pixels(network: Network, values: tuple[Level, Level]) -> Network:
    from circuitkb.loaders.sources.pixels import PixelRange

    black, white = values
    given = PixelRange.of_levels(black, white, channels=network.example.shape[1])
    return replace(network, pixels=replace(given, order=network.pixels.order))


def _battery(network: Network, views: Sequence[View]) -> Battery:
    from circuitkb.observation.stimuli.battery import battery

    extent = min(min(view.rows, view.columns) for view in views)
    shown = battery(channels=network.example.shape[1], extent=extent)
    if len(shown) < FEWEST_STIMULI:
        raise ObservationError(
            f"Images of {extent} pixels can show {len(shown)} stimuli of the battery, too few to "
            "tell anything of a unit."
        )
    return shown


def _settings(network: Network, views: Sequence[View], *, seed: int) -> dict[str, Any]:
    from circuitkb.observation.recording import VERSION

    return {
        "version": VERSION,
        "seed": seed,
        "black": list(network.pixels.black),
        "white": list(network.pixels.white),
        # Only where it is another one than in all observations of before.
        **({"order": list(network.pixels.order)} if network.pixels.order else {}),
        "views": [
            {
                "rows": view.rows,
                "columns": view.columns,
                "centre": list(view.centre),
                "layers": len(view.places),
            }
            for view in views
        ],
    }


def _is_that_of(responses: Responses, battery: Battery, settings: Mapping[str, Any]) -> bool:
    kept = {name: value for name, value in responses.settings.items() if name != "created"}
    return (
        responses.battery == battery.name
        and responses.stimuli == tuple(item.id for item in battery.stimuli)
        and kept == settings
    )


def _workspace(model: str) -> str:
    # A model's name may have the greatest length that a name can have.
    return f"observe-{content_hash(model)[:16]}"


def _record(
    store: Store,
    model: str,
    network: Network,
    views: Sequence[View],
    battery: Battery,
    read: Places,
    settings: Mapping[str, Any],
    seed: int,
    progress: Progress,
) -> Recording:
    from circuitkb.loaders.activations.reading import look
    from circuitkb.observation.recording import record

    looks = []
    for place, view in enumerate(views):
        shown = f"for images of {view.rows} x {view.columns}"
        progress(f"{model}: tracing {shown}", PLANNING * (0.7 + 0.3 * place / len(views)))
        looks.append(look(network, view))
    recording = record(
        network,
        battery,
        looks,
        store.workspace(_workspace(model)),
        second_stimuli=read,
        seed=seed,
        settings=settings,
        progress=within(progress, PLANNING, SHOWING, f"{model}: {{}}"),
    )
    dated = dict(settings) | {"created": now()}
    return replace(recording, responses=replace(recording.responses, settings=dated))


def _worst_off_centre(views: Sequence[View]) -> float:
    distances = [place.off_centre for view in views for place in view.places.values()]
    return max((d for d in distances if not math.isnan(d)), default=0.0)


def _rows(
    store: Store,
    stored: Mapping[str, Any],
    responses: Responses,
    found: Measurements,
    views: Sequence[View],
    summary: Mapping[str, Any],
    seconds: float,
) -> GraphRows:
    from circuitkb.observation.measures.rows import measurement_rows

    model = stored["id"]
    rows = measurement_rows(
        found,
        model=model,
        fingerprint=stored["fingerprint"],
        created=str(responses.settings["created"]),
    )
    nodes = {
        "Layer": node_table("Layer", rows_of(_layers(store, model, views))),
        "Import": import_node(
            f"observe:{model}",
            "observe",
            source=summary["battery"],
            model=model,
            seconds=seconds,
            summary=summary,
        ),
    }
    return replace(rows, nodes={**rows.nodes, **nodes}, responses={model: responses})


def _layers(store: Store, model: str, views: Sequence[View]) -> list[dict[str, Any]]:
    answer = store.read(
        "MATCH (l:Layer {model: $model}) RETURN l.id AS id, l.model AS model, l.name AS name, "
        "l.position AS position, l.kind AS kind, l.channels AS channels ORDER BY position, id",
        {"model": model},
        limit=None,
    )
    places = {layer: place for view in views for layer, place in view.places.items()}
    return [
        record
        | {
            "receptive_field": places[record["name"]].side,
            "off_centre": places[record["name"]].off_centre,
        }
        for record in answer.to_dicts()
        if record["name"] in places
    ]


def _summary(store: Store, model: str) -> dict[str, Any]:
    """Return what was said of an observation that was done before."""
    answer = store.read(
        "MATCH (i:Import {id: $id}) RETURN i.summary AS summary", {"id": f"observe:{model}"}
    )
    summary: dict[str, Any] = json.loads(answer.rows[0][0])
    return summary


def _report(
    model: str,
    summary: Mapping[str, Any],
    measures: Sequence[Measure],
    *,
    seconds: float,
    created: bool,
) -> ObserveReport:
    counted = [measure.counted for measure in measures if measure.counted in summary]
    same = ("battery", "stimuli", "units", "silent", "off_centre", "pixels_known", "resumed")
    return ObserveReport(
        model=model,
        created=created,
        images=tuple(summary["images"]),
        counts={name: summary[name] for each in counted for name in (each, f"{each}_shuffled")},
        seconds=seconds,
        **{name: summary[name] for name in same},
    )
