"""The image that a unit answers to most, beside its control: kept, shown, saved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from circuitkb.results.pictures.images import html, sheet
from circuitkb.results.result import Result
from circuitkb.schema.errors import ObservationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KIND, VERSION = "visualization", "1"

SAYS_NOT = (
    "An image that a unit answers to most is not what the unit is for: it shows what its weights "
    "let through, not what it answers to in photographs, nor what later layers make of it. Where "
    "an image stays in place, fine noise drives shuffled weights as high: what sets it apart from "
    "its control is what is left when both are moved."
)

FIGURES = ("start", "start_after", "value", "after", "when_moved", "changed")


@dataclass(frozen=True, eq=False)
class Reached:
    """An image that was searched, and what a unit answers to it.

    Attributes
    ----------
    image
        Axes (row, column, channel), 8 bits.
    start, start_after
        What the unit answers to the image that the search began with, before and after its
        nonlinearity.
    value, after
        The same for this image, in the middle of grey, by the whole network.
    when_moved
        What it answers on the mean to the image moved by a few pixels, turned and scaled; None
        where the image is too small for that.
    changed
        Whether any pixel changes what it answers.
    """

    image: NDArray[np.uint8]
    start: float
    start_after: float
    value: float
    after: float
    when_moved: float | None
    changed: bool

    def figures(self) -> dict[str, Any]:
        """Return all but the image, as JSON can hold it."""
        return {name: getattr(self, name) for name in FIGURES}

    def said(self) -> str:
        """Say what it answers, in figures."""
        moved = "" if self.when_moved is None else f", {self.when_moved:.3g} when it is moved"
        return f"answers {self.value:.3g}{moved}; {self.start:.3g} at the start"


@dataclass(frozen=True, eq=False)
class Visualization:
    """The image that a unit answers to most, and what it was searched with.

    Attributes
    ----------
    feature, evidence
        Ids of the unit, and of the evidence that keeps this.
    settings
        Steps, seed, size; and the seed of the shuffled weights, None without a control.
    reached, control
        What was found, of the network and of its copy with shuffled weights.
    stimulus
        The stimulus of the battery to which the unit answers most, and what it answers then,
        before its nonlinearity; None where the model was not observed.
    """

    feature: str
    evidence: str
    settings: Mapping[str, Any]
    reached: Reached
    control: Reached | None = None
    stimulus: tuple[str, float] | None = None

    @property
    def caption(self) -> str:
        """What it shows, in figures, and of which unit."""
        return f"{self.feature} {self.said}"

    @property
    def said(self) -> str:
        """What it shows, in figures."""
        settings, said = self.settings, self.reached.said()
        if self.stimulus is not None:
            name, most = self.stimulus
            said += f"; {most:.3g} to {name}, its best stimulus"
        return f"{said} ({settings['steps']} steps, seed {settings['seed']})"

    @property
    def control_caption(self) -> str:
        """What the control shows, in figures."""
        if self.control is None:
            return ""
        return f"Control, the same search where weights are shuffled: it {self.control.said()}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of this one."""
        found, notes = self.reached, []
        if not found.changed:
            notes.append("no pixel changes what it answers: there is nothing to see")
        elif found.after <= found.start_after:
            notes.append(
                f"after its nonlinearity it gives {found.after:.3g}, no more than at the start"
            )
        if self.stimulus is not None and found.value <= self.stimulus[1]:
            notes.append(f"the stimulus {self.stimulus[0]} moves it more than what was searched")
        if self.control is not None and self.control.value >= found.value:
            notes.append("its control reaches as much")
            if found.when_moved is not None and self.control.when_moved is not None:
                more = found.when_moved > self.control.when_moved
                notes[-1] += f", and {'less' if more else 'as much'} when images are moved"
        return tuple(f"{self.feature}: {note}" for note in notes)

    def shown(self) -> list[tuple[NDArray[np.uint8], str]]:
        """Return its image and that of its control, each with what is said of it."""
        shown = [(self.reached.image, self.caption)]
        return (
            shown if self.control is None else [*shown, (self.control.image, self.control_caption)]
        )

    def figures(self) -> dict[str, Any]:
        """Return all but the images, as JSON can hold it."""
        rows, columns, _ = self.reached.image.shape
        return {
            "settings": dict(self.settings),
            "pixels": f"{rows}x{columns}",
            **self.reached.figures(),
            "control": None if self.control is None else self.control.figures(),
            "stimulus": None if self.stimulus is None else list(self.stimulus),
        }

    @classmethod
    def of_figures(
        cls,
        feature: str,
        evidence: str,
        figures: Mapping[str, Any],
        images: Mapping[str, NDArray[np.uint8]],
    ) -> Self:
        """Return what :meth:`figures` and the images ``image`` and ``control`` say."""

        def reached(image: str, found: Mapping[str, Any]) -> Reached:
            return Reached(images[image], *(found[name] for name in FIGURES))

        control, stimulus = figures["control"], figures["stimulus"]
        return cls(
            feature,
            evidence,
            figures["settings"],
            reached("image", figures),
            None if control is None else reached("control", control),
            None if stimulus is None else (stimulus[0], stimulus[1]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as a row of a list."""
        return {"feature": self.feature, **row_of(self.figures()), "evidence": self.evidence}


def figures_in(detail: str | None) -> dict[str, Any] | None:
    """Read what :meth:`Visualization.figures` gave, as JSON; None if it is anything else.

    A stranger's knowledge base may hold what it will.
    """
    try:
        found = json.loads(detail or "")
        sides = [found] if found["control"] is None else [found, found["control"]]
        name, most = found["stimulus"] or ("", 0.0)
        numbers = [most, found["settings"]["steps"], found["settings"]["seed"]]
        for side in sides:
            numbers += [side[each] for each in FIGURES if each != "when_moved"]
            numbers += [0.0 if side["when_moved"] is None else side["when_moved"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    texts = isinstance(name, str) and isinstance(found.get("pixels"), str)
    return found if texts and all(isinstance(each, int | float) for each in numbers) else None


def row_of(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :meth:`Visualization.figures` gave as a row of a table."""
    control, settings = figures["control"] or {}, figures["settings"]
    stimulus, most = figures["stimulus"] or (None, None)
    return {
        "value": figures["value"],
        "control": control.get("value"),
        "when_moved": figures["when_moved"],
        "control_when_moved": control.get("when_moved"),
        "start": figures["start"],
        "best_stimulus": stimulus,
        "to_best_stimulus": most,
        "after_nonlinearity": figures["after"],
        "steps": settings["steps"],
        "seed": settings["seed"],
        "pixels": figures["pixels"],
    }


@dataclass(frozen=True, eq=False)
class Visualizations(Sequence[Visualization]):
    """Visualisations in the order in which they were asked for; a notebook shows them.

    Attributes
    ----------
    items
        Each with its control.
    seconds
        That making them took; 0 where all were kept.
    """

    items: tuple[Visualization, ...]
    seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: Any) -> Any:
        return self.items[place]

    def __iter__(self) -> Iterator[Visualization]:
        return iter(self.items)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        return (*(note for item in self.items for note in item.notes), SAYS_NOT)

    def to_result(self) -> Result:
        """Return a row for each."""
        return Result.of_records(
            [item.to_dict() for item in self.items], seconds=self.seconds, notes=self.notes
        )

    def save(self, file: str | Path, *, force: bool = False) -> None:
        """Write one PNG with each image beside its control and what is said of both.

        Parameters
        ----------
        file
            Its name ends with ``.png``.
        force
            Whether a file that is there is written over.

        Raises
        ------
        ObservationError
            The file is there, has another ending, or cannot be written.
        """
        path = Path(file)
        check_file(path, force=force)
        data = self._repr_png_()
        try:
            with path.open("wb" if force else "xb") as opened:
                opened.write(data)
        except FileExistsError:
            check_file(path, force=force)
        except OSError as error:
            raise ObservationError(f"{path} cannot be written: {error.strerror}.") from None

    def _repr_png_(self) -> bytes:
        return sheet([item.shown() for item in self.items])

    def _repr_html_(self) -> str:
        rows = ["".join(html(*each) for each in item.shown()) for item in self.items]
        return "<br>".join(rows) + "".join(f"<p>{escape(note)}</p>" for note in self.notes)


def check_file(file: Path, *, force: bool) -> None:
    """Refuse a file that cannot be written before anything is searched.

    Raises
    ------
    ObservationError
        It is there, or has another ending.
    """
    if file.suffix.lower() != ".png":
        raise ObservationError(f"{file}: images are written as PNG, so name it .png.")
    if file.exists() and not force:
        raise ObservationError(
            f"{file} is there already: give another name, or say --force (force=True)."
        )
