"""Formats of others: Distill, Neuronpedia, NetDissect, CLIP-Dissect and MILAN."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from circuitkb.loaders.annotation_formats.checking import schema
from circuitkb.loaders.annotation_formats.lines import Defaults, Line
from circuitkb.loaders.annotation_formats.recognition import FORMATS, open_annotations
from circuitkb.loaders.published.rows import published_rows
from circuitkb.schema.errors import AnnotationFileError
from circuitkb.schema.ids import FeatureId, annotation_id

SAMPLES = Path(__file__).parent / "samples"
VALIDATOR = jsonschema.Draft202012Validator(
    schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
SAID: dict[str, dict[str, Any]] = {
    "conv5-result.csv": {"model": "alexnet", "layer": "conv5"},
    "descriptions.csv": {"model": "resnet50"},
    "alexnet_imagenet.csv": {"model": "alexnet"},
    "annotations.csv": {"model": "alexnet"},
    "graph.json": {"author": "ada"},
    "saved_subgraph.json": {"author": "ada"},
}
EXPECTED = {
    "alexnet_imagenet.csv": "milan",
    "annotations.csv": "milan",
    "conv2d0.json": "distill",
    "conv5-result.csv": "netdissect",
    "descriptions.csv": "clip-dissect",
    "explanations.jsonl": "neuronpedia-explanations",
    "graph.json": "neuronpedia-subgraph",
    "records.jsonl": "jsonl",
    "saved_subgraph.json": "neuronpedia-subgraph",
    "spreadsheet.csv": "csv",
}


def lines_of(path: Path, **said: Any) -> list[Line]:
    return list(open_annotations(path, defaults=Defaults(**said)).lines)


def records_of(name: str, **said: Any) -> list[dict[str, Any]]:
    lines = lines_of(SAMPLES / name, **(said or SAID.get(name, {})))
    return [line.record for line in lines if line.record is not None]


def features_of(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (
            str(FeatureId(at["model"], at["layer"], at["unit"], at.get("basis"))),
            record["label"]["text"],
        )
        for record in records
        if (at := record["target"])["type"] == "feature"
    ]


def test_every_sample_is_recognised_by_what_it_says(tmp_path: Path) -> None:
    assert sorted(path.name for path in SAMPLES.iterdir()) == sorted(EXPECTED)
    for name, expected in EXPECTED.items():
        renamed = tmp_path / "mixed3a.txt"
        renamed.write_bytes((SAMPLES / name).read_bytes())
        said = Defaults(**SAID.get(name, {}))
        assert open_annotations(renamed, defaults=said).format == expected
    assert {*EXPECTED.values(), "bundle"} == set(FORMATS.names)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_record_follows_the_schema(name: str) -> None:
    records = records_of(name)
    assert records
    for record in records:
        VALIDATOR.validate(record)
        assert annotation_id(record).startswith("ckb:")


def test_distill_lists_are_read_in_spite_of_their_commas() -> None:
    records = records_of("conv2d0.json")
    assert features_of(records) == [
        ("inceptionv1/conv2d0:9", "Gabor Filters"),
        ("inceptionv1/conv2d0:53", "Gabor Filters"),
        ("inceptionv1/conv2d0:54", "Gabor Filters"),
        ("inceptionv1/conv2d0:59", "Color Contrast"),
        ("inceptionv1/conv2d0:23", "Color Contrast"),
        ("inceptionv1/conv2d0:5", "Color Contrast"),
    ]
    assert {(record["method"], record["license"], record["created"]) for record in records} == {
        ("published", "CC-BY-4.0", "2020-04-01")
    }


def test_the_published_labels_are_those_that_loading_the_articles_gives() -> None:
    path = (
        Path(str(resources.files("circuitkb.loaders.published")))
        / "resources/inceptionv1/labels.csv"
    )
    opened = open_annotations(path)
    lines = list(opened.lines)
    ids = {annotation_id(line.record) for line in lines if line.record is not None}
    loaded = published_rows("published:inceptionv1").nodes["Annotation"].to_pylist()
    assert opened.format == "distill"
    assert (len(lines), len(ids)) == (1358, 1354)
    assert ids == {row["id"] for row in loaded if row["kind"] == "label"}


def test_a_list_of_your_own_in_that_layout_is_not_the_articles(tmp_path: Path) -> None:
    own = tmp_path / "labels.csv"
    own.write_text("model,layer,unit,label\ninceptionv1,conv2d0,9,whatever\n", "utf-8")
    with pytest.raises(AnnotationFileError, match="--author"):
        open_annotations(own)
    assert open_annotations(own, defaults=Defaults(author="ada", unit_base=0)).format == "csv"
    (line,) = open_annotations(own, format="distill").lines
    assert line.problem is not None
    assert "--author" in line.problem
    (line,) = open_annotations(own, format="distill", defaults=Defaults(author="ada")).lines
    assert line.record is not None
    assert line.record["author"] == {"id": "ada", "type": "human"}
    assert (line.record["method"], line.record["license"]) == ("manual", "NOASSERTION")


def test_a_distill_list_needs_its_layer(tmp_path: Path) -> None:
    renamed = tmp_path / "families.json"
    renamed.write_bytes((SAMPLES / "conv2d0.json").read_bytes())
    with pytest.raises(AnnotationFileError, match="--layer"):
        open_annotations(renamed)
    assert lines_of(renamed, layer="conv2d1")[0].record is not None


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ({"name": "a", "units": [1.5]}, "1.5"),
        ({"name": "a", "units": [True]}, "True"),
        ({"name": "a", "units": "1"}, "units: it is no list"),
        ({"units": [1], "names": ["name"]}, "name: the family has none"),
        ("name", "a JSON object"),
    ],
)
def test_a_bad_family_is_told_and_the_others_are_read(
    tmp_path: Path, family: Any, reason: str
) -> None:
    path = tmp_path / "conv2d0.json"
    path.write_text(json.dumps([family, {"name": "b", "units": [2]}]), "utf-8")
    bad, good = lines_of(path)
    assert (bad.number, bad.record, good.number) == (1, None, 2)
    assert reason in (bad.problem or "")


def test_explanations_name_their_model_or_their_person() -> None:
    lines = lines_of(SAMPLES / "explanations.jsonl")
    assert [(line.number, line.record is None) for line in lines] == [
        (1, False),
        (2, False),
        (4, True),
        (5, False),
    ]
    assert lines[2].problem == "index: '-1' is no whole number from 0"
    records = [line.record for line in lines if line.record is not None]
    assert features_of(records) == [
        ("gpt2-small/6@res-jb:123", "references to dogs"),
        ("gpt2-small/6:7", 'the word "the"'),
        ("gemma-2-2b/20@gemmascope-transcoder-16k:15589", "Texas"),
    ]
    assert [(record["author"], record["method"]) for record in records] == [
        ({"id": "gpt-4o-mini", "type": "model"}, "llm-explainer"),
        ({"id": "neuronpedia.clsampleauthor2", "type": "human"}, "manual"),
        ({"id": "gemini-2.0-flash", "type": "model"}, "llm-explainer"),
    ]
    assert records[0]["source"] == {"uri": "https://www.neuronpedia.org/gpt2-small/6-res-jb/123"}
    assert records[1]["created"] == "2024-03-01T12:30:00.5Z"
    assert records[1]["scores"] == [{"name": "scoreV1", "value": 0.31}]
    assert records[2]["scores"] == [
        {"name": "eleuther_fuzz", "value": 0.8, "params": {"model": "gpt-4o-mini"}}
    ]
    assert all("confidence" not in record for record in records)


def test_explanations_are_read_from_a_json_list_too(tmp_path: Path) -> None:
    rows = [
        json.loads(line)
        for line in (SAMPLES / "explanations.jsonl").read_text("utf-8").splitlines()
        if line
    ]
    path = tmp_path / "explanations.json"
    path.write_text(json.dumps([*rows, 3], indent=1), "utf-8")
    shutil.copystat(SAMPLES / "explanations.jsonl", path)  # the date of records that bring none
    lines = lines_of(path)
    assert [line.record for line in lines if line.record] == records_of("explanations.jsonl")
    assert [line.number for line in lines if line.problem] == [3, 5]


def test_supernodes_become_circuits_and_labels_of_nodes_labels() -> None:
    lines = lines_of(SAMPLES / "graph.json", author="ada")
    basis = "gemmascope-transcoder-16k"
    records = [line.record for line in lines if line.record is not None]
    circuits = [record for record in records if record["target"]["type"] == "circuit"]
    assert [
        (
            record["label"]["text"],
            record["target"]["id"],
            [
                (member["unit"]["layer"], member["unit"]["unit"], member["unit"]["basis"])
                for member in record["target"].get("members", [])
            ],
            record["ext"]["neuronpedia"].get("no_features"),
        )
        for record in circuits
    ] == [
        (
            "Texas",
            "gemma-2-2b.capital-of-texas.texas",
            [("20", 100, basis), ("7", 61, basis)],
            ["E_26865_9"],
        ),
        ("say Austin", "gemma-2-2b.capital-of-texas.say-austin", [], ["27_22605_10"]),
        ("Texas", "gemma-2-2b.capital-of-texas.texas-2", [("7", 61, basis)], None),
    ]
    assert features_of(records) == [
        (f"gemma-2-2b/20@{basis}:100", "Texas, the state"),
        (f"gemma-2-2b/7@{basis}:61", "US states"),
        (f"gemma-2-2b/7@{basis}:61", "states of the US"),
    ]
    assert [(line.number, line.problem) for line in lines if line.problem] == [
        (4, "the node '3_3_3' stands nowhere in the graph"),
        (7, "the node '99_1_1' is no feature that the file names elsewhere"),
    ]
    assert {record["author"]["id"] for record in records} == {"ada"}


def test_a_saved_subgraph_is_read_without_its_graph() -> None:
    records = records_of("saved_subgraph.json", author="ada", layer="one-layer-is-not-all")
    assert features_of(records) == [("gemma-2-2b/20@transcoder:100", "Texas, the state")]
    assert records[0]["target"]["id"] == "gemma-2-2b.capital-of-texas.texas"
    assert records[0]["source"]["uri"] == (
        "https://www.neuronpedia.org/gemma-2-2b/graph?slug=capital-of-texas"
    )


def test_a_graph_may_name_its_set_of_features_elsewhere(tmp_path: Path) -> None:
    graph = json.loads((SAMPLES / "graph.json").read_text("utf-8"))
    graph["metadata"]["info"] = graph["metadata"].pop("feature_details")
    graph["metadata"]["feature_details"] = {"feature_json_base_url": "https://x.org"}
    graph["qParams"]["clerps"] = json.dumps(graph["qParams"]["clerps"])
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(graph), "utf-8")
    records = [line.record for line in lines_of(path, author="ada") if line.record is not None]
    assert features_of(records) == features_of(records_of("graph.json"))


def test_netdissect_counts_units_from_one() -> None:
    lines = lines_of(SAMPLES / "conv5-result.csv", model="alexnet", layer="conv5")
    records = [line.record for line in lines if line.record is not None]
    assert features_of(records) == [
        ("alexnet/conv5:0", "train"),
        ("alexnet/conv5:255", "black-c"),
    ]
    assert records[0]["scores"] == [
        {"name": "iou", "value": 0.29318890307977408, "params": {"category": "object"}}
    ]
    assert "confidence" not in records[0]
    assert (records[0]["author"], records[0]["label"]["vocabulary"]) == (
        {"id": "netdissect", "type": "tool"},
        "broden",
    )
    assert [(line.number, line.problem) for line in lines if line.problem] == [
        (4, "unit: '0' is below 1, the first unit here")
    ]


def test_clip_dissect_counts_units_from_zero() -> None:
    lines = lines_of(SAMPLES / "descriptions.csv", model="resnet50")
    records = [line.record for line in lines if line.record is not None]
    assert features_of(records) == [
        ("resnet50/conv1:0", "red"),
        ("resnet50/layer4:2047", "goggles"),
    ]
    assert records[0]["scores"] == [{"name": "similarity", "value": 0.25616455}]
    assert lines[2].problem == "description: it is empty"


def test_milan_describes_as_a_model_and_as_people() -> None:
    said_by_model, said_by_people = (
        records_of("alexnet_imagenet.csv"),
        records_of("annotations.csv"),
    )
    assert features_of(said_by_model)[1] == ("alexnet/conv5:255", "Dogs, cats and other animals")
    assert {(record["method"], record["author"]["type"]) for record in said_by_model} == {
        ("milan", "model")
    }
    assert features_of(said_by_people) == [
        ("alexnet/conv1:0", "horizontal lines"),
        ("alexnet/conv1:0", "stripes"),
    ]
    assert {record["method"] for record in said_by_people} == {"crowd"}


@pytest.mark.parametrize(
    ("name", "said", "option"),
    [
        ("conv5-result.csv", {}, "--model"),
        ("conv5-result.csv", {"model": "m"}, "--layer"),
        ("descriptions.csv", {}, "--model"),
        ("alexnet_imagenet.csv", {}, "--model"),
        ("descriptions.csv", {"model": "My Net"}, "--model"),
        ("graph.json", {}, "--author"),
    ],
)
def test_what_a_file_leaves_out_is_asked_for(name: str, said: dict[str, Any], option: str) -> None:
    with pytest.raises(AnnotationFileError, match=option):
        open_annotations(SAMPLES / name, defaults=Defaults(**said))


@pytest.mark.parametrize(
    ("name", "usual", "units"),
    [
        ("conv5-result.csv", 1, [0, 255]),
        ("descriptions.csv", 0, [0, 2047]),
        ("alexnet_imagenet.csv", 0, [0, 255]),
    ],
)
def test_another_unit_base_is_obeyed(name: str, usual: int, units: list[int]) -> None:
    def found(base: int | None) -> list[int]:
        lines = lines_of(SAMPLES / name, **SAID[name], unit_base=base)
        return sorted(line.record["target"]["unit"] for line in lines if line.record)

    assert found(None) == found(usual) == units
    if usual == 0:
        assert found(1) == [units[1] - 1]
    else:
        assert found(0) == [0, *(unit + 1 for unit in units)]
