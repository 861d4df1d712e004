"""How many of the hits chance explains: q-values from hits that a control gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def target_decoy_q(
    scores: Scores, decoys: Scores, repetitions: int, *, at: Scores | None = None
) -> Scores:
    """Return for each hit the share of hits as good as it, or better, that chance explains.

    Parameters
    ----------
    scores
        Of the hits; smaller is better.
    decoys
        Of the hits that all repetitions of a control gave.
    repetitions
        Number of repetitions; each looks for as much as the search did.
    at
        Scores to ask about, where they are not those of the hits.

    Notes
    -----
    q(s) = (1 / R + mean number of decoys up to s) / (hits up to s), at most 1, then the least q
    over all larger s. With ``(1 + all decoys up to s) / R`` in the numerator this is the estimator
    of Barber and Candès (Controlling the false discovery rate via knockoffs, Annals of Statistics
    2015) for one target among R decoys: a hit of chance is a target, and not a decoy, with
    probability 1 / (R + 1), whose odds are 1 / R. The 1 is what keeps the rate in finite samples.
    It costs: at a rate of 5% twenty repetitions let a single hit pass if it beats all decoys, five
    ask for four such hits. Hits must be independent for the proof; ``docs/discovery.md`` has the
    measured rate for networks without anything to find.

    Examples
    --------
    >>> target_decoy_q(np.array([0.01, 0.02, 0.04]), np.array([0.03, 0.03]), 10).round(3).tolist()
    [0.05, 0.05, 0.1]
    """
    asked = scores if at is None else at
    every = np.concatenate([asked, scores])
    order = np.argsort(every)
    hits = np.searchsorted(np.sort(scores), every[order], side="right")
    chance = np.searchsorted(np.sort(decoys), every[order], side="right")
    share = np.minimum(1.0, (1 + chance) / (repetitions * np.maximum(1, hits)))
    q = np.empty(len(every))
    q[order] = np.minimum.accumulate(share[::-1])[::-1]
    return q[: len(asked)]
