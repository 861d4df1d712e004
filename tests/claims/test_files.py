"""Files of claims: what is read, what is refused and in which words. Costs a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import circuitkb as ckb
from circuitkb.claims.checking import problems_of, schema
from circuitkb.claims.reading import read_claims, shipped_claims
from circuitkb.claims.ways.registry import WAYS
from circuitkb.errors import ClaimError
from tests.claims.worlds import claim, net, whole

GOOD = """\
- statement: It excites.
  aspect: causality
  subject: net
  prediction: {test: kernels, statistic: net, edges: [["a:2", "b:1"]], at_least: 0.5}
  tolerance: 0.1
  refuted_by: it inhibits
  source: {title: Notes, section: 1st page, year: 2026}
  created: 2026-01-02
"""


def read(folder: Path, text: str, name: str = "mine.yaml") -> Any:
    path = folder / name
    path.write_text(text, "utf-8")
    return read_claims(path, "ada")


def refuse(folder: Path, text: str) -> None:
    """Raise for a file that cannot be read, and for the first line that cannot."""
    for line in read(folder, text).claims:
        if line.problem:
            raise ClaimError(line.problem)


def test_yaml_is_completed_with_who_and_when_and_dates_stay_text(tmp_path: Path) -> None:
    (line,) = read(tmp_path, GOOD).claims
    assert problems_of(line.record) == []
    assert line.record["author"] == {"id": "ada", "type": "human"}
    assert line.record["created"] == "2026-01-02"
    assert line.record["license"] == "NOASSERTION"
    (again,) = read(tmp_path, json.dumps(line.record), "mine.jsonl").claims
    assert again.record == line.record


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "- &a {}\n- *a\n", "9: no anchors and aliases"),
        (GOOD.replace("subject: net", "subject: !!python/object:os.system {}"), "constructor"),
        (GOOD.replace("subject: net", "subject: net\n  subject: other"), "stands twice"),
        (GOOD.replace("tolerance: 0.1", "tolerance: .nan"), "not JSON compliant"),
        ("claims: [", "no YAML"),
        ("one", "a list of claims is expected"),
        ("other: 1", "'claims', is expected"),
    ],
)
def test_yaml_that_could_run_repeat_or_mislead_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ClaimError) as caught:
        refuse(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"aspect": "beauty"}, "aspect: 'beauty' is none of causality"),
        ({"prediction": {"test": "cypher", "at_least": 1}}, "prediction.test: 'cypher' is none of"),
        ({"prediction": net(1, 1)}, "give one of at_least, at_most, about"),
        ({"prediction": net(1, 1, at_least=1, at_most=2)}, "give one of"),
        ({"prediction": net(1, 1, at_least=1) | {"run": "rm"}}, "'run' is no field here"),
        ({"tolerance": -1}, "tolerance: -1 is less than 0"),
        ({"source": {"title": "t"}}, "source: 'section' is missing"),
        ({"refuted_by": ""}, "refuted_by: it is empty"),
        ({"statement": "a\u202eb"}, "a mark that turns the direction of text"),
        ({"id": "ckb:" + "0" * 32}, "is the hash of another claim"),
    ],
)
def test_a_claim_that_lacks_something_says_what(given: dict[str, Any], said: str) -> None:
    assert said in "; ".join(problems_of(claim("c") | given))


def test_a_prediction_without_a_tolerance_and_a_claim_without_either_are_refused() -> None:
    record = claim("c")
    del record["tolerance"]
    assert "'tolerance' is missing" in problems_of(record)[0]
    del record["prediction"]
    assert "nothing could refute it" in problems_of(record)[0]
    assert problems_of(whole("w", "c")) == []


def test_the_schema_is_one_that_other_programs_read_and_names_the_tests_there_are() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["properties"]["prediction"]["properties"]["test"]["enum"] == list(WAYS)
    assert set(WAYS) <= set(schema()["$defs"])


def test_the_shipped_claims_are_whole_and_say_where_they_come_from() -> None:
    records = [line.record for line in shipped_claims().claims]
    assert [problem for record in records for problem in problems_of(record)] == []
    ids = {record["id"] for record in records}
    assert len(ids) == len(records) >= 30
    for record in records:
        assert {"title", "section", "year", "uri"} == set(record["source"])
        assert set(record.get("parts", ())) <= ids
    assert sum("prediction" in record for record in records) >= 30
    assert {record["aspect"] for record in records} == set(schema()["properties"]["aspect"]["enum"])


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match="cannot be read"):
        read_claims(tmp_path / "none.yaml", "ada")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff")
    with pytest.raises(ClaimError, match="no UTF-8"):
        read_claims(tmp_path / "bytes.jsonl", "ada")
    assert issubclass(ClaimError, ckb.errors.CircuitKBError)
