"""The part of an observation that needs no store: a network shown the battery, in any process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from circuitkb.kb.reopening import reopen
from circuitkb.results.reports import ObserveReport
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.progress import Progress, within
from circuitkb.workers.tasks import Done

if TYPE_CHECKING:
    from torch import nn

    from circuitkb.loaders.activations.reading import Onlooker
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.receptive_fields.views import View
    from circuitkb.loaders.sources.pixels import Level
    from circuitkb.observation.measures.measure import Measure, Places
    from circuitkb.observation.measures.rows import Measurements
    from circuitkb.observation.recording import Recording
    from circuitkb.observation.stimuli.battery import Battery
    from circuitkb.schema.responses import Responses
    from circuitkb.schema.tables import GraphRows

PLANNING, SHOWING, MEASURING = 0.06, 0.9, 0.94
"""Shares after which a network is planned, shown the battery, and its further copies are."""

FEWEST_STIMULI = 100
"""Smaller images, which can show fewer, tell nothing of a unit."""


@dataclass(frozen=True)
class Wanted:
    """How networks are to be observed; see :meth:`circuitkb.KnowledgeBase.observe`."""

    source: str | None
    architecture: str | None
    module: nn.Module | None
    pixels: tuple[Level, Level] | None
    seed: int


@dataclass(frozen=True)
class Known:
    """What a knowledge base knows of a model that is to be observed.

    Attributes
    ----------
    model, layers
        Its properties, and those of its layers in order.
    battery, stimuli, settings
        Of an earlier observation that is kept; empty where none is.
    summary
        What was said of that.
    seconds
        How long that took.
    responses
        Those of the earlier observation, where a measure was not asked then.
    workspace
        A folder for the unfinished work; made when it is needed.
    """

    wanted: Wanted
    model: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]
    battery: str
    stimuli: tuple[str, ...]
    settings: Mapping[str, Any]
    summary: Mapping[str, Any]
    workspace: Path
    seconds: float = 0.0
    responses: Responses | None = None


def observe(known: Known, progress: Progress) -> Done:
    """Show the battery to a model, unless that was done; return its rows and a report.

    Raises
    ------
    ObservationError, SourceError
        It cannot be observed, or opened.
    """
    from circuitkb.loaders.receptive_fields.views import plan_views
    from circuitkb.observation.further_copies import COPIES, has_early
    from circuitkb.observation.measures.measure import measures
    from circuitkb.observation.measuring import measure_recording, missing, usable
    from circuitkb.observation.recording import Recording

    start = perf_counter()
    model, wanted = known.model["id"], known.wanted
    progress(f"{model}: opening", 0.0)
    network = reopen(known.model, wanted.source, wanted.architecture, wanted.module)
    if wanted.pixels is not None:
        network = with_pixels(network, wanted.pixels)
    planning = within(progress, 0.2 * PLANNING, 0.7 * PLANNING, f"{model}: {{}}")
    views = plan_views(network.module, network.example, progress=planning)
    battery = _battery(network, views)
    settings = _settings(network, views, seed=wanted.seed)
    asked, read = usable(measures(), battery.stimuli)
    copies = COPIES if has_early(views) else 0
    done = _is_done(known, battery, settings) and known.summary.get("further_copies", 0) == copies
    new = missing(asked, known.summary) if done else asked
    if not new:
        # The user may have said now what was assumed then.
        said = {**known.summary, "pixels_known": network.pixels.known, "resumed": 0.0}
        seconds = perf_counter() - start
        return Done(None, _report(model, said, asked, seconds=seconds, created=False))
    kept = known.responses if done and all(measure.copies == 1 for measure in new) else None
    looks = _looks(known, network, views, progress) if kept is None or copies else []
    if kept is None:
        new = asked
        recording = _record(known, network, looks, battery, read, settings, progress)
    else:
        recording = Recording.kept(kept)
    if copies:
        recording = _with_further(known, network, looks, battery, recording, progress)
    progress(f"{model}: measuring", MEASURING)
    found = measure_recording(recording, battery.stimuli, new, seed=wanted.seed)
    summary = {
        **(known.summary if kept else {}),
        "battery": battery.name,
        "stimuli": len(battery),
        "images": [f"{view.rows}x{view.columns}" for view in views],
        "units": len(found.responsive),
        "silent": int((~found.responsive).sum()),
        **found.counts,
        "further_copies": copies,
        "by_layer": {**(known.summary.get("by_layer", {}) if kept else {}), **found.by_layer},
        "off_centre": _worst_off_centre(views),
        "pixels_known": network.pixels.known,
        "settings": settings,
        "resumed": round(recording.resumed, 3),
    }
    seconds = perf_counter() - start
    took = seconds + (known.seconds if kept else 0)
    rows = _rows(known, recording.responses, found, views, summary, took)
    if kept is not None:
        rows = replace(rows, responses={})
    return Done(rows, _report(model, summary, asked, seconds=seconds, created=True))


def with_pixels(network: Network, values: tuple[Level, Level]) -> Network:
    """Return a network that reads what a user says for black and for white."""
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


def _is_done(known: Known, battery: Battery, settings: Mapping[str, Any]) -> bool:
    kept = {name: value for name, value in known.settings.items() if name != "created"}
    return (
        known.battery == battery.name
        and known.stimuli == tuple(item.id for item in battery.stimuli)
        and kept == settings
    )


def _looks(
    known: Known, network: Network, views: Sequence[View], progress: Progress
) -> list[Onlooker]:
    from circuitkb.loaders.activations.reading import look

    looks = []
    for place, view in enumerate(views):
        shown = f"for images of {view.rows} x {view.columns}"
        said = f"{known.model['id']}: tracing {shown}"
        progress(said, PLANNING * (0.7 + 0.3 * place / len(views)))
        looks.append(look(network, view))
    return looks


def _with_further(
    known: Known,
    network: Network,
    looks: Sequence[Onlooker],
    battery: Battery,
    recording: Recording,
    progress: Progress,
) -> Recording:
    """Show the battery to further copies of early layers: their seeds follow those of the two."""
    from circuitkb.observation.further_copies import COPIES, further_copies
    from circuitkb.observation.recording import calibration

    first = known.wanted.seed + 2
    further = further_copies(
        network,
        battery,
        looks,
        sample=calibration(len(battery)),
        seeds=range(first, first + COPIES),
        progress=within(progress, SHOWING, MEASURING, f"{known.model['id']}: {{}}"),
    )
    return replace(recording, further=further)


def _record(
    known: Known,
    network: Network,
    looks: Sequence[Onlooker],
    battery: Battery,
    read: Places,
    settings: Mapping[str, Any],
    progress: Progress,
) -> Recording:
    from circuitkb.observation.recording import record

    model, seed = known.model["id"], known.wanted.seed
    known.workspace.mkdir(parents=True, exist_ok=True)
    recording = record(
        network,
        battery,
        looks,
        known.workspace,
        second_stimuli=read,
        seed=seed,
        settings=settings,
        progress=within(progress, PLANNING, SHOWING, f"{model}: {{}}"),
    )
    from circuitkb.schema.provenance import now

    dated = dict(settings) | {"created": now()}
    return replace(recording, responses=replace(recording.responses, settings=dated))


def _worst_off_centre(views: Sequence[View]) -> float:
    distances = [place.off_centre for view in views for place in view.places.values()]
    return max((d for d in distances if not math.isnan(d)), default=0.0)


def _rows(
    known: Known,
    responses: Responses,
    found: Measurements,
    views: Sequence[View],
    summary: Mapping[str, Any],
    seconds: float,
) -> GraphRows:
    from circuitkb.observation.measures.rows import measurement_rows
    from circuitkb.schema.provenance import import_node
    from circuitkb.schema.tables import node_table, rows_of

    model = known.model["id"]
    rows = measurement_rows(
        found,
        model=model,
        fingerprint=known.model["fingerprint"],
        created=str(responses.settings["created"]),
        again=known.summary,
    )
    nodes = {
        "Layer": node_table("Layer", rows_of(_layers(known, views))),
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


def _layers(known: Known, views: Sequence[View]) -> list[dict[str, Any]]:
    places = {layer: place for view in views for layer, place in view.places.items()}
    return [
        {
            **record,
            "receptive_field": places[record["name"]].side,
            "off_centre": places[record["name"]].off_centre,
        }
        for record in known.layers
        if record["name"] in places
    ]


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
