"""What was observed on pictures, as a store keeps it: best examples, classes, thumbnails."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from circuitkb.observation.measures.nulls import RATE
from circuitkb.observation.photographs.classes import ClassTest, spread_of_means
from circuitkb.observation.photographs.files import PictureFile
from circuitkb.observation.photographs.showing import BEST, Integers, Shown
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.ids import FeatureId, content_hash
from circuitkb.schema.pictures import Pictures, encoded
from circuitkb.schema.responses import rows_of_layers
from circuitkb.stores.base import Store

VERSION = "1"

NAME = "photographs"
"""What the keys of these batches begin with, after the model."""

UNLICENSED = "NOASSERTION"
"""The licence of pictures of which nobody said one."""

MOST_THUMBNAILS = 2_000
"""Thumbnails of one observation: of the pictures that are the best of most units."""


def hash_of(files: Sequence[PictureFile]) -> str:
    """Return by what a folder's pictures are known: their contents, names and classes."""
    return content_hash([[file.sha256, file.name, file.group] for file in files])[:16]


def key_of(model: str, hash: str) -> str:
    """Return the key of an observation of pictures.

    Examples
    --------
    >>> key_of("net", "0011223344556677")
    'net/photographs@0011223344556677'
    """
    return f"{model}/{NAME}@{hash}"


def batch_of(
    key: str,
    shown: Shown,
    classes: ClassTest | None,
    layers: Sequence[tuple[str, int]],
    frames: Mapping[str, np.ndarray[Any, np.dtype[np.int64]] | None],
    about: Mapping[str, Any],
) -> Pictures:
    """Return an observation as a store keeps it.

    Parameters
    ----------
    frames
        Where each position of each layer looks; see
        :func:`circuitkb.loaders.receptive_fields.views.frames`.
    about
        Settings, which are kept beside what was found.
    """
    best = shown.best
    arrays: dict[str, Any] = {
        "best_value": best.values.T,
        "best_picture": best.pictures.T,
        "best_frame": _frames(best.positions.T, layers, frames),
        "mean": shown.mean,
        "spread": shown.spread,
    }
    said: dict[str, Any] = {
        **about,
        "pictures": [[file.sha256, file.name, file.group] for file in shown.files],
        "layers": [list(layer) for layer in layers],
    }
    if classes is not None:
        said["classes"] = list(map(list, zip(classes.names, classes.counts, strict=True)))
        said["beyond_chance"] = int(classes.beyond_chance.sum())
        said["permutations"], said["by_chance"] = classes.permutations, classes.by_chance
        arrays |= {
            "class_mean": classes.means,
            "class_chosen": classes.chosen,
            "class_statistic": classes.statistic,
            "class_null_mean": classes.null_mean,
            "class_p": classes.p,
            "class_q": classes.q,
        }
    if shown.thumbnails:
        times = Counter(best.pictures[best.pictures >= 0].tolist())
        for number, _ in times.most_common(MOST_THUMBNAILS):
            arrays[thumbnail_name(shown.files[number].sha256)] = encoded(shown.thumbnails[number])
    return Pictures(key, said, arrays)


def _frames(
    positions: Integers,
    layers: Sequence[tuple[str, int]],
    frames: Mapping[str, np.ndarray[Any, np.dtype[np.int64]] | None],
) -> Integers:
    """Return first row, first column, last row and last column; -1 where unknown."""
    found = np.full((*positions.shape, 4), -1, np.int32)
    for layer, rows in rows_of_layers(layers).items():
        own = frames[layer]
        if own is not None:
            found[rows] = np.where(positions[rows, :, None] >= 0, own[positions[rows]], -1)
    return found


def not_to_publish(batch: Pictures) -> str | None:
    """Return what must be said of a batch before it is published; None if it may be.

    Thumbnails of pictures that have no licence are somebody's.
    """
    is_ours = batch.about.get("what") == NAME and batch.about.get("license") == UNLICENSED
    if not is_ours or not any(name.endswith(".webp") for name in batch.arrays):
        return None
    return (
        f"The thumbnails of {batch.about['folder']!r} have no licence, and this is made to be "
        f"published. Observe {batch.model} again with --license, or with --no-thumbnails; or say "
        "--with-unlicensed."
    )


def thumbnail_name(sha256: str) -> str:
    """Return the name of a thumbnail in a batch."""
    return f"{sha256}.webp"


@dataclass(frozen=True)
class Example:
    """One of the pictures in which a unit has its largest values.

    Attributes
    ----------
    place
        1 for the best.
    sha256, name, group
        Hash of the file, its name, and its class; that is empty for none.
    value, sd
        Before the nonlinearity; in standard deviations above the mean over all pictures, NaN where
        all are alike.
    frame
        First row, first column, last row and last column of its receptive field there.
    has_thumbnail
        Whether a small copy is kept.
    """

    place: int
    sha256: str
    name: str
    group: str
    value: float
    sd: float
    frame: tuple[int, int, int, int] | None
    has_thumbnail: bool

    @property
    def caption(self) -> str:
        """Its place, name, class and value."""
        group = f" ({self.group})" if self.group else ""
        return f"{self.place}. {self.name}{group}: {self.sd:.1f} sd"


@dataclass(frozen=True)
class OneClass:
    """A class of pictures, as a unit answers to it.

    Attributes
    ----------
    mean
        In standard deviations above the mean over all pictures with a class.
    null_spread
        Standard deviation of that with classes permuted, exactly; its mean is 0.
    """

    name: str
    pictures: int
    mean: float
    null_spread: float


@dataclass(frozen=True)
class Preference:
    """Whether a unit prefers a class beyond chance.

    Attributes
    ----------
    name
        The class that stands out most.
    statistic, null_mean
        By how many standard deviations of its null, and what permuted classes give.
    layer_passed, layer_tested
        Units of its layer that prefer one beyond chance, and those tested.
    """

    name: str
    statistic: float
    null_mean: float
    p: float
    q: float
    layer_passed: int
    layer_tested: int

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the unit passes the test."""
        return self.q <= RATE


@dataclass(frozen=True, eq=False)
class Observed:
    """One observation of pictures, as it is kept."""

    pictures: Pictures

    @property
    def about(self) -> Mapping[str, Any]:
        """Its settings and counts."""
        return self.pictures.about

    @cached_property
    def _rows(self) -> dict[str, slice]:
        return rows_of_layers([(name, units) for name, units in self.about["layers"]])

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the images that were shown."""
        return self.about["rows"], self.about["columns"]

    @property
    def collection(self) -> str:
        """What the folder is called, and how many of its pictures were shown."""
        return f"{self.about['folder']} ({len(self.about['pictures']):,})"

    def _row(self, feature: FeatureId) -> int | None:
        rows = self._rows.get(feature.layer, slice(0, 0))
        if feature.basis is not None or feature.unit >= rows.stop - rows.start:
            return None
        return int(rows.start + feature.unit)

    def examples(self, feature: FeatureId) -> list[Example]:
        """Return the best pictures of a unit, best first; none where it was not observed."""
        row = self._row(feature)
        if row is None:
            return []
        arrays = self.pictures.arrays
        mean, spread = float(arrays["mean"][row]), float(arrays["spread"][row])
        columns = (arrays[f"best_{name}"][row].tolist() for name in ("picture", "value", "frame"))
        found = []
        for place, (number, value, frame) in enumerate(zip(*columns, strict=True), 1):
            if 0 <= number < len(self.about["pictures"]):
                sha256, name, group = self.about["pictures"][number]
                sd = (value - mean) / spread if spread > 0 else math.nan
                seen = None if frame[0] < 0 else tuple(frame)
                has = thumbnail_name(sha256) in arrays
                found.append(Example(place, sha256, name, group, value, sd, seen, has))
        return found

    def classes(self, feature: FeatureId) -> list[OneClass]:
        """Return the classes, that of the largest mean first; none where they name none."""
        row = self._row(feature)
        if row is None or "classes" not in self.about:
            return []
        names, counts = zip(*self.about["classes"], strict=True)
        means = self.pictures.arrays["class_mean"][row].tolist()
        rows = zip(names, counts, means, spread_of_means(counts).tolist(), strict=True)
        return sorted((OneClass(*row) for row in rows), key=lambda one: -one.mean)

    def preference(self, feature: FeatureId) -> Preference | None:
        """Return which class a unit prefers, beside the null; None where it cannot be said."""
        row = self._row(feature)
        if row is None or "classes" not in self.about:
            return None
        arrays = self.pictures.arrays
        statistic, null_mean, p, q = (
            float(arrays[f"class_{name}"][row]) for name in ("statistic", "null_mean", "p", "q")
        )
        if math.isnan(p):
            return None
        own = arrays["class_q"][self._rows[feature.layer]]
        chosen = self.about["classes"][int(arrays["class_chosen"][row])][0]
        counts = int((own <= RATE).sum()), int(np.isfinite(own).sum())
        return Preference(chosen, statistic, null_mean, p, q, *counts)

    def frame_of(self, one: Example) -> tuple[float, float, float, float] | None:
        """Return where a unit looks in a picture: top, left, bottom and right, as shares of it."""
        if one.frame is None:
            return None
        rows, columns = self.size
        top, left, bottom, right = one.frame
        return top / rows, left / columns, (bottom + 1) / rows, (right + 1) / columns

    def thumbnail(self, sha256: str) -> bytes:
        """Return the small copy of a picture, as WebP.

        Raises
        ------
        NotFoundError
            None is kept.
        """
        return self.pictures.image(thumbnail_name(sha256))


def observations(store: Store, model: str) -> Iterator[Observed]:
    """Give all observations of pictures of a model, in the order of their keys."""
    for key in store.picture_keys(model):
        if key.startswith(key_of(model, "")):
            pictures = store.pictures(key)
            if pictures is not None and _is_whole(pictures):
                yield Observed(pictures)


def observation(store: Store, key: str) -> Observed:
    """Return one observation of pictures.

    Raises
    ------
    NotFoundError
        There is none under this key.
    """
    model, _, name = key.partition("/")
    pictures = store.pictures(key) if name.startswith(f"{NAME}@") and model else None
    if pictures is None or not _is_whole(pictures):
        raise NotFoundError(f"There is no observation of pictures {key!r}.")
    return Observed(pictures)


def _is_whole(batch: Pictures) -> bool:
    """Return whether a batch says what one of ours does: a stranger's store may hold any."""
    about = batch.about
    try:
        units = sum(int(count) for _, count in about["layers"])
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("mean", "spread"), (units,))
        shapes |= dict.fromkeys(("best_value", "best_picture"), (units, BEST))
        shapes["best_frame"] = units, BEST, 4
        counts = [int(about[name]) for name in ("rows", "columns")]
        if "classes" in about:
            numbers = ("chosen", "statistic", "null_mean", "p", "q")
            shapes |= dict.fromkeys((f"class_{name}" for name in numbers), (units,))
            shapes["class_mean"] = units, len(about["classes"])
            counts += [int(count) for _, count in about["classes"]]
            counts += [1 + int(about[name]) for name in ("beyond_chance", "shuffled")]
            counts.append(int(about["permutations"]))
        texts = [about["folder"], about["license"]]
        texts += [text for item in about["pictures"] for text in item]
        return (
            all(isinstance(text, str) for text in texts)
            and all(len(item) == 3 for item in about["pictures"])
            and min(counts) > 0
            and all(batch.arrays[name].shape == shape for name, shape in shapes.items())
        )
    except (KeyError, TypeError, ValueError):
        return False
