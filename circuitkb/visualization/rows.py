"""Visualisations as rows of the graph, with their images beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from circuitkb.results.pictures.images import png
from circuitkb.schema.ids import FeatureId, canonical_json, content_hash
from circuitkb.schema.pictures import Pictures, encoded
from circuitkb.schema.provenance import import_node
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from circuitkb.visualization.visualization import KIND, VERSION, Visualization

METHOD = "what the unit answers, before its nonlinearity, to an image searched so that it is most"


def evidence_id(fingerprint: str, feature: str, settings: Mapping[str, Any]) -> str:
    """Return the id that the same search of the same unit has each time."""
    return f"{KIND}-{content_hash([fingerprint, feature, VERSION, dict(settings)])}"


def pictures_key(feature: str, evidence: str) -> str:
    """Return the key under which a store keeps the images of a visualisation."""
    return f"{FeatureId.parse(feature).model}/{evidence}"


def visualization_rows(
    made: Sequence[Visualization], said: Callable[[str], Mapping[str, str]], *, seconds: float
) -> GraphRows:
    """Return the evidence of visualisations of one model, and their images.

    Parameters
    ----------
    said
        Gives what a picture of a feature says of where it comes from, by the keywords of PNG.
    seconds
        That making them took.
    """
    records = [
        {
            "id": item.evidence,
            "kind": KIND,
            "stance": "neutral",
            "value": item.reached.value,
            "null_mean": None if item.control is None else item.control.value,
            "null_count": None if item.control is None else 1,
            "null_method": None
            if item.control is None
            else f"the same search where weights are shuffled (seed {item.settings['shuffled']})",
            "method": METHOD,
            "version": VERSION,
            "seed": item.settings["seed"],
            "detail": canonical_json(item.figures()),
        }
        for item in made
    ]
    ids = [item.evidence for item in made]
    about = {"source": ids, "target": [item.feature for item in made], "role": ["unit"] * len(ids)}
    return GraphRows(
        nodes={
            "Evidence": node_table("Evidence", rows_of(records)),
            "Import": import_node(
                f"visualize-{content_hash(ids)[:16]}",
                "visualize",
                model=FeatureId.parse(made[0].feature).model,
                seconds=seconds,
                summary={"features": len(made), "settings": dict(made[0].settings)},
            ),
        },
        relations=[Relations("ABOUT", "Evidence", "Feature", relation_table("ABOUT", about))],
        pictures={
            key: _pictures(key, item, said(item.feature)) for item in made for key in [_key(item)]
        },
    )


def _key(item: Visualization) -> str:
    return pictures_key(item.feature, item.evidence)


def _pictures(key: str, item: Visualization, said: Mapping[str, str]) -> Pictures:
    sides = {"image": (item.reached, item.caption), "control": (item.control, item.control_caption)}
    arrays = {}
    for name, (side, caption) in sides.items():
        if side is not None:
            title = f"{item.feature}, {name} of {item.evidence}"
            texts = {**said, "Title": title, "Description": caption}
            arrays[f"{name}.png"] = encoded(png(side.image, texts))
    return Pictures(key, {"of": item.feature, "kind": KIND}, arrays)
