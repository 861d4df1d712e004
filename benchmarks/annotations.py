"""Annotations by the hundred thousand: checked, imported, imported again, compared, exported.

    uv run --group dev python benchmarks/annotations.py
    uv run --group dev python benchmarks/annotations.py --records 1000000
    uv run --group dev python benchmarks/annotations.py --kb bolt://127.0.0.1:7687   an empty one

Labels by ten made-up annotators of the units of the published InceptionV1. Each step runs in a
process of its own. Printed are seconds, records a second and the peak of resident memory, and
ratios: checking against the package ``jsonschema``, every step against parsing the file's JSON (in
processor time, the engine's included), and importing against adding one by one. It
ends with 1 where a target is missed: 100,000 records within 60 s, a million within 1 GB (embedded).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SECONDS_FOR_A_HUNDRED_THOUSAND = 60.0
MEGABYTES = 1024
SAMPLE = 500
ONE_BY_ONE = 5

STEP = """
import resource, sys, time
import circuitkb as ckb
def spent():
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
address, what, file = sys.argv[1:]
with ckb.open(address) as kb:
    if what == "load":
        kb.load("published:inceptionv1")
    start, before = time.perf_counter(), spent()
    if what == "import":
        report = kb.annotate.import_files(file)
        assert report.rejected == 0, report.rejections
    elif what == "export":
        kb.annotate.export(file, overwrite=True)
    elif what == "agreement":
        kb.annotate.agreement()
    elif what == "add":
        for n in range(5):
            kb.annotate.add(f"inceptionv1/mixed3a:{n}", "one by one", author="one")
    seconds = time.perf_counter() - start
from circuitkb.stores.embedded import query_process
query_process._end_all()  # so that its time is known
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, spent() - before)
"""


def made(count: int, layers: dict[str, int]) -> list[dict[str, Any]]:
    """Return records of labels, each another one."""
    draw = random.Random(1)
    names = list(layers)
    found = []
    for number in range(count):
        layer = draw.choice(names)
        unit = draw.randrange(layers[layer])
        found.append(
            {
                "schema": "circuitkb.annotation/1",
                "kind": "label",
                "label": {"text": f"word {draw.randrange(500)}", "vocabulary": "ours"},
                "target": {"type": "feature", "model": "inceptionv1", "layer": layer, "unit": unit},
                "author": {"id": f"labeller-{draw.randrange(10)}", "type": "human"},
                "method": "manual",
                "source": {"uri": f"sheet-{number}"},
                "created": "2026-01-01",
                "license": "CC0-1.0",
                "confidence": round(draw.random(), 2),
            }
        )
    return found


def step(address: str, what: str, file: Path) -> tuple[float, float, float]:
    """Return seconds, megabytes and processor seconds of one step in a process of its own."""
    settings = {
        "CIRCUITKB_ENGINE_MB": "600",
        "CIRCUITKB_LICENSE": "CC0-1.0",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", STEP, address, what, str(file)],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    seconds, megabytes, processor = map(float, done.stdout.split())
    return seconds, megabytes, processor


def parsing(file: Path) -> float:
    """Return the processor seconds that the file's JSON takes to parse."""
    start = time.process_time()
    with file.open(encoding="utf-8") as stream:
        for line in stream:
            json.loads(line)
    return time.process_time() - start


def checking_ratio(records: list[dict[str, Any]]) -> tuple[float, float]:
    """Return microseconds that the check of a record takes, and how much longer jsonschema does."""
    from jsonschema import Draft202012Validator

    from circuitkb.loaders.annotation_formats.checking import problems_of, schema

    problems_of(records[0])
    start = time.perf_counter()
    assert not any(map(problems_of, records))
    ours = time.perf_counter() - start
    validator = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    start = time.perf_counter()
    assert all(map(validator.is_valid, records))
    return ours / len(records) * 1e6, (time.perf_counter() - start) / ours


def main() -> None:
    """Run it."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--records", type=int, default=100_000)
    arguments.add_argument("--kb", help="an empty knowledge base; an embedded one if not given")
    given = arguments.parse_args()
    from circuitkb.loaders.published.files import read_published

    records = made(given.records, dict(read_published("published:inceptionv1").layers))
    micros, ratio = checking_ratio(records[:SAMPLE])
    print(f"check: {micros:.0f} µs a record; jsonschema takes {ratio:.0f} times as long")
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        address = given.kb or str(Path(folder) / "zoo.ckb")
        file, out = Path(folder) / "labels.jsonl", Path(folder) / "out.jsonl"
        with file.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(record) + "\n" for record in records)
        del records
        step(address, "load", file)
        parsed = parsing(file)
        seconds = {}
        for name, what, target in (
            ("import", "import", file),
            ("the same again", "import", file),
            ("agreement", "agreement", file),
            ("export", "export", out),
        ):
            seconds[name], megabytes, processor = step(address, what, target)
            rate = given.records / seconds[name]
            print(
                f"{name}: {seconds[name]:.1f} s, {rate:,.0f} records/s, peak {megabytes:,.0f} MB, "
                f"{processor / parsed:.0f} times as long as parsing"
            )
            if name == "import" and not given.kb and megabytes > MEGABYTES:
                missed.append(f"{megabytes:,.0f} MB, more than {MEGABYTES:,}")
        alone = step(address, "add", file)[0] / ONE_BY_ONE
        longer = alone * given.records / seconds["import"]
        print(f"one by one: {alone:.2f} s a record: {longer:,.0f} times as long")
    most = SECONDS_FOR_A_HUNDRED_THOUSAND * max(given.records, 100_000) / 100_000
    if seconds["import"] > most:
        missed.append(f"{seconds['import']:.0f} s, more than {most:.0f}")
    for miss in missed:
        print(f"missed: {miss}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
