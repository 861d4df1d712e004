"""What showing a folder of pictures to a network found."""

from __future__ import annotations

from dataclasses import dataclass

from circuitkb.results.result import Result


@dataclass(frozen=True)
class PhotographsReport:
    """What an observation of pictures did.

    Attributes
    ----------
    model, key
        Name of the model, and the key under which the store keeps the observation.
    created
        Whether anything was written; what was observed already is left as it is.
    pictures, left_out, copies
        Pictures that were shown, files that were not, and files that are copies of others.
    left_out_files
        Some of those by name, with the reason.
    size
        Rows and columns of the images.
    units
        Units that were read.
    classes, tested, beyond_chance, by_chance, shuffled
        Folders that name classes, units tested against permuted classes, how many prefer a class
        beyond chance (q <= 0.05 in their layer), and how many do by the same test with one more
        permutation in the place of the classes, and in a copy of the network with shuffled
        weights; None where there are no two classes.
    permutations
        Of the null.
    thumbnails, bytes
        Small copies that are kept, and bytes of the file that holds everything.
    pixels_known
        Whether the values of black and white come with the weights, or were assumed.
    seconds
        How long it took.
    """

    model: str
    key: str
    created: bool
    pictures: int
    left_out: int
    copies: int
    left_out_files: str
    size: tuple[int, int]
    units: int
    classes: int | None
    tested: int | None
    beyond_chance: int | None
    by_chance: int | None
    shuffled: int | None
    permutations: int | None
    thumbnails: int
    bytes: int
    pixels_known: bool
    seconds: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about the figures."""
        notes = []
        if not self.created:
            notes.append(f"{self.model} was shown these pictures already: nothing changed.")
        if self.left_out:
            named = f": {self.left_out_files}" if self.left_out_files else " as they cannot be read"
            notes.append(f"{self.left_out:,} files are left out{named}.")
        if self.copies:
            notes.append(f"{self.copies:,} files are copies of others, and count once.")
        if self.classes:
            notes.append(
                f"{self.beyond_chance:,} of {self.tested:,} units prefer one of {self.classes} "
                f"classes beyond chance ({self.permutations} permutations, q <= 0.05 in the "
                f"layer); with the classes permuted once more {self.by_chance:,} do, in a copy of "
                f"the network with shuffled weights {self.shuffled:,}. Classes differ in whatever "
                "goes with them, as backgrounds do: a preference is no meaning."
            )
        notes.append(
            f"The best are the best of these {self.pictures:,} pictures only: they do not show "
            "what a unit is for."
        )
        if not self.pixels_known:
            notes.append(
                "The source does not say what black and white are to it: -1 and 1 were assumed. "
                "--black and --white tell."
            )
        return tuple(notes)

    def to_result(self) -> Result:
        """Return one row."""
        names = (
            "model",
            "pictures",
            "left_out",
            "units",
            "classes",
            "beyond_chance",
            "by_chance",
            "shuffled",
            "thumbnails",
            "bytes",
            "key",
            "seconds",
        )
        row = tuple(getattr(self, name) for name in names)
        return Result(names, (row,), seconds=self.seconds, notes=self.notes)
