"""Units laid out in a plane so that those that answer alike lie together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 10
"""Of which the trustworthiness of a layout is told."""

_COMPONENTS = 30
"""Principal components that distances are taken in; the rest is what single stimuli add."""

METHOD = "t-SNE of the responses to the battery, each unit's standardised, by scikit-learn"


@dataclass(frozen=True)
class Layout:
    """Places of units in a plane.

    Attributes
    ----------
    places
        Axes (unit, x and y).
    trustworthiness
        How far neighbours in the plane are neighbours by their responses, at most 1 (Venna and
        Kaski 2001).
    null
        The same with the units permuted over the places: what any layout of these places has.
    """

    places: NDArray[np.float64]
    trustworthiness: float
    null: float


def layout(responses: NDArray[np.floating], *, seed: int = 0) -> Layout:
    """Lay some units out by their responses after the nonlinearity.

    A map of this kind keeps neighbours, not distances: how far groups lie apart, and how large
    they are, says nothing. Memory: the responses, twice as float32.

    Parameters
    ----------
    responses
        After the nonlinearity, axes (unit, stimulus); each of at least four units must answer.

    Examples
    --------
    >>> shown = np.repeat(np.eye(2, 40, dtype=np.float32), 20, axis=0)
    >>> shown += np.random.default_rng(0).normal(size=shown.shape).astype(np.float32) / 50
    >>> found = layout(shown)
    >>> first, second = found.places[:20].mean(axis=0), found.places[20:].mean(axis=0)
    >>> spread = max(part.std(axis=0).max() for part in (found.places[:20], found.places[20:]))
    >>> bool(np.linalg.norm(first - second) > spread)
    True
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE, trustworthiness

    values = responses.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= values.std(axis=1, keepdims=True)
    parts = min(_COMPONENTS, *values.shape)
    reduced = PCA(parts, svd_solver="randomized", random_state=seed).fit_transform(values)
    perplexity = min(30.0, (len(values) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(
        reduced
    )
    near = min(NEIGHBOURS, (len(values) - 1) // 2)
    dealt = places[np.random.default_rng(seed).permutation(len(places))]
    return Layout(
        places.astype(np.float64),
        float(trustworthiness(values, places, n_neighbors=near)),
        float(trustworthiness(values, dealt, n_neighbors=near)),
    )
