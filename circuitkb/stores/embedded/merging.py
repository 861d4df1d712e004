"""Writing to an embedded store: in the state itself where little changes, else in a copy of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager

from circuitkb.schema.errors import StoreError
from circuitkb.schema.progress import Progress
from circuitkb.stores.arrays.array_files import ARRAY_KINDS
from circuitkb.stores.arrays.formats import FORMATS
from circuitkb.stores.base import Merge
from circuitkb.stores.changes import Changes, changes_of
from circuitkb.stores.disk.files import disk_is_full, full
from circuitkb.stores.embedded.bulk import apply
from circuitkb.stores.embedded.copies import Staged
from circuitkb.stores.embedded.directory import StoreDirectory
from circuitkb.stores.embedded.engine import empty_graph, engine_error, fault_of
from circuitkb.stores.embedded.expected import Expected, Total, check_updates
from circuitkb.stores.embedded.generations import Generation
from circuitkb.stores.embedded.glancing import Glances, arrays_of
from circuitkb.stores.embedded.in_place import InPlace, to_change
from circuitkb.stores.embedded.pointwise import WEIGHT
from circuitkb.stores.embedded.read_only import ReadOnlyGraph
from circuitkb.stores.embedded.verifying import opened


class Merging:
    """Writes to one store.

    Parameters
    ----------
    directory
        Of the store.
    glances
        What its reader looked at, and is to know of.
    """

    def __init__(self, directory: StoreDirectory, glances: Glances) -> None:
        self._directory = directory
        self._glances = glances

    def ensure_schema(self) -> None:
        """Make the store on the disk, if it is not there."""
        with self._directory.writing():
            if self._directory.current() is None:
                with self._changing(Changes().room, Total({})) as staged:
                    apply(Changes(), staged.generation.graph)

    def merge(self, merge: Merge, doing: str, progress: Progress) -> None:
        """Take all rows of a merge, or none; see :meth:`~.store.EmbeddedStore.merge`."""
        progress(doing, 0.0)
        with self._directory.writing(), ExitStack() as stack:
            newest = self._directory.current()
            total = Total(_counts(newest))
            expected = Expected(total)
            if newest:
                self._glances.look(newest, again=True)
            staged: Staged | None = None
            for piece in range(merge.pieces):
                with closing(self._to_compare(newest, merge)) as before:
                    rows = merge.rows(before, piece, piece + 1)
                    files = {
                        kind: arrays_of(newest, kind, getattr(rows, kind), whole=staged is None)
                        for kind in ARRAY_KINDS
                    }
                    changes = changes_of(rows, before, files)
                    if changes.nothing and (newest or piece + 1 < merge.pieces):
                        continue
                    if any(item.name == WEIGHT for item in changes.relations):
                        self._directory.takes_short_weights()
                    if isinstance(before, InPlace) and self._in_place(changes, before):
                        continue
                    expected.add(changes, before)
                total.add(changes)
                if staged is None:
                    room = changes.room * (merge.pieces - piece)
                    staged = stack.enter_context(self._changing(room, total))
                    newest = staged.generation
                self._apply(changes, staged.generation)
                progress(doing, (piece + 1) / merge.pieces)
            if staged is not None:
                with self._disk_faults():
                    expected.check(staged.generation.graph)
        progress(doing, 1.0)

    def _to_compare(self, newest: Generation | None, merge: Merge) -> InPlace | ReadOnlyGraph:
        """Open the state that a merge is held against, to be changed itself where it can be."""
        whole = newest is not None and merge.pieces == 1
        return (to_change(newest) if newest and whole else None) or opened(newest, timeout=None)

    def _in_place(self, changes: Changes, state: InPlace) -> bool:
        """Make small changes in the state itself; return whether they are made."""
        if not state.takes(changes):
            return False
        with self._disk_faults():
            made = state.write(changes)
        if made:
            self._glances.made(state.generation)
            self._directory.clean()
        return made

    @contextmanager
    def _changing(self, room: int, total: Total) -> Iterator[Staged]:
        """Give the next generation to change; it counts once all changes are in it."""
        with self._directory.next_generation(empty_graph(), room) as staged:
            yield staged
            with self._disk_faults():
                counts = total.counts(staged.generation.graph)
            staged.seal(counts, total.arrays)

    def _apply(self, changes: Changes, staged: Generation) -> None:
        """Make changes in a generation that does not count yet."""
        # Named before they are written: what a killed write leaves is known for the store's own.
        for kind, changed in changes.arrays.items():
            names = {key: name for key, (name, _) in changed.items()}
            staged.name_files(kind, staged.files(kind) | names)
        for kind, _, name, value in changes.files():
            FORMATS[kind].save(self._directory.arrays(kind), name, value)
        with self._disk_faults():
            apply(changes, staged.graph)
            check_updates(changes.updates, staged.graph)

    @contextmanager
    def _disk_faults(self) -> Iterator[None]:
        """Say what a failure of the engine means: it seldom says that the disk is full."""
        try:
            yield
        except (StoreError, engine_error()) as error:
            if disk_is_full(self._directory.path):
                raise full(self._directory.path) from error
            if isinstance(error, StoreError):
                raise
            raise StoreError(
                f"The engine refused the rows ({fault_of(error).text[:200]}); nothing was changed."
            ) from error


def _counts(state: Generation | None) -> Mapping[str, int] | None:
    """Return how much of each kind a state holds, which was counted when it was made, if known."""
    if state is None:
        return {}
    sums = state.checksums()
    return sums.counts if sums else None
