"""Measures that failed: how many units pass them, in networks and in shuffled copies of these.

Run it on a knowledge base of observed networks: ``python benchmarks/failed_measures.py STORE
[MODEL ...]``. Each criterion is a :class:`~circuitkb.observation.measures.measure.Measure` that is
tested as those that stand in the knowledge base are, against the kept copy (Benjamini-Hochberg, 5%,
in each layer), with every second unit of the copy against the others as control. Nothing is
written, and no network is shown anything, but for ``--line-ends``: the battery has none, so that
opens the networks, draws bars that end in the centre, and shows them to network and copy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import circuitkb as ckb
from circuitkb.observation.kept import battery_of
from circuitkb.observation.measures.agreement import amplitude_of, angle_statistic
from circuitkb.observation.measures.corner import corner_families
from circuitkb.observation.measures.curve_radius import agreement_of
from circuitkb.observation.measures.measure import Measure, Measured, Words
from circuitkb.observation.measures.tuning import (
    Family,
    family_of,
    grey_of,
    stimuli_of,
    tuning_curves,
)
from circuitkb.observation.measuring import measure_recording
from circuitkb.observation.recording import Recording
from circuitkb.observation.stimuli.stimulus import Stimulus
from circuitkb.schema.responses import ResponseArray, Responses

COLUMNS = ("asked", "network", "tested", "passed", "layers", "control")
WAVELENGTHS = (8, 16, 32, 64)
RADII = (2, 4, 8, 16, 32, 64)

Stimuli = Sequence[Stimulus]
Which = Callable[[Stimulus], bool]
Level = Callable[[Stimulus], float]


def kind(name: str, **wanted: float) -> Which:
    """Return what says whether a stimulus is of a kind, with these parameters."""
    return lambda item: (
        item.kind == name and all(item.number(each) == value for each, value in wanted.items())
    )


def number(name: str) -> Level:
    """Return what reads a parameter."""
    return lambda item: item.number(name)


def coarse(name: str, limit: float) -> Level:
    """Return what says whether a parameter is above a limit."""
    return lambda item: float(item.number(name) > limit)


Drawn = Sequence[tuple[Which, Level] | tuple[Which, Level, Level]]
"""For each family, its stimuli, their level of what is asked, and their scale if they have one."""


def families(drawn: Drawn, stimuli: Stimuli) -> tuple[Family, ...]:
    """Return families of stimuli."""
    found = []
    for which, level, *scale in drawn:
        given = {"scale": scale[0]} if scale else {}
        found.append(family_of("family", stimuli, which=which, level=level, **given))
    return tuple(found)


def levels_that_agree(drawn: Drawn, responses: ResponseArray, stimuli: Stimuli) -> Measured:
    """Agreement times amplitude, where levels all differ alike."""
    read = families(drawn, stimuli)
    curves = tuning_curves(responses, stimuli, read)
    amplitude = amplitude_of(curves, responses[:, stimuli_of(read, stimuli)])
    return Measured(agreement_of(curves) * amplitude)


def angles_that_agree(drawn: Drawn, responses: ResponseArray, stimuli: Stimuli) -> Measured:
    """Agreement times amplitude, where levels are angles."""
    read = families(drawn, stimuli)
    return Measured(angle_statistic(responses, stimuli, read, period=360).statistic)


def centre_against_surround(responses: ResponseArray, stimuli: Stimuli) -> Measured:
    """What its best spot excites, or a ring around that inhibits, if that is less."""
    grey = responses[:, [grey_of(stimuli)]].astype(np.float32)
    places = {(s.kind, s.number("radius"), s.number("polarity")): i for i, s in _around(stimuli)}
    spread = responses[:, [*places.values(), grey_of(stimuli)]].std(axis=1, dtype=np.float64)
    best = np.full(len(responses), -np.inf)
    for polarity in (1, -1):
        spots, rings = (
            responses[:, [places[name, radius, polarity] for radius in radii]] - grey
            for name, radii in (("spot", RADII[:5]), ("ring", RADII[1:]))
        )
        size = spots.argmax(axis=1)
        larger = np.arange(len(RADII) - 1) >= size[:, None]
        surround = np.where(larger, rings, np.inf).min(axis=1)
        best = np.maximum(best, np.minimum(spots.max(axis=1), -surround))
    return Measured(np.divide(best, spread, out=np.zeros(len(best)), where=spread > 0))


def _around(stimuli: Stimuli) -> list[tuple[int, Stimulus]]:
    return [(i, item) for i, item in enumerate(stimuli) if item.kind in ("spot", "ring")]


def _is_hue(name: str, **wanted: float) -> Which:
    return lambda item: kind(name, **wanted)(item) and item.number("hue") % 30 == 0


def _grey_noise(item: Stimulus) -> bool:
    return item.kind == "noise" and item.parameters["channels"] == "grey" and _far(item)


def _far(item: Stimulus) -> bool:
    return item.number("smoothing") != 2


def _pair(colours: str) -> Which:
    return lambda item: item.kind == "colour edge" and item.parameters["pair"] == colours


def _wave(wavelengths: Sequence[float]) -> Which:
    return lambda item: item.kind == "grating" and item.number("wavelength") in wavelengths


def _board(item: Stimulus) -> bool:
    return item.kind == "checkerboard" and item.number("wavelength") in (8, 64)


DIRECTION, POLARITY = number("direction"), number("polarity")

LEVELS: Mapping[str, Drawn] = {
    "spatial frequency": (
        (_wave(WAVELENGTHS), number("wavelength"), number("orientation")),
        (kind("checkerboard"), number("wavelength")),
    ),
    "polarity": (
        (kind("line"), POLARITY, number("width")),
        (kind("arc"), POLARITY, number("radius")),
        (kind("spot"), POLARITY, number("radius")),
    ),
    "texture against smooth": (
        (_grey_noise, coarse("smoothing", 2)),
        (_board, coarse("wavelength", 16)),
        (_wave((4, 8, 64)), coarse("wavelength", 16)),
    ),
}

ANGLES: Mapping[str, Drawn] = {
    "hue": (
        (_is_hue("hue"), number("hue")),
        (_is_hue("hue spot", radius=8), number("hue")),
        (_is_hue("hue spot", radius=24), number("hue")),
    ),
    "direction of colour edges": tuple(
        (_pair(pair), DIRECTION) for pair in ("red/green", "blue/yellow")
    ),
    "high-low frequency": tuple(
        (kind("high-low frequency", wavelength=each), DIRECTION) for each in (4, 8)
    ),
}


def corner(responses: ResponseArray, stimuli: Stimuli) -> Measured:
    """As the measure of corners, without edges and lines taken off."""
    read = corner_families(stimuli)
    return Measured(angle_statistic(responses, stimuli, read, period=360).statistic)


def measure(name: str, of: Callable[[ResponseArray, Stimuli], Measured]) -> Measure:
    """Return a criterion as a measure that nothing writes down."""
    return Measure(
        name=name,
        kind=name,
        version="0",
        counted=name,
        properties=(),
        reads=lambda stimuli: np.arange(len(stimuli)),
        of=of,
        copies=1,
        neutral_evidence=False,
        words=Words(title=name, passed=name, asked=name),
    )


CRITERIA: Mapping[str, Callable[[ResponseArray, Stimuli], Measured]] = {
    **{name: partial(levels_that_agree, drawn) for name, drawn in LEVELS.items()},
    **{name: partial(angles_that_agree, drawn) for name, drawn in ANGLES.items()},
    "corner, edges and lines left in": corner,
    "centre-surround": centre_against_surround,
}


def counted(name: str, model: str, recording: Recording, stimuli: Stimuli, of: Any) -> list[str]:
    """Return a row of the table."""
    measurements = measure_recording(recording, stimuli, [measure(name, of)], seed=0)
    found, control = measurements.found[name], measurements.control[name]
    layers = measurements.by_layer[name].values()
    numbers = int(found.testable.sum()), int(found.passed.sum())
    passing = sum(layer["passed"] > 0 for layer in layers)
    return [name, model, *(str(each) for each in (*numbers, passing, control))]


def line_ends(responses: Responses, model: str) -> tuple[Recording, list[Stimulus], Any]:
    """Show a network and its copy bars that end in the centre; return it with the criterion.

    Bright and dark bars must agree on where they lie, beyond what any straight line or edge of the
    battery gives.
    """
    from circuitkb.loaders.activations.reading import look
    from circuitkb.loaders.receptive_fields.views import plan_views
    from circuitkb.loaders.sources.opening import open_network
    from circuitkb.observation.kept import as_observed
    from circuitkb.observation.recording import calibration
    from circuitkb.observation.stimuli.stimulus import stimulus

    network = open_network(model)
    views = plan_views(network.module, network.example)
    pixels = as_observed(network, views, responses).pixels
    shown = battery_of(responses)
    straight = [i for i, s in enumerate(shown.stimuli) if s.kind in ("line", "edge")]
    kept = np.array([*straight, grey_of(shown.stimuli)])
    bars = [
        stimulus("bar", direction=direction, width=width, polarity=polarity)
        for direction in range(0, 360, 15)
        for width in (2, 5)
        for polarity in (1, -1)
    ]
    sides: list[list[NDArray[np.float32]]] = [[], [], [], []]
    for view in views:
        seen = look(network, view)
        size = {"rows": view.rows, "columns": view.columns, "centre": view.centre}
        sample = pixels.apply(shown.images(calibration(len(shown)), **size))
        (copy,) = seen.shuffled(sample, seeds=[responses.settings["seed"]])
        images = pixels.apply(np.stack([_bar(item, **size) for item in bars]))
        for side, answers in enumerate((*seen.responses(images), *copy.responses(images))):
            sides[side].append(answers.T)
    old = (
        responses.before,
        responses.after,
        responses.shuffled_before,
        responses.shuffled_after,
    )
    order = [name for view in views for name in view.places]
    assert order == [name for name, _ in responses.layers]
    joined = [
        np.concatenate([np.concatenate(new), np.asarray(array)[:, kept]], axis=1).astype(np.float32)
        for new, array in zip(sides, old, strict=True)
    ]
    stimuli = [*bars, *(shown.stimuli[i] for i in kept)]
    made = replace(
        responses,
        stimuli=tuple(item.id for item in stimuli),
        before=joined[0],
        after=joined[1],
        shuffled_before=joined[2],
        shuffled_after=joined[3],
    )
    floor = np.arange(len(bars), len(stimuli) - 1)

    def of(answers: ResponseArray, stimuli: Stimuli) -> Measured:
        read = families(
            [(kind("bar", polarity=each), DIRECTION, number("width")) for each in (1, -1)], stimuli
        )
        return Measured(angle_statistic(answers, stimuli, read, period=360, floor=floor).statistic)

    return Recording.kept(made), stimuli, of


def _bar(
    item: Stimulus, *, rows: int, columns: int, centre: tuple[float, float]
) -> NDArray[np.float32]:
    """Draw a bar that runs from the centre in its direction; its end is as sharp as its sides."""
    row, column = np.mgrid[:rows, :columns].astype(np.float64)
    angle = np.deg2rad(item.number("direction"))
    x, y = column - centre[1], centre[0] - row
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    profile = np.exp(-0.5 * (across / item.number("width")) ** 2) / (1 + np.exp(-2 * along))
    grey = 0.5 + 0.4 * item.number("polarity") * profile
    return np.repeat(grey[None], 3, axis=0).astype(np.float32)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--line-ends", action="store_true")
    arguments = parser.parse_args()
    kb = ckb.open(arguments.store)
    names = arguments.models or kb.store.read("MATCH (m:Model) RETURN m.id ORDER BY m.id").rows
    print("| " + " | ".join(COLUMNS) + " |")
    print("|---" * len(COLUMNS) + "|")
    for name in (each if isinstance(each, str) else each[0] for each in names):
        responses = kb.store.responses(name)
        if responses is None:
            continue
        stimuli = battery_of(responses).stimuli
        recording = Recording.kept(responses)
        for asked, of in CRITERIA.items():
            print(f"| {' | '.join(counted(asked, name, recording, stimuli, of))} |", flush=True)
        if arguments.line_ends:
            print(f"| {' | '.join(counted('line ends', name, *line_ends(responses, name)))} |")


if __name__ == "__main__":
    main()
