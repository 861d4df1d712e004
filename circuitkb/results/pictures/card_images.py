"""The images that a feature answers to, for a notebook: stimuli, photographs, searched ones."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from circuitkb.observation.photographs.kept import observations
from circuitkb.results.card import Card
from circuitkb.results.photograph_sections import BEST_TITLE, said_of_best
from circuitkb.results.pictures.best_stimuli import TITLE, best_stimuli, stimulus_png
from circuitkb.results.pictures.images import html, html_of
from circuitkb.schema.errors import CircuitKBError
from circuitkb.schema.ids import FeatureId
from circuitkb.stores.base import Store
from circuitkb.visualization.kept import kept
from circuitkb.visualization.visualization import SAYS_NOT


def card_images(store: Store, card: Card) -> str:
    """Return the images of a feature as HTML; one that cannot be drawn is no reason for no card."""
    if card.kind != "feature":
        return ""
    shown = ""
    for draw in (_stimuli, _photographs, _searched):
        try:
            shown += "".join(draw(store, card))
        except (CircuitKBError, OSError, ValueError):
            continue
    return shown


def _stimuli(store: Store, card: Card) -> Iterator[str]:
    responses = store.responses(str(card.facts["model"])) if card.facts.get("answers") else None
    found = () if responses is None else best_stimuli(responses, card.id)
    if found:
        images = (html_of(stimulus_png(one.place), one.caption) for one in found)
        yield _gallery(TITLE, "".join(images), "")


def _photographs(store: Store, card: Card) -> Iterator[str]:
    feature = FeatureId.parse(card.id)
    for observed in observations(store, feature.model):
        images = "".join(
            html_of(observed.thumbnail(one.sha256), one.caption, frame=observed.frame_of(one))
            for one in observed.examples(feature)
            if one.has_thumbnail
        )
        if images:
            yield _gallery(f"{BEST_TITLE}: {observed.collection}", images, said_of_best(observed))


def _searched(store: Store, card: Card) -> Iterator[str]:
    found = list(kept(store, card.id))
    if found:
        images = "".join(html(*each) for item in found for each in item.shown())
        notes = [*(note for item in found for note in item.notes), SAYS_NOT]
        yield _gallery("The image that it answers to most", images, "\n".join(notes))


def _gallery(title: str, images: str, note: str) -> str:
    lines = "".join(f"<p>{escape(line)}</p>" for line in note.split("\n") if line)
    return f"<h4>{escape(title)}</h4><div>{images}</div>{lines}"
