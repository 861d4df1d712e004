"""The images that a feature answers to most, each beside its control, on the feature's page."""

from __future__ import annotations

import re

from circuitkb.atlas.page import Gallery, Image
from circuitkb.kb.knowledge_base import KnowledgeBase
from circuitkb.results.pictures.images import pixels
from circuitkb.schema.errors import NotFoundError
from circuitkb.stores.base import Store
from circuitkb.visualization.rows import pictures_key
from circuitkb.visualization.visualization import KIND, SAYS_NOT

VISUALIZATION = KIND
"""What the addresses of these images begin with."""

_ADDRESS = re.compile(rf"{VISUALIZATION}/([0-9a-f]{{32}})/(image|control)")

_FEATURE = "MATCH (:Evidence {id: $id})-[:ABOUT]->(f:Feature) RETURN f.id AS feature"


def searched(kb: KnowledgeBase, feature: str) -> tuple[Gallery, ...]:
    """Return the visualisations of a feature; none where none was made."""
    found = kb.visualizations(feature)
    images: list[Image] = []
    for item in found:
        place = f"{VISUALIZATION}/{item.evidence.removeprefix(f'{KIND}-')}"
        images.append(Image(f"{place}/image", item.said))
        if item.control is not None:
            images.append(Image(f"{place}/control", item.control_caption))
    notes = [*(note for item in found for note in item.notes), SAYS_NOT]
    if not images:
        return ()
    return (Gallery("Searched so that it answers most", (*images,), "\n".join(notes), large=True),)


def png(store: Store, address: str) -> bytes:
    """Return the PNG of a visualisation, or of its control, by its address.

    Raises
    ------
    NotFoundError
        There is no such image.
    """
    found = _ADDRESS.fullmatch(address)
    if found is not None:
        evidence = f"{KIND}-{found[1]}"
        for (feature,) in store.read(_FEATURE, {"id": evidence}).rows:
            batch = store.pictures(pictures_key(feature, evidence))
            if batch is not None:
                data = batch.image(f"{found[2]}.png")
                pixels(data)  # a stranger's may be none
                return data
    raise NotFoundError(f"There is no image at {address!r}.")
