"""Claims as files: JSON Lines, YAML, and bundles that hold what it takes to repeat their trials.

A bundle is a zip::

    claims.jsonl     the claims, one a line
    trials.jsonl     their trials, as rows of the graph
    proofs.jsonl     the proofs and counterexamples that trials name, as rows of the graph
    standings.jsonl  how they stood, and why
    models.json      the networks: where from, fingerprints, and the commands that prepare them
    README.md        how to take it in, and to repeat it
    SHA256SUMS

The same claims and trials give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from circuitkb.claims.carried_proofs import proofs_of
from circuitkb.claims.reading import (
    CLAIMS,
    MOST_BYTES,
    MOST_OF_PROOFS,
    PROOFS,
    STANDINGS,
    TRIALS,
)
from circuitkb.claims.stored import StoredClaim, StoredClaims
from circuitkb.claims.ways.way import Bench
from circuitkb.results.harmless_text import without_folder
from circuitkb.schema.errors import ClaimError
from circuitkb.schema.ids import canonical_json
from circuitkb.stores.base import Store
from circuitkb.stores.disk.whole_file import whole_file

FORMATS = ("jsonl", "yaml", "bundle")

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)

_MODELS = """\
MATCH (m:Model) WHERE m.id IN $ids RETURN m.id AS id, m.source AS source,
  m.fingerprint AS fingerprint, m.license AS license, m.attribution AS attribution ORDER BY id"""

_DONE = """\
MATCH (i:Import) WHERE i.kind IN ['load', 'observe', 'find', 'match']
RETURN i.kind AS kind, i.model AS model, i.source AS source, i.summary AS summary
ORDER BY i.kind, i.id"""


def export_claims(
    store: Store, ids: Sequence[str], format: str, output: Path | None
) -> tuple[str, int]:
    """Return claims as text, and their number; with ``output`` they go into a new file.

    Raises
    ------
    ClaimError
        No such claim or format, a bundle without a file, or the file is there.
    """
    if format not in FORMATS:
        raise ClaimError(f"{format!r} is no format of claims: {', '.join(FORMATS)}.")
    if output is not None and output.exists():
        raise ClaimError(f"{output} is there already, and is not replaced: name another file.")
    stored = StoredClaims.of(store)
    chosen = _with_parts(stored, ids)
    if format == "bundle":
        if output is None:
            raise ClaimError("A bundle is a zip: say where, as in --output claims.zip.")
        with whole_file(output, overwrite=False) as file:
            _write_bundle(file, store, stored, chosen)
        return "", len(chosen)
    records = list(_records(chosen))
    if format == "yaml":
        text = yaml.safe_dump(records, sort_keys=False, allow_unicode=True, width=100)
    else:
        text = "".join(f"{canonical_json(record)}\n" for record in records)
    if output is None:
        return text, len(chosen)
    with whole_file(output, overwrite=False) as file:
        file.write_text(text, encoding="utf-8", newline="\n")
    return "", len(chosen)


def export_statement(kb: Bench, ids: Sequence[str], output: Path | None) -> None:
    """Write what a claim predicts to be proved as VNN-LIB 2.0, with its network as ONNX.

    Raises
    ------
    ClaimError
        It is not one claim that predicts a proof, or no folder is named.
    """
    if len(ids) != 1 or output is None:
        raise ClaimError(
            "VNN-LIB holds one statement: name one claim, and a new folder with --output."
        )
    prediction = StoredClaims.of(kb.store).claim(ids[0]).record.get("prediction", {})
    if prediction.get("test") != "proof":
        raise ClaimError(f"{ids[0]} predicts no proof: VNN-LIB has nothing to say of it.")
    kb.export_proof(
        prediction["tried"],
        output,
        prediction.get("when"),
        prediction["then"],
        box=prediction.get("box", "range"),
        within=prediction.get("within", ()),
    )


def _with_parts(stored: StoredClaims, ids: Sequence[str]) -> list[StoredClaim]:
    wanted = [stored.claim(id).id for id in ids] or list(stored.claims)
    found: dict[str, StoredClaim] = {}
    while wanted:
        id = wanted.pop()
        if id not in found and id in stored.claims:
            found[id] = stored.claims[id]
            wanted += stored.claims[id].node["parts"] or ()
    return [found[id] for id in sorted(found)]


def _records(claims: Sequence[StoredClaim]) -> Iterator[dict[str, Any]]:
    """Give every record, those that contest one another too."""
    for claim in claims:
        for text in claim.node["records"]:
            yield json.loads(text)


def _write_bundle(
    file: Path, store: Store, stored: StoredClaims, claims: Sequence[StoredClaim]
) -> None:
    models = sorted({claim.model for claim in claims if claim.model} | _others(claims))
    trials = [dict(trial) for claim in claims for trial in claim.trials]
    proofs = proofs_of(store, trials)
    standings = [
        {"claim": claim.id, "text": claim.node["text"], **vars(stored.standings[claim.id])}
        for claim in claims
    ]
    texts = {
        CLAIMS: "".join(f"{canonical_json(record)}\n" for record in _records(claims)),
        TRIALS: "".join(
            f"{canonical_json(trial)}\n" for trial in sorted(trials, key=lambda one: one["id"])
        ),
        STANDINGS: "".join(f"{canonical_json(one)}\n" for one in standings),
        PROOFS: "".join(f"{canonical_json(proof)}\n" for proof in proofs),
        "models.json": json.dumps(list(_models(store, models)), indent=2) + "\n",
        "README.md": _README.format(claims=len(claims), trials=len(trials), proofs=len(proofs)),
    }
    for name, text in texts.items():
        most = MOST_OF_PROOFS if name == PROOFS else MOST_BYTES
        if len(text.encode()) > most:
            raise ClaimError(f"{name} would be larger than {most >> 20} MiB: name fewer claims.")
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    texts["SHA256SUMS"] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
    with zipfile.ZipFile(file, "w") as bundle:
        for name, text in texts.items():
            entry = zipfile.ZipInfo(name, _FIRST_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, text)


def _others(claims: Sequence[StoredClaim]) -> set[str]:
    predictions = (claim.record.get("prediction", {}) for claim in claims)
    return {one["with"] for one in predictions if "with" in one}


def _models(store: Store, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Give each network, and the commands after which its claims can be tested."""
    done = store.read(_DONE, limit=None).to_dicts()
    for row in store.read(_MODELS, {"ids": names}, limit=None).to_dicts():
        source = without_folder(row["source"])
        commands = [f"circuitkb load {shlex.quote(source)} --name {row['id']}"]
        commands += [
            command
            for one in done
            if one["model"] == row["id"] and (command := _command(one)) is not None
        ]
        yield {**row, "source": source, "commands": sorted(set(commands), key=commands.index)}


def _command(done: Mapping[str, Any]) -> str | None:
    summary = json.loads(done["summary"])
    match done["kind"]:
        case "observe" if "battery" in summary:
            return f"circuitkb observe {done['model']}"
        case "find":
            return (
                f"circuitkb find {done['source']} --model {done['model']} "
                f"--of {shlex.quote(summary['of'])}"
            )
        case "match":
            return f"circuitkb match {' '.join(summary['models'])}"
    return None


_README = """# Claims about neural networks, and their trials

{claims} claims, {trials} trials and {proofs} proofs, written by circuitkb. To take them into a
knowledge base, and to repeat the trials there, or one proof (`circuitkb list Proof` has them):

    circuitkb claim add BUNDLE.zip
    circuitkb claim test --again
    circuitkb prove --again PROOF

`models.json` says which networks they are about, where those come from, and which commands prepare
them; `sha256sum -c SHA256SUMS` holds the files against their hashes. A trial counts only where the
weights, the battery and the searches are those that it was made with.
"""
