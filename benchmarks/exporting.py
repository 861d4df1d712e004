"""A knowledge base as Parquet: how much longer than writing the same tables with pyarrow.

    uv run --group dev python benchmarks/exporting.py
    uv run --group dev python benchmarks/exporting.py --kb circuits-demo.ckb

Without ``--kb`` a made-up one (``benchmarks/synthetic``) of 20,000 features and 600,000 weights.
Processor seconds of both, their ratio, and the peak of resident memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from synthetic import Shape, synthetic

import circuitkb as ckb


def alone(folder: Path, target: Path) -> float:
    """Return the processor seconds that pyarrow takes to write the tables of a folder."""
    seconds = 0.0
    for path in folder.glob("*/*.parquet"):
        table = pq.read_table(path)
        texts = [item.name for item in table.schema if pa.types.is_string(item.type)]
        start = time.process_time()
        pq.write_table(table, target, compression="zstd", use_dictionary=texts)
        seconds += time.process_time() - start
    return seconds


def main() -> None:
    """Run it."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--kb", help="an embedded knowledge base; a made-up one if not given")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address, target = given.kb or str(Path(folder) / "made.ckb"), Path(folder) / "export"
        with ckb.open(address) as kb:
            if not given.kb:
                for rows in synthetic(Shape(features=20_000, edges=600_000, models=1)):
                    kb.store.write(rows)
            start = time.process_time()
            report = kb.export("parquet", target)
            ours = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows = sum(report.counts.values())
        written = alone(target, Path(folder) / "alone.parquet")
        print(f"{rows:,} rows: {ours:.1f} s, {rows / ours:,.0f} rows/s, peak {peak:,.0f} MB")
        print(f"pyarrow writes the same tables in {written:.2f} s: {ours / written:.0f} times")


if __name__ == "__main__":
    main()
