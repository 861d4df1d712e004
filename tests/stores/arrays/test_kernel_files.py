"""Kernels beside the graph: exact, mapped, named by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest

from circuitkb.schema.errors import StoreError
from circuitkb.schema.kernels import Connection
from circuitkb.stores.arrays.formats import FORMATS
from circuitkb.stores.arrays.kernel_files import KernelFile, file_name
from tests.stores.contents import connection, kernel_content

UNITS = np.zeros((1, 1), np.int32)

save = FORMATS["kernels"].save


def test_a_name_says_what_is_inside() -> None:
    one = [connection("c", 0), connection("d", 1)]
    assert file_name(one) == file_name([connection("c", 0), connection("d", 1)])
    others = [
        [connection("d", 0), connection("c", 1)],
        [connection("c", 0)],
        [connection("c", 0), connection("d", 2)],
        [connection("c", 0, (2, 3, 4, 1, 9)), connection("d", 1)],
    ]
    assert len({file_name(item) for item in [one, *others]}) == 5


def test_every_kind_of_connection_survives(tmp_path: Path) -> None:
    given = [
        connection("full", 1),
        connection("none", 1, (0, 2, 2, 1, 1)),
        Connection(
            "plain", "a", "b", "direct", UNITS, UNITS, np.full((1, 1, 1, 2, 1), np.nan, np.float32)
        ),
        Connection(
            "figure",
            "Ü",
            "ß",
            "residual",
            UNITS,
            UNITS,
            np.zeros((1, 1, 1, 1, 1), np.float32),
            origin='a "figure"',
        ),
    ]
    name = file_name(given)
    save(tmp_path, name, given)
    found = KernelFile(tmp_path / name)
    assert [kernel_content(c) for c in found] == [kernel_content(c) for c in given]
    assert [c.key for c in found[::-1]] == ["figure", "plain", "none", "full"]
    with pytest.raises(IndexError):
        found[4]


def test_arrays_of_any_layout_are_saved_as_they_look(tmp_path: Path) -> None:
    plain = connection("c")
    turned = Connection(
        **plain.header(),
        target_units=plain.target_units.astype(np.int32)[:, ::-1][:, ::-1],
        source_units=np.asfortranarray(plain.source_units),
        kernel=np.asfortranarray(plain.kernel),
    )
    assert file_name([turned]) == file_name([plain])


def test_reading_costs_no_memory_until_touched(tmp_path: Path) -> None:
    large = [connection(f"c{i}", i, (1, 256, 256, 5, 5)) for i in range(8)]  # 52 MB
    name = file_name(large)
    save(tmp_path, name, large)
    del large
    process = psutil.Process()
    before = process.memory_info().rss
    found = KernelFile(tmp_path / name)
    shapes = {c.kernel.shape for c in found}
    assert shapes == {(1, 256, 256, 5, 5)}
    assert process.memory_info().rss - before < 10_000_000
    assert not found[0].kernel.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        found[0].kernel[0] = 1


@pytest.mark.parametrize("harm", ["cut", "empty", "gone", "no header"])
def test_a_broken_file_is_named(tmp_path: Path, harm: str) -> None:
    name = file_name([connection("c")])
    save(tmp_path, name, [connection("c")])
    path = tmp_path / name
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": content[:-9], "empty": b"", "no header": b"\xff" * 64}[harm])
    with pytest.raises(StoreError, match=name):
        KernelFile(path)


def test_a_file_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    name = file_name([connection("c")])
    save(tmp_path, name, [connection("c")])
    before = (tmp_path / name).stat()
    save(tmp_path, name, [connection("c")])
    assert (tmp_path / name).stat() == before
    assert [item.name for item in tmp_path.iterdir()] == [name]
