"""Cut-outs on backgrounds shown to a model, and the circuits found in it tested on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from circuitkb.kb.observing import Wanted, with_pixels
from circuitkb.kb.reopening import reopen
from circuitkb.observation.kept import pixels_as_observed
from circuitkb.observation.photographs.files import listed
from circuitkb.results.composites_report import CompositesReport, table_of
from circuitkb.results.result import Result
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.pictures import Pictures
from circuitkb.schema.progress import Progress, parts, within
from circuitkb.schema.provenance import import_node, now
from circuitkb.schema.responses import rows_of_layers
from circuitkb.schema.tables import GraphRows
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.loaders.activations.editing.network import EditedNetwork
    from circuitkb.loaders.activations.reading import Onlooker
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.receptive_fields.views import View
    from circuitkb.observation.stimuli.composites import Composites
    from circuitkb.trials.on_composites import Asked

VERSION = "1"

NAME = "composites"
"""What the keys of these batches begin with, after the model."""

MOST_NUMBERS = 150_000_000
"""Units times composites of one placement; each takes 16 bytes, for less than 3 GB together."""

DEPTHS = ("early layers", "middle layers", "late layers")

_OPENED, _COPIED, _TESTED = 0.05, 0.1, 0.98

_CIRCUITS = """
MATCH (c:Circuit {origin: 'found', model: $model})
WHERE c.motif IN ['union', 'mirrored-inputs'] AND $of IN c.of
MATCH (c)<-[m:MEMBER_OF]-(f:Feature)
RETURN c.id AS id, c.motif AS motif, c.trial AS trial,
  collect(CASE WHEN m.side IS NULL THEN f.id END) AS targets,
  collect(CASE m.side WHEN 1 THEN f.id END) AS ones,
  collect(CASE m.side WHEN 2 THEN f.id END) AS others
ORDER BY id
"""


@dataclass(frozen=True)
class Circuit:
    """A found circuit: its id, motif, how its trial ended, its target and its cases, by side."""

    id: str
    motif: str
    trial: str | None
    members: tuple[str, str, str]


def circuits_of(store: Store, model: str, of: str) -> list[Circuit]:
    """Return the circuits of one target and two cases that were found in a model.

    Raises
    ------
    ObservationError
        There are none.
    """
    rows = store.read(_CIRCUITS, {"model": model, "of": of}, limit=None).to_dicts()
    found = [
        Circuit(row["id"], row["motif"], row["trial"], (row["targets"][0], *sides))
        for row in rows
        if (sides := tuple(side[0] for side in (row["ones"], row["others"]) if len(side) == 1))
        and len(row["targets"]) == 1
        and len(sides) == 2
    ]
    if not found:
        raise ObservationError(
            f"No circuits of two cases under {of!r} were found in {model} that composites could "
            f"test: circuitkb find union --model {model}"
        )
    return found


def show_composites(
    store: Store,
    write: Callable[[GraphRows, Progress], None],
    stored: Mapping[str, Any],
    composites: Composites,
    wanted: Wanted,
    *,
    folders: tuple[str, str],
    progress: Progress,
) -> CompositesReport:
    """Show composites to a model, unless that was done, test its circuits and write that.

    Parameters
    ----------
    write
        Writes rows into the store.
    stored
        What the graph says of the model.
    folders
        What the folders of the cut-outs and of the backgrounds are called.

    Raises
    ------
    ObservationError, SourceError
        It cannot be observed, or opened; or it has no circuits.
    TrialError
        It cannot be run with edges changed.
    """
    from circuitkb.loaders.activations.reading import look
    from circuitkb.loaders.receptive_fields.views import plan_views

    start = perf_counter()
    model = stored["id"]
    circuits = circuits_of(store, model, composites.of)
    progress(f"{model}: opening", 0.0)
    network = _opened(store, stored, wanted)
    key = f"{model}/{NAME}@{composites.hash}"
    settings = _settings(network, circuits, wanted.seed)
    before = store.pictures(key)
    if before is not None and all(before.about.get(name) == settings[name] for name in settings):
        seconds = perf_counter() - start
        return _report(before, composites, network, created=False, seconds=seconds)
    views = plan_views(network.module, network.example)
    shown = composites.seen_in(views, network.example.shape[1])
    progress(f"{model}: tracing", 0.5 * _OPENED)
    testing = _Testing(store, stored, network, views, [look(network, v) for v in views], shown)
    testing.check()
    tells = parts(within(progress, _OPENED, _TESTED, f"{model}: {{}}"), 1 + len(shown.placements))
    copies = testing.copies(wanted.seed, tells[0])
    tables, arrays = [], {}
    for number, tell in enumerate(tells[1:]):
        asked = testing.ask(shown.of_placement(number), copies, circuits, wanted.seed, tell)
        tables += _table(asked, circuits, testing.depths(circuits), model, shown, number)
        for place, one in enumerate(asked.values()):
            arrays[f"value_{number}_{place}"] = one.value
            arrays[f"holds_{number}_{place}"] = one.holds.astype(np.uint8)
    batch = Pictures(
        key,
        {
            "what": NAME,
            "said": f"{len(circuits):,} circuits; {len(shown.cut_outs):,} cut-outs of "
            f"{folders[0]!r} on {len(shown.backgrounds):,} backgrounds of {folders[1]!r}; "
            f"seed {wanted.seed}.",
            "folders": list(folders),
            "fingerprint": stored["fingerprint"],
            "created": now(),
            "cut_outs": [[file.sha256, file.name] for file in shown.cut_outs],
            "backgrounds": [[file.sha256, file.name] for file in shown.backgrounds],
            "placements": [str(one) for one in shown.placements],
            "table": tables,
            **settings,
        },
        arrays,
    )
    report = _report(batch, composites, network, created=True, seconds=perf_counter() - start)
    write(_rows(batch, stored, report), within(progress, _TESTED, 1.0))
    return report


def _opened(store: Store, stored: Mapping[str, Any], wanted: Wanted) -> Network:
    """Open a network, which reads black and white as is said, else as it was observed."""
    network = reopen(stored, wanted.source, wanted.architecture, wanted.module)
    if wanted.pixels is not None:
        return with_pixels(network, wanted.pixels)
    kept = store.responses(stored["id"])
    if kept is None:
        return network
    return replace(network, pixels=pixels_as_observed(network.pixels, kept))


def _settings(network: Network, circuits: Sequence[Circuit], seed: int) -> dict[str, Any]:
    return {
        "version": VERSION,
        "seed": seed,
        "black": list(network.pixels.black),
        "white": list(network.pixels.white),
        "order": list(network.pixels.order),
        "circuits": [[one.id, one.motif, one.trial] for one in circuits],
    }


@dataclass(frozen=True, eq=False)
class _Testing:
    """A network that is shown composites, and what tests its circuits.

    ``onlookers`` read all its layers, each layer once, in the ways of looking of ``views``.
    """

    store: Store
    stored: Mapping[str, Any]
    network: Network
    views: Sequence[View]
    onlookers: Sequence[Onlooker]
    composites: Composites

    @property
    def layers(self) -> dict[str, slice]:
        return rows_of_layers([item for look in self.onlookers for item in look.units.items()])

    def check(self) -> None:
        """Refuse what would not fit into memory."""
        units = max(rows.stop for rows in self.layers.values())
        one = len(self.composites) // len(self.composites.placements)
        if units * one > MOST_NUMBERS:
            raise ObservationError(
                f"{one:,} composites of one placement for {units:,} units are too many to hold: "
                f"give at most {MOST_NUMBERS // units:,}, with fewer cut-outs or backgrounds."
            )

    def copies(self, seed: int, progress: Progress) -> list[Onlooker]:
        """Return the network with shuffled weights, with its own moments on some composites."""
        from circuitkb.observation.recording import calibration

        some = calibration(len(self.composites))
        found = []
        tells = parts(progress, len(self.onlookers))
        for onlooker, view, tell in zip(self.onlookers, self.views, tells, strict=True):
            drawn = self.composites.images(
                some, rows=view.rows, columns=view.columns, centre=view.centre
            )
            read = self.network.pixels.apply(drawn)
            found += onlooker.shuffled(read, seeds=[seed], progress=tell)
        return found

    def ask(
        self,
        shown: Composites,
        copies: Sequence[Onlooker],
        circuits: Sequence[Circuit],
        seed: int,
        progress: Progress,
    ) -> dict[str, Asked]:
        """Ask all of the circuits on the composites of one placement."""
        from circuitkb.trials.on_composites import answers_to, compare, over_cut_outs, try_on
        from circuitkb.trials.showing import Shown

        told = parts(progress, 3)
        layers = self.layers
        rows = np.array([[self._row(id) for id in one.members] for one in circuits], np.intp)
        pixels = self.network.pixels
        before, after = answers_to(self.onlookers, shown, pixels, told[0])
        of_copy = over_cut_outs(answers_to(copies, shown, pixels, told[1])[1], shown, layers)
        found = compare(over_cut_outs(after, shown, layers), of_copy, rows, seed=seed)
        connections = self.store.kernels(self.stored["id"])
        trial = try_on(
            after,
            before,
            shown,
            layers,
            rows,
            connections,
            Shown(self._edited, shown, pixels),
            seed=seed,
            progress=told[2],
        )
        return {**found, **trial}

    @cached_property
    def _edited(self) -> EditedNetwork:
        from circuitkb.loaders.activations.editing.network import EditedNetwork

        return EditedNetwork(self.network, self.views)

    def _row(self, id: str) -> int:
        feature = FeatureId.parse(id)
        return int(self.layers[feature.layer].start + feature.unit)

    def depths(self, circuits: Sequence[Circuit]) -> list[str]:
        """Return for each circuit in which third of the network's layers its target is."""
        answer = self.store.read(
            "MATCH (l:Layer {model: $model}) RETURN l.name AS name ORDER BY l.position, name",
            {"model": self.stored["id"]},
            limit=None,
        )
        names = [name for (name,) in answer.rows]
        place = {name: 3 * number // len(names) for number, name in enumerate(names)}
        return [DEPTHS[place[FeatureId.parse(one.members[0]).layer]] for one in circuits]


def _table(
    asked: Mapping[str, Asked],
    circuits: Sequence[Circuit],
    depths: Sequence[str],
    model: str,
    shown: Composites,
    number: int,
) -> list[dict[str, Any]]:
    """Return the rows of one placement; those of the first are divided by kind, trial and depth."""
    motifs, trials = ([getattr(one, name) for one in circuits] for name in ("motif", "trial"))
    groups = {"all": np.ones(len(circuits), bool)}
    if number == 0:
        groups |= {name: np.array(motifs) == name for name in ("union", "mirrored-inputs")}
        groups |= {
            f"trial {name} on the battery": np.array(trials) == name for name in ("held", "failed")
        }
        groups |= {name: np.array(depths) == name for name in DEPTHS}
    return [
        {
            "model": model,
            "placement": str(shown.placements[number]),
            "among": among,
            "circuits": int(chosen.sum()),
            "measure": measure,
            **_counts(one, chosen),
        }
        for among, chosen in groups.items()
        for measure, one in asked.items()
        if chosen.any()
    ]


def _counts(one: Asked, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    hold = int(one.holds[chosen].sum())
    null = (one.null & one.tested)[:, chosen].sum(axis=1)
    reached = 1 + (null >= hold).sum()
    value = one.value[chosen & one.tested]
    return {
        "tested": int(one.tested[chosen].sum()),
        "hold": hold,
        "chance": round(float(null.mean()), 2) if len(null) else None,
        "shuffled": None if one.copy is None else int((one.copy & one.tested)[chosen].sum()),
        "p": round(float(reached) / (1 + len(null)), 4) if len(null) > 1 else None,
        "median": round(float(np.median(value)), 3) if len(value) else None,
    }


def _report(
    batch: Pictures, composites: Composites, network: Network, *, created: bool, seconds: float
) -> CompositesReport:
    return CompositesReport(
        model=batch.model,
        key=batch.key,
        created=created,
        cut_outs=len(batch.about["cut_outs"]),
        backgrounds=len(batch.about["backgrounds"]),
        composites=len(composites),
        circuits=len(batch.about["circuits"]),
        left_out=len(composites.left_out),
        left_out_files=listed(composites.left_out),
        rows=tuple(batch.about["table"]),
        pixels_known=network.pixels.known,
        seconds=seconds,
    )


def _rows(batch: Pictures, stored: Mapping[str, Any], report: CompositesReport) -> GraphRows:
    names = ("cut_outs", "backgrounds", "composites", "circuits", "left_out")
    summary = {name: getattr(report, name) for name in names}
    provenance = import_node(
        f"{NAME}:{batch.key}",
        NAME,
        source=" on ".join(batch.about["folders"]),
        model=stored["id"],
        seconds=report.seconds,
        summary={**summary, "seed": batch.about["seed"], "key": batch.key},
    )
    return GraphRows(nodes={"Import": provenance}, pictures={batch.key: batch})


def kept_table(store: Store, models: Sequence[str]) -> Result:
    """Return the tables of all observations of composites of some models."""
    rows: list[Mapping[str, Any]] = []
    notes = []
    for model in models:
        for key in store.picture_keys(model):
            batch = store.pictures(key) if key.startswith(f"{model}/{NAME}@") else None
            if batch is not None and isinstance(batch.about.get("table"), list):
                rows += batch.about["table"]
                notes.append(f"{key}: {batch.about.get('said')}")
    if not rows:
        notes.append(
            "No circuits were tested on composites: circuitkb observe MODEL --cut-outs DIR "
            "--backgrounds DIR"
        )
    return table_of(rows, notes)
