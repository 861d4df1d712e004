"""What a report says of one network alone, taken out into a page for each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from circuitkb.report.markdown import code, paragraph
from circuitkb.stores.disk.own_files import replace_text

Section = tuple[str, Sequence[str]]


def split(
    sections: Iterable[Section], models: Sequence[str]
) -> tuple[list[Section], dict[str, list[Section]]]:
    """Return sections without what stands under the heading of one model, and that by model.

    Such a part begins with a heading of the third level whose first word is the model, and ends
    with the next heading of that level; what compares two models goes with the first.

    Examples
    --------
    >>> split([("Tuning", ["All.", "### `a` by layer", "1", "### Besides", "2"])], ["a", "b"])
    ([('Tuning', ['All.', '### Besides', '2'])], {'a': [('Tuning', ['### `a` by layer', '1'])]})
    """
    starts = {
        f"### {code(model)}{after}": model
        for model in models
        for after in (" by layer", ":", " and ")
    }
    kept: list[Section] = []
    pages: dict[str, list[Section]] = {}
    for title, lines in sections:
        whose: str | None = None
        owners = []
        for line in lines:
            if line.startswith("### "):
                found = (model for start, model in starts.items() if line.startswith(start))
                whose = next(found, None)
            owners.append(whose)
        of_all = []
        for owner, group in groupby(zip(owners, lines, strict=True), key=lambda pair: pair[0]):
            part = [line for _, line in group]
            if owner is None:
                of_all += part
            else:
                pages.setdefault(owner, []).append((title, part))
        kept.append((title, of_all))
    return kept, pages


def write_pages(pages: Mapping[str, Sequence[Section]], folder: Path, beside: Path) -> list[str]:
    """Write ``MODEL.md`` for each model, over an earlier one, and return lines that link to them.

    Parameters
    ----------
    folder
        Where the pages are written.
    beside
        Folder of the report, from which the lines name the files.
    """
    if not pages:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    links = []
    for model, sections in pages.items():
        lines = [f"# What was found in {code(model)}", ""]
        lines += paragraph(
            f"Made by {code('circuitkb report')}, as the report that it belongs to: what stands "
            "there for all networks is not repeated here."
        )
        for title, parts in groupby(sections, key=lambda section: section[0]):
            lines += [f"## {title}", "", *(line for _, part in parts for line in part)]
        path = folder / f"{model}.md"
        replace_text(path, "\n".join(lines).rstrip("\n") + "\n")
        links.append(f"[{code(model)}]({Path(os.path.relpath(path, beside)).as_posix()})")
    return paragraph(f"By layer, and the clearest circuits, of each network: {', '.join(links)}.")
