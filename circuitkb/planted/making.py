"""``circuitkb planted make``: a folder of networks with planted circuits, and the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from circuitkb.planted.files import (
    NETWORKS,
    TRUTH,
    Asked,
    Circuit,
    Network,
    Networks,
    Planted,
    Truth,
    sha256,
    write,
    write_schemas,
)
from circuitkb.results.result import Result
from circuitkb.schema.errors import SourceError
from circuitkb.schema.progress import Progress, silent

if TYPE_CHECKING:
    from circuitkb.loaders.planted.benchmark.assembly import Without
    from circuitkb.loaders.planted.benchmark.dials import Cell
    from circuitkb.loaders.planted.benchmark.network import PlantedNetwork

MOST = 40
"""Circuits of a network at most."""


class _Job(NamedTuple):
    kind: str
    cell: Cell
    without: Without
    repeat: int


def make(
    folder: str | Path,
    *,
    kinds: Sequence[str] = (),
    levels: Mapping[str, Sequence[float]] | None = None,
    count: int = 12,
    repeats: int = 1,
    seed: int = 0,
    progress: Progress = silent,
) -> Result:
    """Make a benchmark: networks as ONNX files, ``networks.json`` and ``truth.json``.

    The dials are turned one at a time. Of each kind there are also networks that hold nothing:
    weights shuffled, and drawn at random. Same arguments, same bytes.

    Parameters
    ----------
    folder
        Made anew.
    kinds
        Of circuits; all if none is named.
    levels
        Of each dial, the easiest first; those that are not given stay as they are by default.
    count
        Circuits of each network, and decoys.
    repeats
        Networks for each setting of the dials.
    seed
        Of all draws.

    Returns
    -------
    Result
        One row for each kind: its networks, circuits and decoys.

    Raises
    ------
    SourceError
        The folder is there, an unknown kind, or a setting out of its range.
    """
    from circuitkb.loaders.planted.benchmark.dials import LEVELS, cells
    from circuitkb.loaders.planted.benchmark.kinds import KINDS
    from circuitkb.loaders.planted.benchmark.network import plant
    from circuitkb.loaders.planted.onnx_files import write_module

    folder = Path(folder)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise SourceError(f"There is no kind {unknown[0]!r}; there are: {', '.join(KINDS)}.")
    if not 1 <= count <= MOST:
        raise SourceError(f"count is {count}: it goes from 1 to {MOST}.")
    if repeats < 1:
        raise SourceError(f"repeats is {repeats}: at least 1.")
    if seed < 0:
        raise SourceError(f"seed is {seed}: at least 0.")
    given = {name: levels[name] for name in LEVELS if levels and levels.get(name)}
    settings = list(cells({**LEVELS, **given}))
    if folder.exists():
        raise SourceError(f"{folder} is there already: name a new folder.")
    wanted = list(dict.fromkeys(kinds or KINDS))
    folder.mkdir(parents=True)
    networks: dict[str, Network] = {}
    truths: dict[str, Planted] = {}
    asked: dict[str, Asked] = {}
    for number, kind in enumerate(wanted):
        jobs = list(_jobs(kind, settings, repeats))
        for place, (name, job) in enumerate(zip(_names(kind, len(jobs), seed), jobs, strict=True)):
            progress(f"planting {kind}", (number + place / len(jobs)) / len(wanted))
            made = plant(
                kind,
                job.cell.dials,
                seed=1_000 * seed + place,
                count=count,
                without=job.without,
            )
            file = write_module(
                made.module, folder / f"{name}.onnx", made.input_shape, any_size=False
            )
            networks[name] = _network(made, file)
            truths[name] = _planted(made, job)
            if place == 0:
                asked[kind] = _asked(made)
    progress("planted", 1.0)
    truth = Truth(
        seed=seed,
        count=count,
        repeats=repeats,
        decoys={kind: KINDS[kind].decoy for kind in wanted},
        naive={kind: KINDS[kind].naive for kind in wanted},
        networks=dict(sorted(truths.items())),
    )
    write(folder / TRUTH, truth)
    write_schemas(folder)
    write(
        folder / NETWORKS,
        Networks(
            truth_sha256=sha256(folder / TRUTH),
            kinds=asked,
            networks=dict(sorted(networks.items())),
        ),
    )
    return _summary(wanted, truth)


def _jobs(kind: str, settings: Sequence[Cell], repeats: int) -> Iterator[_Job]:
    for repeat in range(repeats):
        for cell in settings:
            yield _Job(kind, cell, "", repeat)
        yield _Job(kind, settings[0], "shuffled", repeat)
        yield _Job(kind, settings[0], "random", repeat)


def _names(kind: str, count: int, seed: int) -> list[str]:
    """Return names that do not tell the setting of the dials by their order."""
    import numpy as np

    rng = np.random.default_rng([seed, *kind.encode()])
    return [f"{kind}-{1 + place:02d}" for place in rng.permutation(count).tolist()]


def _network(made: PlantedNetwork, file: Path) -> Network:
    shapes = {name: parameter.shape for name, parameter in made.module.named_parameters()}
    layers = {
        name.removesuffix("_convolution.bias"): shape[0]
        for name, shape in shapes.items()
        if name.endswith(".bias")
    }
    return Network(
        file=file.name,
        sha256=sha256(file),
        kind=made.kind.name,
        layers=layers,
        input_shape=made.input_shape,
    )


def _planted(made: PlantedNetwork, job: _Job) -> Planted:
    dials = made.dials
    found = [
        [Circuit(units=each.units, members=each.members) for each in some]
        for some in (made.circuits, made.decoys)
    ]
    return Planted(
        kind=made.kind.name,
        noise=dials.noise,
        strength=dials.strength,
        superposition=dials.superposition,
        dial=job.without or job.cell.dial,
        level=job.without or job.cell.level,
        easy=job.cell.easy,
        without=job.without,
        circuits=tuple(found[0]),
        decoys=tuple(found[1]),
    )


def _asked(made: PlantedNetwork) -> Asked:
    kind = made.kind
    return Asked(
        what=kind.what,
        about=kind.about,
        units=kind.units,
        members=kind.members,
        member_count=kind.count,
        circuits=len(made.circuits),
    )


def _summary(kinds: Sequence[str], truth: Truth) -> Result:
    rows = []
    for kind in kinds:
        own = [each for each in truth.networks.values() if each.kind == kind]
        rows.append(
            {
                "kind": kind,
                "networks": len(own),
                "circuits": sum(len(each.circuits) for each in own),
                "decoys": sum(len(each.decoys) for each in own),
                "empty_networks": sum(bool(each.without) for each in own),
            }
        )
    return Result.of_records(rows)
