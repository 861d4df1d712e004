"""Visualisations that a store keeps, with their images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from circuitkb.results.card_sections import VISUALIZATIONS
from circuitkb.results.pictures.images import pixels
from circuitkb.schema.errors import NotFoundError
from circuitkb.stores.base import Store
from circuitkb.visualization.rows import pictures_key
from circuitkb.visualization.visualization import KIND, Visualization, figures_in


def kept(store: Store, feature: str, id: str | None = None) -> Iterator[Visualization]:
    """Give the visualisations of a feature whose images are there; or the one of that id."""
    answer = store.read(VISUALIZATIONS, {"kind": KIND, "id": feature}, limit=None)
    for evidence, detail in answer.rows:
        if id is not None and evidence != id:
            continue
        batch, figures = store.pictures(pictures_key(feature, evidence)), figures_in(detail)
        if batch is None or figures is None:
            continue
        sides = ("image", "control") if figures["control"] else ("image",)
        with suppress(NotFoundError):  # a stranger's
            images = {side: pixels(batch.image(f"{side}.png")) for side in sides}
            yield Visualization.of_figures(feature, evidence, figures, images)
