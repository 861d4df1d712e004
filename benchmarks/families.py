"""Mirrored inputs in networks of other families: how far beyond chance, by symmetry and by depth.

Run it on knowledge bases of observed networks: ``python benchmarks/families.py STORE [STORE ...]``.
For each network and each symmetry of the battery that is its own inverse it counts

- ``could``: pairs of inputs that are one another's images, at invariant targets that respond to
  both: all that ``find union`` asks but the weights;
- ``hits``: those where both are among the target's strongest inputs, as ``find union`` counts them;
- ``exchanged``: the hits with the units of each source layer exchanged once for all targets of the
  network alike, so that copies along residual streams stay copies: mean and standard deviation of
  ``--draws`` (199), and ``p``, the share of draws with as many, counting the network itself;
- ``times``: hits over that mean, and its 95% interval if hits were a Poisson number. They are not
  independent, so the interval is too narrow;
- ``unrelated``: the same two counts of pairs that are no images of one another, of the same layers
  and as alike, 20 for each pair, *at the targets that respond to both*; and ``to them``: the share
  of hits in ``could`` over theirs. A target responds to what it has strong weights from, so the
  weights that ``could`` asks nothing of are no random ones; this asks what an image adds.

``--depth`` splits the left-right mirrors by the side of the targets' receptive fields, in pixels.
``--like N`` asks what a network would show if only so many of its units could be tested: it leaves
that share of the hits, and of each draw's, at random, 1,000 times, and prints the hits and the
share of times in which p is at most .05.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import circuitkb as ckb
from circuitkb.motifs.by_responses.controls import _replace, _unrelated
from circuitkb.motifs.by_responses.coupled_responses import CoupledResponses, couples
from circuitkb.motifs.by_responses.pair_nulls import _Layer
from circuitkb.motifs.by_responses.search import PairFinder, Pairs, search
from circuitkb.motifs.union import Union
from circuitkb.observation.kept import images_under

SYMMETRIES = ("mirror left-right", "mirror up-down", "mirror rising diagonal", "rotate 180")
FIELDS = (0, 32, 100, 224, np.inf)
COLUMNS = (
    *("network", "symmetry", "tested", "could", "hits"),
    *("exchanged", "p", "times", "unrelated", "to them"),
)
THINNINGS = 1000
DECOYS = 20
FIELDS_OF = (
    "MATCH (l:Layer) WHERE l.model = $model RETURN l.name AS layer, l.receptive_field AS field"
)

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Counted:
    """Counts of one network and symmetry, by target layer.

    ``hits`` have the axes (draw, layer); the first draw is the network. ``unrelated`` are what
    could be hits and what is, axes (2, layer).
    """

    could: Counts
    hits: Counts
    unrelated: Counts
    fields: NDArray[np.float64]
    tested: int

    def take(self, layers: NDArray[np.bool_]) -> Counted:
        """Return some of the layers."""
        return Counted(
            self.could[layers],
            self.hits[:, layers],
            self.unrelated[:, layers],
            self.fields[layers],
            self.tested,
        )


def counted(kb: ckb.KnowledgeBase, model: str, symmetry: str, draws: int) -> Counted:
    """Count the hits into each layer, in the network and with the inputs exchanged."""
    responses = kb.responses(model)
    assert responses is not None
    couple = couples(images_under(responses, symmetry), len(responses.stimuli), symmetry)
    coupled = CoupledResponses.of(responses.after, responses.rows, *couple)
    motif = Union(of=ckb.mirror("left-right")).by_responses()
    searched = search(kb.store.kernels(model), coupled, motif)
    rng, finder = np.random.default_rng(0), PairFinder(motif, coupled)
    rows = np.arange(len(coupled.measurable))
    units = [coupled.measurable_rows(name) for name in coupled.layers]
    given = [rows]
    for _ in range(draws):
        exchanged = rows.copy()
        for own in units:
            exchanged[own] = rng.permutation(own)
        given.append(exchanged)
    sides = {row["layer"]: row["field"] for row in kb.query(FIELDS_OF, {"model": model})}
    could, hits, others, fields = [], [], [], []
    for layer, by_block in searched.layers:
        pairs = _Layer(layer, coupled, Pairs.join(list(by_block.values())))
        alike = [
            _replace(related, _unrelated(finder, block, layer, rng), DECOYS, rng)[0]
            for block, related in by_block.items()
        ]
        decoys = _Layer(layer, coupled, Pairs.join(alike))
        could.append(answered(pairs))
        hits.append([pairs.count(order).sum() for order in given])
        others.append((answered(decoys), decoys.count(rows).sum()))
        fields.append(float(sides[layer.inputs.target] or np.inf))
    return Counted(
        np.array(could, np.int64),
        np.array(hits, np.int64).reshape(-1, 1 + draws).T,
        np.array(others, np.int64).reshape(-1, 2).T,
        np.array(fields),
        searched.tested,
    )


def answered(layer: _Layer) -> int:
    """Count the pairs at targets that respond to both."""
    one, other = (a[:, e] for a, e in zip(layer.answers, layer.ends, strict=True))
    return int(np.count_nonzero(one & other))


def line(of: Counted) -> str:
    """Return the figures of one row of the table."""
    could, hits = int(of.could.sum()), of.hits.sum(axis=1)
    real, null = int(hits[0]), hits[1:]
    mean = null.mean()
    p = (1 + np.count_nonzero(null >= real)) / len(hits)
    low = stats.chi2.ppf(0.025, 2 * real) / 2 if real else 0.0
    high = stats.chi2.ppf(0.975, 2 * real + 2) / 2
    times = f"{real / mean:.1f} ({low / mean:.1f} to {high / mean:.1f})" if mean else "-"
    there, held = of.unrelated.sum(axis=1)
    to_them = f"{real / could / (held / there):.2f}" if could and held else "-"
    return (
        f"{could:,} | {real:,} | {mean:.2f} (SD {null.std():.2f}) | {p:.3f} | {times} | "
        f"{held:,} of {there:,} | {to_them} |"
    )


def thinned(of: Counted, size: int) -> str:
    """Return what would be left of a network if so many units could be tested."""
    share = min(1.0, size / of.tested)
    rng = np.random.default_rng(0)
    left = rng.binomial(of.hits.sum(axis=1), share, (THINNINGS, len(of.hits)))
    p = (1 + (left[:, 1:] >= left[:, :1]).sum(axis=1)) / left.shape[1]
    return f"{left[:, 0].mean():.1f} hits of {share:.0%}, p <= .05 in {np.mean(p <= 0.05):.0%}"


def main() -> None:
    """Print a table for all networks of some knowledge bases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", nargs="+")
    parser.add_argument("--draws", type=int, default=199)
    parser.add_argument("--model", action="append")
    parser.add_argument("--depth", action="store_true")
    parser.add_argument("--like", type=int)
    options = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for address in options.stores:
        with ckb.open(address, create=False) as kb:
            names = [row["id"] for row in kb.query("MATCH (m:Model) RETURN m.id AS id")]
            for model in options.model or names:
                if kb.responses(model) is None:
                    continue
                for symmetry in SYMMETRIES[:1] if options.depth or options.like else SYMMETRIES:
                    of = counted(kb, model, symmetry, options.draws)
                    print(f"| {model} | {symmetry} | {of.tested:,} | {line(of)}", flush=True)
                    if options.like:
                        print(f"  with {options.like:,} tested: {thinned(of, options.like)}")
                    for low, high in pairwise(FIELDS) if options.depth else ():
                        here = of.take((of.fields > low) & (of.fields <= high))
                        print(f"| {model} | field {low} to {high} | | {line(here)}", flush=True)


if __name__ == "__main__":
    main()
