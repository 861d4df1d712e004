"""Folders of published circuits: names, fingerprints, and every way one can be wrong."""

from __future__ import annotations

import json
import re
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from circuitkb.errors import IdError, PublishedDataError, UnknownSourceError
from circuitkb.loaders.published import folder as published_folder
from circuitkb.loaders.published.annotations import label_records
from circuitkb.loaders.published.files import read_published
from circuitkb.loaders.published.rows import published_identity, published_rows
from tests.loaders.published_reading import SOURCE, nodes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the packaged files that a test may spoil."""
    with as_file(
        files("circuitkb.loaders.published").joinpath("resources", "inceptionv1")
    ) as packaged:
        return Path(shutil.copytree(packaged, tmp_path / "data"))


def change(folder: Path, name: str, edit: Any) -> None:
    value = json.loads((folder / name).read_text())
    value = edit(value) or value
    (folder / name).write_text(json.dumps(value))


def rewrite_labels(folder: Path, line: str) -> None:
    with (folder / "labels.csv").open("a", encoding="utf-8") as file:
        file.write(line)


# Names and fingerprints


def test_a_name_renames_every_id(folder: Path) -> None:
    found = published_rows(f"published:{folder}", name="early")
    assert nodes(found, "Model")[0]["id"] == "early"
    assert {f["id"].split("/")[0] for f in nodes(found, "Feature")} == {"early"}
    assert "early.dog-head-union" in {c["id"] for c in nodes(found, "Circuit")}
    assert list(found.kernels) == ["early"]
    with pytest.raises(IdError, match="Try 'my-net'"):
        published_identity(SOURCE, "My Net")


def test_the_fingerprint_follows_the_content_not_its_spelling(folder: Path) -> None:
    name, fingerprint = published_identity(SOURCE)
    assert (name, fingerprint) == published_identity(f"published:{folder}")
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    value = json.loads((folder / "circuits.json").read_text())
    (folder / "circuits.json").write_text(json.dumps(value, indent=7, sort_keys=True))
    assert published_identity(f"published:{folder}")[1] == fingerprint

    def nudge(value: Any) -> None:
        value["edges"][5]["kernel"][0][0] += 0.001

    change(folder, "edges.json", nudge)
    assert published_identity(f"published:{folder}")[1] != fingerprint


def test_the_order_of_the_layers_counts_for_the_fingerprint(tmp_path: Path) -> None:
    found = []
    for layers in ({"a": 2, "b": 3}, {"b": 3, "a": 2}):
        sizes = {"model": "tiny", "layer_sizes": layers}
        (tmp_path / "layer_sizes.json").write_text(json.dumps(sizes))
        found.append(published_identity(f"published:{tmp_path}")[1])
    assert found[0] != found[1]


def test_layer_sizes_alone_are_a_model_of_features(tmp_path: Path) -> None:
    sizes = {"model": "tiny", "layer_sizes": {"a": 2, "b": 3}}
    (tmp_path / "layer_sizes.json").write_text(json.dumps(sizes))
    found = published_rows(f"published:{tmp_path}")
    assert found.counts() == {"Model": 1, "Layer": 2, "Feature": 5, "IN_LAYER": 5, "IN_MODEL": 2}


def test_a_folder_without_about_still_gives_valid_records(folder: Path) -> None:
    (folder / "about.json").unlink()
    schema = json.loads(
        files("circuitkb.schema").joinpath("resources/annotation.schema.json").read_text()
    )
    read = read_published(f"published:{folder}")
    record = next(iter(label_records(read)))
    jsonschema.Draft202012Validator(schema).validate(record)
    assert record["license"] == "NOASSERTION"
    assert record["author"]["type"] == "group"


# Folders that break the format


def test_an_unknown_name_gets_near_matches(tmp_path: Path) -> None:
    with pytest.raises(UnknownSourceError, match="Did you mean 'inceptionv1'"):
        published_rows("published:inceptionv2")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnknownSourceError, match="folder that it is in"):
        published_rows(f"published:{tmp_path / 'file'}")
    with pytest.raises(UnknownSourceError, match="published:NAME or published:DIR"):
        published_rows("published:")


def test_a_folder_without_layer_sizes_is_refused(folder: Path) -> None:
    (folder / "layer_sizes.json").unlink()
    with pytest.raises(PublishedDataError, match=r"layer_sizes\.json is missing"):
        published_rows(f"published:{folder}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("inceptionv1,mixed9z,0,Curves\n", "labels.csv, line 1360: unknown layer 'mixed9z'"),
        ("inceptionv1,mixed4a,508,Curves\n", "line 1360: mixed4a has units 0 to 507, not 508"),
        ("inceptionv1,mixed4a,-1,Curves\n", "line 1360: 'mixed4a:-1' is no unit"),
        ("inceptionv1,mixed4a,1.5,Curves\n", "line 1360: 'mixed4a:1.5' is no unit"),
        ("inceptionv1,mixed4a,3\n", "line 1360: 3 fields instead of 4"),
        ("resnet,mixed4a,3,Curves\n", "line 1360: model 'resnet', but layer_sizes.json is about"),
        ("inceptionv1,mixed4a,3, \n", "line 1360: a label has 1 to 2000 characters"),
        (f"inceptionv1,mixed4a,3,{'x' * 2001}\n", "line 1360: a label has 1 to 2000 characters"),
    ],
)
def test_a_bad_label_is_named_with_its_line(folder: Path, line: str, message: str) -> None:
    rewrite_labels(folder, line)
    with pytest.raises(PublishedDataError, match=re.escape(message)):
        published_rows(f"published:{folder}")


def set_in(*path: Any) -> Any:
    """Return an edit that sets the value at ``path[:-2]``, key ``path[-2]``, to ``path[-1]``."""
    *way, last, value = path

    def edit(root: Any) -> None:
        for key in way:
            root = root[key]
        root[last] = value

    return edit


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("edges.json", set_in("edges", 3, "kernel", 1, [0.0]), "edges[3]: ragged kernel"),
        (
            "edges.json",
            set_in("edges", 3, "kernel", 1, 0, float("nan")),
            "edges[3].kernel[1][0]: Input should be a finite number",
        ),
        ("edges.json", set_in("edges", 3, "kernel", 1, 0, 1e300), "edges[3]: a value does not fit"),
        ("edges.json", set_in("edges", 3, "kernel", 1, 0, "1"), "edges[3].kernel[1][0]: "),
        ("edges.json", set_in("edges", 3, "kernel", []), "edges[3].kernel: "),
        (
            "edges.json",
            set_in("edges", 3, "source", "mixed4c:3"),
            "edges[3]: mixed4c:3 -> mixed4b:418 runs against the order of the layers",
        ),
        ("edges.json", set_in("edges", 3, "target", "mixed4a:1"), "against the order"),
        ("edges.json", set_in("edges", 3, "source", "mixed4A:308"), "'mixed4A'. Did you mean"),
        ("edges.json", set_in("edges", 3, "source", "mixed4a:999"), "has units 0 to 507, not 999"),
        (
            "edges.json",
            set_in("edges", 4, "source", "mixed4a:308"),
            "edges[4]: mixed4a:308 -> mixed4b:418 stands twice in DogMerge.svg",
        ),
        ("edges.json", set_in("edges", 4, "weight", 1), "edges[4].weight: Extra inputs"),
        (
            "circuits.json",
            set_in(5, "members", 0, "unit", "mixed4a:508"),
            "circuits.json, [5].members[0]: mixed4a has units 0 to 507, not 508",
        ),
        (
            "circuits.json",
            set_in(5, "edges", 0, "source", "mixed4a:1"),
            "[5].edges[0]: mixed4a:1 is no member of dog-head-union",
        ),
        ("circuits.json", set_in(5, "id", "car-from-parts"), "[5]: a circuit 'car-from-parts'"),
        ("circuits.json", set_in(5, "id", "Dog Head"), "[5]: 'Dog Head' cannot be a circuit name"),
        ("circuits.json", set_in(5, "source", "commit", "main"), "[5].source.commit: "),
        ("layer_sizes.json", set_in("layer_sizes", "mixed4a", 0), "layer_sizes.mixed4a: "),
        ("layer_sizes.json", set_in("layer_sizes", {}), "layer_sizes.json, layer_sizes: "),
        ("layer_sizes.json", set_in("model", "Inception V1"), "Try 'inception-v1'"),
        (
            "conv2d2_to_mixed3b.json",
            set_in("weights", "conv2d2:1", [[1]]),
            "weights['conv2d2:1']: a key is written layer:unit->layer:unit",
        ),
        (
            "conv2d2_to_mixed3b.json",
            set_in("weights", "conv2d1:1->mixed3b:2", [[1]]),
            "this file is from conv2d2 to mixed3b",
        ),
        ("about.json", set_in("articles", 0, "published", "2020-13-01"), "2020-13-01 is no date"),
    ],
)
def test_a_bad_record_is_named_with_file_place_and_reason(
    folder: Path, name: str, edit: Any, message: str
) -> None:
    change(folder, name, edit)
    with pytest.raises(PublishedDataError, match=re.escape(message)) as caught:
        published_rows(f"published:{folder}")
    assert name in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_broken_json_is_named_with_line_and_column(folder: Path) -> None:
    (folder / "edges.json").write_text('{"edges": [\n  oops]}')
    with pytest.raises(PublishedDataError, match=r"edges\.json, line 2, column 3"):
        published_rows(f"published:{folder}")


def test_a_key_given_twice_is_no_silent_loss(folder: Path) -> None:
    (folder / "layer_sizes.json").write_text('{"model": "tiny", "layer_sizes": {"a": 1, "a": 2}}')
    with pytest.raises(PublishedDataError, match="the key 'a' stands twice"):
        published_rows(f"published:{folder}")


def test_a_misspelt_file_is_no_silent_loss(folder: Path) -> None:
    (folder / "edges.json").rename(folder / "edge.json")
    with pytest.raises(PublishedDataError, match=r"Did you mean 'edges\.json'"):
        published_rows(f"published:{folder}")


def test_text_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / "labels.csv").write_bytes(b"model,layer,unit,label\ninceptionv1,mixed4a,1,\xff\n")
    with pytest.raises(PublishedDataError, match=r"labels\.csv: byte \d+ is not UTF-8"):
        published_rows(f"published:{folder}")


def test_a_file_beyond_any_published_one_is_not_read_to_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_folder, "LARGEST", 10)
    with pytest.raises(PublishedDataError, match=r"layer_sizes\.json has more than 10 bytes"):
        published_rows(f"published:{folder}")


def test_a_repeated_key_among_many_is_found_at_once(folder: Path) -> None:
    sizes = ", ".join(f'"layer{number}": 1' for number in range(100_000))
    (folder / "layer_sizes.json").write_text(f'{{{sizes}, "layer99999": 2}}')
    with pytest.raises(PublishedDataError, match="'layer99999' stands twice"):
        published_rows(f"published:{folder}")
