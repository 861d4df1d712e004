"""A network shown a folder of pictures, and what was found written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitkb.kb.observing import Wanted, with_pixels
from circuitkb.kb.reopening import reopen
from circuitkb.observation.measures.nulls import RATE
from circuitkb.observation.photographs.classes import NULL_METHOD, comparable, compare_classes
from circuitkb.observation.photographs.files import Found, find_pictures, listed
from circuitkb.observation.photographs.kept import UNLICENSED, VERSION, batch_of, hash_of, key_of
from circuitkb.observation.photographs.showing import show, shuffled_copy
from circuitkb.results.photographs_report import PhotographsReport
from circuitkb.schema.errors import ObservationError
from circuitkb.schema.ids import FeatureId, canonical_json, content_hash
from circuitkb.schema.pictures import Pictures
from circuitkb.schema.progress import Progress, parts, within
from circuitkb.schema.provenance import import_node, now
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table
from circuitkb.stores.base import Store

if TYPE_CHECKING:
    from circuitkb.loaders.composition.network import Network

MOST = 10_000
"""Pictures of an observation."""

MOST_NUMBERS = 200_000_000
"""Units times pictures that are held, in 8 bytes each, where folders name classes."""

KIND = "photograph-class"
"""Kind of the evidence of a unit that prefers a class beyond chance."""

METHOD = (
    "mean answer to the class of pictures that stands out most, in standard deviations of the mean "
    "of as many pictures"
)

_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")

_SUMMARY = (
    "pictures",
    "left_out",
    "copies",
    "units",
    "classes",
    "tested",
    "beyond_chance",
    "by_chance",
    "shuffled",
    "permutations",
    "thumbnails",
    "bytes",
)

_FINDING, _OPENED, _COPIED, _SHOWN, _TESTED = 0.05, 0.12, 0.2, 0.75, 0.95


@dataclass(frozen=True)
class Folder:
    """A folder of pictures, read once for any number of models."""

    name: str
    found: Found

    @classmethod
    def read(cls, path: Path, progress: Progress) -> Folder:
        """Read what is in a folder.

        Raises
        ------
        ObservationError
            There is no such folder, no picture in it, or too many.
        """
        if not path.is_dir():
            raise ObservationError(f"There is no folder {path}.")
        found = find_pictures(path, progress)
        if not found.files:
            raise _no_pictures(path.name, listed(found.left_out))
        if len(found.files) > MOST:
            raise ObservationError(
                f"{path} has {len(found.files):,} pictures, and {MOST:,} are shown at most: give "
                "fewer."
            )
        return cls(path.resolve().name[:100], found)


def photograph(
    store: Store,
    write: Callable[[GraphRows, Progress], None],
    stored: Mapping[str, Any],
    folder: Folder,
    wanted: Wanted,
    *,
    thumbnails: bool,
    license: str | None = None,
    progress: Progress,
) -> PhotographsReport:
    """Show a folder of pictures to a model, unless that was done, and write what was found.

    Parameters
    ----------
    write
        Writes rows into the store.
    stored
        What the graph says of the model.
    thumbnails
        Whether small copies of the best pictures are kept.
    license
        Of the pictures; what was said before if None.

    Raises
    ------
    ObservationError, SourceError
        It cannot be observed, or opened; or no picture can be read.
    """
    from circuitkb.loaders.activations.reading import look
    from circuitkb.loaders.receptive_fields.views import frames, whole_view

    start = perf_counter()
    model, files = stored["id"], folder.found.files
    progress(f"{model}: opening", _FINDING)
    network = reopen(stored, wanted.source, wanted.architecture, wanted.module)
    if wanted.pixels is not None:
        network = with_pixels(network, wanted.pixels)
    key = key_of(model, hash_of(files))
    before = store.pictures(key)
    known = UNLICENSED if before is None else before.about.get("license", UNLICENSED)
    settings = _settings(network, wanted.seed, thumbnails=thumbnails)
    settings["license"] = _checked(license) if license else known
    if before is not None and all(before.about.get(name) == settings[name] for name in settings):
        names = listed(folder.found.left_out)
        seconds = perf_counter() - start
        return _report(model, before, network, left_out=names, created=False, seconds=seconds)
    progress(f"{model}: tracing", 0.5 * (_FINDING + _OPENED))
    view = whole_view(network.module, network.example)
    onlooker = look(network, view)
    groups = comparable([file.group for file in files])
    units = sum(onlooker.units.values())
    if groups and units * len(files) > MOST_NUMBERS:
        raise ObservationError(
            f"{len(files):,} pictures of classes for {units:,} units are too many to compare: give "
            f"at most {MOST_NUMBERS // units:,}."
        )
    tell = within(progress, _OPENED, _COPIED, f"{model}: {{}}")
    copy = None
    if groups:
        copy = shuffled_copy(network, onlooker, files, seed=wanted.seed, progress=tell)
    tell = within(progress, _COPIED, _SHOWN, f"{model}: {{}}")
    shown = show(network, onlooker, files, copy=copy, thumbnails=thumbnails, progress=tell)
    left_out = [*folder.found.left_out, *shown.left_out]
    if not shown.files:
        raise _no_pictures(folder.name, listed(left_out))
    layers = list(onlooker.units.items())
    named = [file.group for file in shown.files]
    classes, control = (
        compare_classes(values, named, layers, seed=wanted.seed, progress=tell)
        for values, tell in zip(
            (shown.largest, shown.of_copy),
            parts(within(progress, _SHOWN, _TESTED, f"{model}: {{}}"), 2),
            strict=True,
        )
    )
    about = {
        "what": "photographs",
        "folder": folder.name,
        "fingerprint": stored["fingerprint"],
        "left_out": len(left_out),
        "copies": folder.found.copies,
        "created": now(),
        **({"shuffled": int(control.beyond_chance.sum())} if control else {}),
        **settings,
    }
    batch = batch_of(key, shown, classes, layers, frames(view), about)
    seconds = perf_counter() - start
    report = _report(
        model, batch, network, left_out=listed(left_out), created=True, seconds=seconds
    )
    write(_rows(batch, stored, report), within(progress, _TESTED, 1.0))
    return report


def _checked(license: str) -> str:
    if not _LICENSE.fullmatch(license):
        raise ObservationError(f"{license!r} is no licence of the SPDX list, as CC-BY-4.0 is one.")
    return license


def _no_pictures(folder: str, left_out: str) -> ObservationError:
    more = f" that can be read. Left out: {left_out}" if left_out else ""
    return ObservationError(f"There are no pictures in {folder}{more}.")


def _settings(network: Network, seed: int, *, thumbnails: bool) -> dict[str, Any]:
    return {
        "version": VERSION,
        "seed": seed,
        "rows": network.example.shape[2],
        "columns": network.example.shape[3],
        "black": list(network.pixels.black),
        "white": list(network.pixels.white),
        "order": list(network.pixels.order),
        "thumbnails": thumbnails,
    }


def _report(
    model: str,
    batch: Pictures,
    network: Network,
    *,
    left_out: str,
    created: bool,
    seconds: float,
) -> PhotographsReport:
    about, arrays = batch.about, batch.arrays
    q = np.asarray(arrays["class_q"]) if "class_q" in arrays else None
    return PhotographsReport(
        model=model,
        key=batch.key,
        created=created,
        pictures=len(about["pictures"]),
        left_out=about["left_out"],
        copies=about["copies"],
        left_out_files=left_out,
        size=(about["rows"], about["columns"]),
        units=sum(units for _, units in about["layers"]),
        classes=None if q is None else len(about["classes"]),
        tested=None if q is None else int(np.isfinite(q).sum()),
        beyond_chance=None if q is None else int((q <= RATE).sum()),
        by_chance=about.get("by_chance"),
        shuffled=about.get("shuffled"),
        permutations=about.get("permutations"),
        thumbnails=sum(name.endswith(".webp") for name in arrays),
        bytes=sum(array.nbytes for array in arrays.values()),
        pixels_known=network.pixels.known,
        seconds=seconds,
    )


def _rows(batch: Pictures, stored: Mapping[str, Any], report: PhotographsReport) -> GraphRows:
    model = stored["id"]
    summary = {name: getattr(report, name) for name in _SUMMARY}
    provenance = import_node(
        f"photographs:{batch.key}",
        "photographs",
        source=f"{batch.about['folder']} ({report.pictures} pictures)",
        model=model,
        seconds=report.seconds,
        summary={**summary, **{n: batch.about[n] for n in ("seed", "license")}, "key": batch.key},
    )
    rows = GraphRows(nodes={"Import": provenance}, pictures={batch.key: batch})
    if not report.beyond_chance:
        return rows
    evidence, about = _evidence(batch, model)
    return GraphRows(
        nodes={**rows.nodes, "Evidence": node_table("Evidence", evidence)},
        relations=[
            Relations("ABOUT", "Evidence", "Feature", relation_table("ABOUT", about)),
        ],
        pictures=rows.pictures,
    )


def _evidence(batch: Pictures, model: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return columns of the evidence of units that prefer a class, and of what it is about."""
    arrays, about = batch.arrays, batch.about
    passed = np.flatnonzero(arrays["class_q"] <= RATE)
    layers: Sequence[tuple[str, int]] = [(name, units) for name, units in about["layers"]]
    features = np.array(
        [str(FeatureId(model, name, unit)) for name, units in layers for unit in range(units)],
        object,
    )
    starts = np.cumsum([0, *(units for _, units in layers)])
    tested = np.repeat(
        np.add.reduceat(np.isfinite(arrays["class_q"]), starts[:-1]), np.diff(starts)
    )
    classes = np.array(about["classes"], object)[arrays["class_chosen"][passed]]
    means = np.take_along_axis(
        arrays["class_mean"][passed], arrays["class_chosen"][passed, None], 1
    )[:, 0]
    ids = [f"photographs-{content_hash([batch.key, feature])}" for feature in features[passed]]
    details = [
        canonical_json(
            {
                "class": name,
                "pictures": int(count),
                "of": len(about["pictures"]),
                "mean": round(float(mean), 4),
                "photographs": batch.key,
            }
        )
        for (name, count), mean in zip(classes, means, strict=True)
    ]
    count = len(ids)
    evidence = {
        "id": ids,
        "kind": [KIND] * count,
        "stance": ["supports"] * count,
        "value": arrays["class_statistic"][passed].astype(float),
        "null_mean": arrays["class_null_mean"][passed].astype(float),
        "null_count": [about["permutations"]] * count,
        "null_method": [NULL_METHOD] * count,
        "p": arrays["class_p"][passed].astype(float),
        "q": arrays["class_q"][passed].astype(float),
        "tested": tested[passed].tolist(),
        "method": [METHOD] * count,
        "version": [about["version"]] * count,
        "seed": [about["seed"]] * count,
        "detail": details,
    }
    ends = {"source": ids, "target": features[passed].tolist(), "role": ["unit"] * count}
    return evidence, ends
