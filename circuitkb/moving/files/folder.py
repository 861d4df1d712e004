"""A folder that is written whole or not at all, and says in ``circuitkb.json`` what it holds."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from circuitkb.loaders.sources.kinds.exported import ABOUT
from circuitkb.schema.errors import StoreError
from circuitkb.stores.disk.files import bring_to_disk, disk_errors, sync, umask
from circuitkb.stores.disk.unfinished import SUFFIX, held, prefix, remove_left_behind

FORMATS_WRITTEN = ("circuitkb-parquet", "circuitkb-neo4j-admin", "circuitkb-part")
"""What may stand in it under ``format``."""

_PIECE = 1 << 20
_WRITTEN = re.compile(
    r"circuitkb\.json|README\.txt|import\.args|after-import\.cypher"
    r"|(?:nodes|relations)/[A-Za-z_.]+\.(?:parquet|csv)"
    r"|[0-9]+/(?:rows\.json|[0-9]+\.arrow)"
    r"|(?:arrays/[0-9a-f-]{36}/|[0-9]+/)?(?:kernels|responses|pictures)/[a-z0-9][a-z0-9._-]*\.safetensors"
)


@contextmanager
def whole_folder(
    target: Path, *, force: bool, own: re.Pattern[str] | None = None
) -> Iterator[Path]:
    """Give an empty folder beside ``target`` that takes its place when the block ends well.

    Parameters
    ----------
    target
        Where the folder is to be; made with its parents.
    force
        Whether an export that is there gives way. Nothing else ever does.
    own
        Files that are written besides those of an export: what a killed run left is removed only
        where it holds no others.

    Raises
    ------
    StoreError
        Something else is there, or it cannot be written; nothing was changed.
    StoreFullError
        The disk is full; nothing was changed.
    """
    target = target.expanduser().resolve()  # a link to a folder stays a link
    check_target(target, force=force)
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_left_behind(
            target, own=lambda name: any(each.fullmatch(name) for each in (_WRITTEN, own) if each)
        )
        made = tempfile.mkdtemp(prefix=prefix(target), suffix=SUFFIX, dir=target.parent)
    unfinished = Path(made)
    try:
        with disk_errors(target), held(unfinished):
            yield unfinished
            unfinished.chmod(0o777 & ~umask())  # it is private until it is whole
            bring_to_disk(unfinished)
            check_target(target, force=force)  # somebody may have come first
            _replace(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def check_target(target: Path, *, force: bool) -> None:
    """Refuse to write where something stands that is not to give way.

    Raises
    ------
    StoreError
        It is a file, a folder of somebody else's, or an export and not ``force``.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise StoreError(f"{target} is a file: name a folder that is not there yet.")
    if not any(target.iterdir()):
        return
    if read_about(target).get("format") not in FORMATS_WRITTEN:
        raise StoreError(
            f"{target} holds something that is no export of circuitkb, and was not touched: "
            "name a folder that is empty or not there yet."
        )
    if not force:
        raise StoreError(f"{target} holds an export already: take --force to replace it.")
    theirs = _not_ours(target)
    if theirs:
        raise StoreError(
            f"{target} holds {theirs[0]}, which no export wrote, and was not touched: move it "
            "away, or name another folder."
        )


def _not_ours(folder: Path) -> list[str]:
    """Return what is in the folder of an export and has no place in any layout."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    names = (path.relative_to(folder).as_posix() for path in paths)
    return sorted(name for name in names if not _WRITTEN.fullmatch(name))


def read_about(folder: Path) -> dict[str, Any]:
    """Return what stands in ``circuitkb.json``; nothing where it is missing or no JSON object."""
    try:
        found = json.loads((folder / ABOUT).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_about(folder: Path, about: dict[str, Any]) -> None:
    """Write ``circuitkb.json``: the same content, the same bytes."""
    text = json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / ABOUT).write_text(text + "\n", encoding="utf-8", newline="\n")


def checksum(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _replace(unfinished: Path, target: Path) -> None:
    """Let one folder take the place of another, which comes back if that fails."""
    if not target.exists():
        unfinished.rename(target)
    else:
        old = unfinished.with_suffix(".replaced")
        target.rename(old)
        try:
            unfinished.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    with suppress(OSError):
        sync(target.parent)
