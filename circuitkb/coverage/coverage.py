"""What coverage came to: as plain values, as tables, as a row of the graph."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from circuitkb.coverage.curve import SHARES, Agreement
from circuitkb.results.result import Result
from circuitkb.schema.ids import content_hash
from circuitkb.schema.provenance import tool

if TYPE_CHECKING:
    from circuitkb.schema.tables import GraphRows

KIND = "coverage"

METHOD = (
    "the network run with chosen edges alone, all others at their mean: share of the lead of its "
    "answers that is kept (MIB, 2025)"
)

VERSION = "1"

CHOSEN, EVERYTHING = "what is explained", "all edges"

Row = dict[str, Any]


@dataclass(frozen=True)
class Coverage:
    """How much of a network is explained.

    Attributes
    ----------
    model, fingerprint
        Whose network, of which weights.
    explained
        What was taken for explained, in words.
    shown
        Which images.
    settings
        What it takes to do it again: JSON can hold it.
    edges
        Of the network.
    lead
        Mean lead of its answer over the runner-up.
    error
        Of all edges together, as a share of the largest output.
    chosen
        Figures of the explained edges alone; None where there are none.
    equals
        Those of as many edges of other orders; of random ones the mean of several draws.
    random_draws
        Faithfulness of each draw.
    curves
        By order: ``points`` at :data:`~circuitkb.coverage.curve.SHARES`, ``cpr``, ``cmd``.
    layers
        What is explained of each.
    units, directions
        What hides in the rest.
    learnt, measured
        Images for means and gradients, and others for all else.
    notes
        What a reader must know.
    seconds, created
        How long it took; when.
    """

    model: str
    fingerprint: str
    explained: str
    shown: str
    settings: Mapping[str, Any]
    edges: int
    lead: float
    error: float
    chosen: Mapping[str, Any] | None
    equals: Mapping[str, Mapping[str, Any]]
    random_draws: Sequence[float]
    curves: Mapping[str, Mapping[str, Any]]
    layers: Sequence[Mapping[str, Any]]
    units: Sequence[Mapping[str, Any]]
    directions: Sequence[Mapping[str, Any]]
    learnt: int
    measured: int
    notes: Sequence[str] = ()
    seconds: float = 0.0
    created: str = ""

    @property
    def id(self) -> str:
        """What the same coverage has when it is measured again."""
        what = [KIND, VERSION, self.fingerprint, self.explained, self.shown, dict(self.settings)]
        return f"coverage-{content_hash(what)[:16]}"

    def to_dict(self) -> Row:
        """Return plain values, as JSON can hold them."""
        found: Row = json.loads(json.dumps(asdict(self)))
        return {"id": self.id, "shares": list(SHARES), **found}

    @classmethod
    def of_dict(cls, values: Mapping[str, Any]) -> Coverage:
        """Return what :meth:`to_dict` gave."""
        own = {name: value for name, value in values.items() if name not in ("id", "shares")}
        return cls(**own)

    def alone(self) -> Result:
        """Return how parts alone agree with the whole, a row for each choice of edges."""
        rows = []
        if self.chosen is not None:
            rows.append(_row(CHOSEN, self.chosen, self.edges))
            named = self.equals.items()
            rows += [_row(f"as many: {name}", one, self.edges) for name, one in named]
        whole = next(iter(self.curves.values()))["points"][-1]
        rows.append(_row(EVERYTHING, whole, self.edges))
        return Result.of_records(rows)

    def curve(self) -> Result:
        """Return faithfulness by share of the edges, a row for each order."""
        return Result.of_records(
            {
                "edges first by": name,
                **{
                    f"{share:.4g}": round(point["faithfulness"], 3)
                    for share, point in zip(SHARES, curve["points"], strict=True)
                },
                "CPR": round(curve["cpr"], 3),
                "CMD": round(curve["cmd"], 3),
            }
            for name, curve in self.curves.items()
        )

    def by_layer(self) -> Result:
        """Return what is explained of each layer."""
        return Result.of_records(
            {
                key: round(value, 5) if isinstance(value, float) else value
                for key, value in row.items()
            }
            for row in self.layers
        )

    def hidden(self) -> Result:
        """Return units without label, circuit and analogue, the largest effect first."""
        return Result.of_records(
            {
                "feature": one["feature"],
                "effect": round(one["effect"], 4),
                "layer_median": round(one["layer_median"], 4),
                "rank": f"{one['rank']} of {one['of']}",
            }
            for one in self.units
        )

    def left(self) -> Result:
        """Return directions of what is left, the largest effect first."""
        return Result.of_records(
            {
                "layer": one["layer"],
                "effect": round(one["effect"], 5),
                "random": round(one["null"], 5),
                "share_of_the_rest": round(one["left"], 3),
                "leans_on": ", ".join(f"{unit} {part:+.2f}" for unit, part in one["units"]),
            }
            for one in self.directions
        )

    def tables(self) -> Iterator[tuple[str, Result]]:
        """Give all tables with their titles; empty ones are left out."""
        titles = (
            ("The network run with these edges alone, all others at their mean", self.alone()),
            ("Faithfulness by share of the edges", self.curve()),
            ("Layer by layer: shares that these edges explain", self.by_layer()),
            ("What hides in the rest: units without label, circuit and analogue", self.hidden()),
            ("What hides in the rest: directions of what is left", self.left()),
        )
        return ((title, table) for title, table in titles if table.rows)

    def to_result(self) -> Result:
        """Return the curves, a row for each order and share."""
        return Result.of_records(
            (
                {"edges_first_by": name, "share": share, **point}
                for name, curve in self.curves.items()
                for share, point in zip(SHARES, curve["points"], strict=True)
            ),
            seconds=self.seconds,
            notes=tuple(self.all_notes()),
        )

    def all_notes(self) -> Iterator[str]:
        """Give what a reader must know."""
        yield f"explained: {self.explained}; shown: {self.shown}"
        yield (
            f"means and gradients are from {self.learnt} of the images, all else from the other "
            f"{self.measured}; all {self.edges:,} edges together miss the network's own outputs by "
            f"{self.error:.1e} of the largest"
        )
        if self.chosen is not None and not self.chosen["joined"]:
            yield (
                f"none of the {self.chosen['edges']:,} explained edges lies on a path of such "
                "edges from the input to the output: alone they answer the same to every image"
            )
        yield from self.notes

    def rows(self) -> GraphRows:
        """Return it as evidence about the model."""
        from circuitkb.schema.tables import (
            GraphRows,
            Relations,
            node_table,
            relation_table,
            rows_of,
        )

        draws = list(self.random_draws)
        evidence = {
            "id": self.id,
            "kind": KIND,
            "stance": "neutral",
            "of": self.explained,
            "value": None if self.chosen is None else self.chosen["faithfulness"],
            "null_mean": sum(draws) / len(draws) if draws else None,
            "null_count": len(draws) or None,
            "null_method": "as many random edges of the network" if draws else None,
            "method": METHOD,
            "version": VERSION,
            "seed": self.settings["seed"],
            "detail": json.dumps(self.to_dict() | {"tool": tool()}, allow_nan=False),
        }
        about = [{"source": self.id, "target": self.model, "role": "network"}]
        return GraphRows(
            nodes={"Evidence": node_table("Evidence", rows_of([evidence]))},
            relations=[
                Relations("ABOUT", "Evidence", "Model", relation_table("ABOUT", rows_of(about)))
            ],
        )


def plain(agreement: Agreement | None) -> Row | None:
    """Return an agreement as plain values."""
    return None if agreement is None else asdict(agreement)


def _row(name: str, one: Mapping[str, Any], edges: int) -> Row:
    return {
        "edges": name,
        "count": one["edges"],
        "share": f"{100 * one['edges'] / edges:.3g}%",
        "on_a_path": one["joined"],
        "faithfulness": round(one["faithfulness"], 4),
        "top1": round(one["top1"], 3),
        "kl": round(one["kl"], 3),
        "correlation": None if one["correlation"] is None else round(one["correlation"], 3),
    }
