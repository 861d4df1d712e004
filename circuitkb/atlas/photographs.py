"""The best pictures of a feature on its page: small copies, with a frame where it looks."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence

from circuitkb.atlas.page import Gallery, Image
from circuitkb.observation.photographs.kept import (
    Observed,
    not_to_publish,
    observation,
    observations,
)
from circuitkb.results.photograph_sections import BEST_TITLE, said_of_best
from circuitkb.results.pictures.png import with_text
from circuitkb.schema.errors import NotFoundError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.provenance import tool
from circuitkb.stores.base import Store

PHOTOGRAPH = "photograph"
"""What the addresses of pictures begin with."""

MOST_PIXELS = 512 * 512
"""Of a small copy: nobody's store makes a page decode more."""

_ADDRESS = re.compile(
    rf"{PHOTOGRAPH}/([a-z0-9][a-z0-9._-]{{0,127}})/([0-9a-f]{{16}})/([0-9a-f]{{64}})"
)


def best_photographs(store: Store, id: str) -> tuple[Gallery, ...]:
    """Return a gallery for each observation of pictures of which small copies are kept."""
    feature = FeatureId.parse(id)
    found = list(observations(store, feature.model))
    galleries = (_gallery(observed, feature, several=len(found) > 1) for observed in found)
    return tuple(gallery for gallery in galleries if gallery.images)


def _gallery(observed: Observed, feature: FeatureId, *, several: bool) -> Gallery:
    hash = observed.pictures.key.rpartition("@")[2]
    images = [
        Image(
            f"{PHOTOGRAPH}/{feature.model}/{hash}/{one.sha256}",
            one.caption,
            observed.frame_of(one),
        )
        for one in observed.examples(feature)
        if one.has_thumbnail
    ]
    title = f"{BEST_TITLE}: {observed.collection}" if several else BEST_TITLE
    return Gallery(title, tuple(images), said_of_best(observed))


def png(store: Store, address: str) -> bytes:
    """Return the PNG of a small copy by its address, ``photograph/MODEL/HASH/SHA256``.

    Raises
    ------
    NotFoundError
        There is none, or it is no picture.
    """
    from PIL import Image as images

    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise NotFoundError(f"There is no picture at {address!r}.")
    model, hash, sha256 = found.groups()
    observed = observation(store, f"{model}/photographs@{hash}")
    data, file = observed.thumbnail(sha256), io.BytesIO()
    try:
        with images.open(io.BytesIO(data), formats=("WEBP",)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise NotFoundError(f"The picture at {address!r} is too large.")
            picture.convert("RGB").save(file, format="png")
    except (OSError, ValueError) as error:
        raise NotFoundError(f"What is at {address!r} is no picture.") from error
    title = f"A picture of {observed.about['folder']}, sha256 {sha256}, as it was shown to {model}"
    texts = {"Title": title, "Software": tool(), "Copyright": str(observed.about["license"])}
    return with_text(file.getvalue(), texts)


def unpublishable(store: Store, models: Sequence[str]) -> Iterator[str]:
    """Say which pictures must not be published as they are."""
    for model in models:
        for observed in observations(store, model):
            if said := not_to_publish(observed.pictures):
                yield said
