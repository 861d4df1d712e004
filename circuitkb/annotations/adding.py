"""One annotation from the shell or a notebook: a label, a review, a retraction."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from circuitkb.annotations.history import ARROW
from circuitkb.annotations.importing import AUTHOR_VARIABLE, import_records
from circuitkb.annotations.report import ImportReport
from circuitkb.loaders.annotation_formats.checking import problems_of
from circuitkb.loaders.annotation_formats.rows import AUTHOR_TYPES
from circuitkb.schema.definition import did_you_mean
from circuitkb.schema.errors import AnnotationError, IdError, NotFoundError
from circuitkb.schema.ids import FeatureId, canonical_json
from circuitkb.schema.records import canonical_record
from circuitkb.stores.base import Store

LICENSE_VARIABLE = "CIRCUITKB_LICENSE"
"""Names the licence of what is added, where nothing else does."""

VERDICTS = ("agree", "disagree", "unsure")

_MODEL = "MATCH (m:Model {id: $id}) RETURN m.fingerprint AS fingerprint"
_CIRCUIT = "MATCH (c:Circuit {id: $id}) RETURN c.id AS id"
_ANNOTATION = "MATCH (a:Annotation {id: $id}) RETURN a.id AS id, a.state AS state"
_REVIEWS = """\
MATCH (r:Annotation)-[:ANNOTATES]->(:Annotation {id: $id})
WHERE r.kind = 'review' AND r.state = 'live'
MATCH (r)-[:BY]->(:Annotator {id: $author}) RETURN r.id AS id, r.records AS records ORDER BY id"""

_OVER = ("superseded", "retracted")
"""States that nothing leads back from."""


def add_label(
    store: Store,
    target: str,
    label: str,
    *,
    author: str | None = None,
    author_type: str = "human",
    vocabulary: str | None = None,
    confidence: float | None = None,
    sign: str | None = None,
    method: str = "manual",
    source: str = "circuitkb annotate add",
    license: str | None = None,
    supersedes: Sequence[str] = (),
) -> ImportReport:
    """Say that a feature, an edge or a circuit is something; see ``Annotate.add``."""
    record = _record("label", _target(store, target), author, author_type, method, source, license)
    record["label"] = {"text": label} | ({"vocabulary": vocabulary} if vocabulary else {})
    for name, value in (("confidence", confidence), ("sign", sign)):
        if value is not None:
            record[name] = value
    for older in supersedes:
        _check_annotation(store, older)
    if supersedes:
        record["supersedes"] = list(supersedes)
    return _write(store, record)


def review(
    store: Store,
    annotation: str,
    verdict: str,
    *,
    text: str | None = None,
    author: str | None = None,
    author_type: str = "human",
    license: str | None = None,
) -> ImportReport:
    """Agree or disagree with an annotation; see ``Annotate.review``.

    It takes the place of what the same author said of it before.
    """
    if verdict not in VERDICTS:
        near = did_you_mean(verdict, VERDICTS)
        raise AnnotationError(f"{verdict!r} is no verdict.{near}")
    source = "circuitkb annotate review"
    record = _about(store, annotation, "review", text, author, author_type, source, license)
    record["verdict"] = verdict
    who = {"id": annotation, "author": record["author"]["id"]}
    earlier = dict(store.read(_REVIEWS, who, limit=None).rows)
    if len(earlier) == 1:
        (texts,) = earlier.values()
        said = json.loads(texts[0])
        if (said["verdict"], said.get("text")) == (verdict, text or None):
            return _write(store, said)
    if earlier:
        record["supersedes"] = sorted(earlier)
    return _write(store, record)


def retract(
    store: Store,
    annotation: str,
    *,
    text: str | None = None,
    author: str | None = None,
    author_type: str = "human",
    license: str | None = None,
) -> ImportReport:
    """Take back an annotation of one's own, for good; see ``Annotate.retract``."""
    source = "circuitkb annotate retract"
    return _write(
        store,
        _about(store, annotation, "retraction", text, author, author_type, source, license),
    )


def _about(
    store: Store,
    annotation: str,
    kind: str,
    text: str | None,
    author: str | None,
    author_type: str,
    source: str,
    license: str | None,
) -> dict[str, Any]:
    """Return a record about an annotation, which must be here."""
    _check_annotation(store, annotation)
    target = {"type": "annotation", "id": annotation}
    record = _record(kind, target, author, author_type, "manual", source, license)
    return record | ({"text": text} if text else {})


def _record(
    kind: str,
    target: dict[str, Any],
    author: str | None,
    author_type: str,
    method: str,
    source: str,
    license: str | None,
) -> dict[str, Any]:
    said_by = author or os.environ.get(AUTHOR_VARIABLE)
    if not said_by:
        raise AnnotationError(
            f"Who says it? Give --author ID (author= in Python), or set {AUTHOR_VARIABLE}."
        )
    if author_type not in AUTHOR_TYPES:
        near = did_you_mean(author_type, AUTHOR_TYPES)
        raise AnnotationError(f"{author_type!r} is no type of author.{near}")
    return {
        "schema": "circuitkb.annotation/1",
        "kind": kind,
        "target": target,
        "author": {"id": said_by, "type": author_type},
        "method": method,
        "source": {"uri": source},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "license": license or os.environ.get(LICENSE_VARIABLE) or "NOASSERTION",
    }


def _target(store: Store, text: str) -> dict[str, Any]:
    """Return the target that a text names: a feature, an edge ``A -> B``, or a circuit.

    Raises
    ------
    NotFoundError
        There is no such model or circuit here; a file may speak of what is to come, a word typed
        in a shell is more likely mistyped.
    """
    ends = [end.strip() for end in text.split(ARROW)]
    if len(ends) == 2:
        source, target = (_unit(store, FeatureId.parse(end)) for end in ends)
        return {"type": "edge", "source": source, "target": target}
    try:
        return {"type": "feature", **_unit(store, FeatureId.parse(text))}
    except IdError:
        if store.read(_CIRCUIT, {"id": text}).rows:
            return {"type": "circuit", "id": text}
    raise NotFoundError(
        f"No feature or circuit {text!r} here. A feature is written model/layer:unit, an edge "
        f"'FEATURE {ARROW} FEATURE'."
    )


def _unit(store: Store, feature: FeatureId) -> dict[str, Any]:
    from circuitkb.stores import known_names

    known_names.check_models(store, [feature.model])
    fingerprint = store.read(_MODEL, {"id": feature.model}).rows[0][0]
    unit = {"model": feature.model, "layer": feature.layer, "unit": feature.unit}
    if feature.basis is not None:
        unit["basis"] = feature.basis
    return unit | {"fingerprint": fingerprint}


def _check_annotation(store: Store, id: str) -> None:
    if not store.read(_ANNOTATION, {"id": id}).rows:
        raise NotFoundError(
            f"No annotation {id!r} here. The ids of those on a feature: "
            "circuitkb annotate history FEATURE"
        )


def _write(store: Store, record: dict[str, Any]) -> ImportReport:
    if "id" not in record and not problems_of(record):
        record |= _id_of_its_own(store, record)
    report = import_records(store, [record], name="this annotation")
    if report.refused:
        reason = report.rejections[0].reason
        raise AnnotationError(f"It was not written: {reason}{'' if reason[-1] in '.?' else '.'}")
    return report


def _id_of_its_own(store: Store, record: dict[str, Any]) -> dict[str, str]:
    """Return the id that a record needs, if the hash of what it states is used up.

    Who goes back to a label after taking it back says the same again, and what was superseded or
    retracted stays so. The id is made from what is said, so that the same command twice is one.
    """
    hashed = id = canonical_record(record)["id"]
    said = {"id": hashed, "supersedes": sorted(record.get("supersedes", ()))}
    for times in count(1):
        rows = store.read(_ANNOTATION, {"id": id}).rows
        if id not in said["supersedes"] and (not rows or rows[0][1] not in _OVER):
            break
        again = canonical_json(said | {"times": times})
        id = f"urn:uuid:{uuid5(NAMESPACE_URL, again)}"
    return {} if id == hashed else {"id": id}
