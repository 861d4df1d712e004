"""A visualisation is searched, kept with its images, shown, and read the next time.

Costs about twelve seconds of a processor.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import circuitkb as ckb
from circuitkb.results.pictures.images import pixels
from circuitkb.schema.errors import IdError, NotFoundError, ObservationError, SourceError
from circuitkb.schema.tables import GraphRows, Relations, node_table, relation_table, rows_of
from circuitkb.visualization.rows import pictures_key

MODEL, SIDE = "small", 33
UNIT = f"{MODEL}/3:5"


def module(seed: int = 0, channels: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Sequential(
        *(nn.Conv2d(channels, 6, 5, stride=2, padding=2), nn.ReLU()),
        *(nn.Conv2d(6, 8, 5, stride=2, padding=2), nn.ReLU()),
    )
    with torch.no_grad():
        layers[2].weight[7] = 0
        layers[2].bias[7] = -1.0
    return layers.eval()


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ckb.KnowledgeBase]:
    """A small network, observed, so that there is a best stimulus."""
    with ckb.open(tmp_path_factory.mktemp("visualized") / "kb.ckb") as kb:
        kb.load(module(), name=MODEL, input_shape=(3, SIDE, SIDE))
        kb.observe(MODEL, module=module(), pixels=(-1, 1), seed=4)
        yield kb


def evidence(kb: ckb.KnowledgeBase) -> list[dict[str, object]]:
    text = (
        "MATCH (e:Evidence {kind: 'visualization'})-[:ABOUT]->(f:Feature) "
        "RETURN f.id AS feature, e.id AS id, e.value AS value, e.null_mean AS control, "
        "e.seed AS seed ORDER BY id"
    )
    return kb.query(text, limit=None).to_dicts()


def test_what_is_said_is_what_the_network_answers_to_the_image_that_is_kept(
    kb: ckb.KnowledgeBase,
) -> None:
    """The image is rounded to 8 bits before it is shown, so nothing is lost but by the sum."""
    (made,) = kb.visualize(UNIT, module=module(), steps=20)
    batch = kb.store.pictures(pictures_key(UNIT, made.evidence))
    assert batch is not None
    image = pixels(batch.image("image.png"))
    assert (image == made.reached.image).all()
    network = module()
    responses = kb.responses(MODEL)
    assert responses is not None
    (view,) = responses.settings["views"]
    shown = np.full((view["rows"], view["columns"], 3), 0.5, np.float32)
    rows, columns = (
        slice(int(centre) - side // 2, int(centre) - side // 2 + side)
        for centre, side in zip(view["centre"], image.shape, strict=False)
    )
    shown[rows, columns] = image / 255
    read = torch.from_numpy(shown * 2 - 1).permute(2, 0, 1)[None]
    with torch.no_grad():
        before, after = network[:3](read)[0, 5], network(read)[0, 5]
    place = int(view["centre"][0]) // 4, int(view["centre"][1]) // 4
    assert made.reached.value == pytest.approx(float(before[place]), rel=1e-5)
    assert made.reached.after == pytest.approx(float(after[place]), rel=1e-5)
    assert made.reached.value > made.reached.start


def test_the_best_stimulus_stands_beside_it_in_the_same_units(kb: ckb.KnowledgeBase) -> None:
    (made,) = kb.visualize(UNIT, module=module(), steps=20)
    responses = kb.responses(MODEL)
    assert responses is not None
    row = responses.before[responses.row(UNIT)]
    assert made.stimulus == (responses.stimuli[int(row.argmax())], float(row.max()))
    assert "its best stimulus" in made.caption


def test_the_control_is_the_shuffled_copy_that_was_observed(kb: ckb.KnowledgeBase) -> None:
    from circuitkb.loaders.activations.reading import look
    from circuitkb.loaders.composition.network import Network
    from circuitkb.loaders.receptive_fields.views import plan_views
    from circuitkb.loaders.sources.opening import open_module
    from circuitkb.observation.kept import as_observed, battery_of
    from circuitkb.visualization.visualizer import Visualizer

    responses = kb.responses(MODEL)
    assert responses is not None
    network: Network = open_module(module(), shape=(3, SIDE, SIDE))
    views = plan_views(network.module, network.example)
    network = as_observed(network, views, responses)
    visualizer = Visualizer(network, responses)
    (copy,) = look(network, views[0], layers=["3"]).shuffled(
        visualizer._sample(views[0]), seeds=[int(responses.settings["seed"])]
    )
    some = np.arange(0, len(responses.stimuli), 40)
    battery = battery_of(responses)
    view = views[0]
    drawn = battery.images(some, rows=view.rows, columns=view.columns, centre=view.centre)
    before, _ = copy.responses(network.pixels.apply(drawn))
    kept = np.asarray(responses.shuffled_before[responses.rows["3"]], np.float32)[:, some]
    assert pytest.approx(kept, rel=2e-3, abs=2e-3) == before.T


def test_the_same_again_writes_nothing_and_another_seed_adds_one(kb: ckb.KnowledgeBase) -> None:
    feature = f"{MODEL}/3:2"
    (first,) = kb.visualize(feature, module=module(), steps=10)
    before = evidence(kb), kb.query("MATCH (i:Import) RETURN i ORDER BY i.id", limit=None).rows
    again = kb.visualize(feature, steps=10)  # the network is not even opened
    assert again[0].caption == first.caption
    assert (again[0].reached.image == first.reached.image).all()
    assert again[0].control is not None
    assert first.control is not None
    assert (again[0].control.image == first.control.image).all()
    after = evidence(kb), kb.query("MATCH (i:Import) RETURN i ORDER BY i.id", limit=None).rows
    assert after == before
    kb.visualize(feature, module=module(), steps=10, seed=1)
    assert len(evidence(kb)) == len(before[0]) + 1
    assert [item.settings["seed"] for item in kb.visualizations(feature)] == [0, 1]


def test_it_is_evidence_about_the_unit_and_stands_on_its_card(kb: ckb.KnowledgeBase) -> None:
    (made,) = kb.visualize(UNIT, module=module(), steps=20)
    (row,) = (row for row in evidence(kb) if row["id"] == made.evidence)
    assert row["feature"] == UNIT
    assert row["value"] == made.reached.value
    assert made.control is not None
    assert row["control"] == made.control.value
    (section,) = (s for s in kb.show(UNIT).sections if s.title.startswith("Images"))
    assert made.reached.value in section.result["value"]
    assert "is not what the unit is for" in section.note


def test_several_units_come_in_the_order_asked_each_once(kb: ckb.KnowledgeBase) -> None:
    asked = [f"{MODEL}/3:6", f"{MODEL}/1:0", f"{MODEL}/3:6", f"{MODEL}/3:1"]
    found = kb.visualize(asked, module=module(), steps=3, size=5)
    assert [item.feature for item in found] == [asked[0], asked[1], asked[3]]
    assert {item.reached.image.shape for item in found} == {(5, 5, 3)}


def test_a_unit_that_nothing_moves_is_told(kb: ckb.KnowledgeBase) -> None:
    found = kb.visualize(f"{MODEL}/3:7", module=module(), steps=3)
    assert not found[0].reached.changed
    assert any("no pixel changes what it answers" in note for note in found.notes)


def test_without_a_control_there_is_none(kb: ckb.KnowledgeBase) -> None:
    (made,) = kb.visualize(f"{MODEL}/3:3", module=module(), steps=3, control=False)
    assert made.control is None
    assert made.to_dict()["control"] is None


def test_a_network_of_one_channel_that_was_not_observed_is_shown_in_grey(tmp_path: Path) -> None:
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.load(module(channels=1), name="grey", input_shape=(1, SIDE, SIDE))
        found = kb.visualize("grey/3:1", module=module(channels=1), steps=5)
        assert found[0].reached.image.shape[2] == 1
        assert found[0].stimulus is None
        assert found[0].reached.value > found[0].reached.start
        assert found._repr_png_()[:4] == b"\x89PNG"


def test_a_network_of_four_channels_is_refused(tmp_path: Path) -> None:
    with ckb.open(tmp_path / "kb.ckb") as kb:
        kb.load(module(channels=4), name="four", input_shape=(4, SIDE, SIDE))
        with pytest.raises(ObservationError, match="1 channel"):
            kb.visualize("four/3:1", module=module(channels=4))


@pytest.mark.parametrize(
    ("feature", "error", "words"),
    [
        ("small/3:99", NotFoundError, "has units 0 to 7"),
        ("small/conv:0", NotFoundError, "layer"),
        ("other/3:0", NotFoundError, "model"),
        ("nonsense", IdError, "no feature id"),
        ("inceptionv1/mixed4b:418", ObservationError, "without its network's weights"),
        (UNIT, ObservationError, "was loaded from a module"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(
    kb: ckb.KnowledgeBase, feature: str, error: type[Exception], words: str
) -> None:
    if feature.startswith("inceptionv1"):
        kb.load("published:inceptionv1")
    with pytest.raises(error, match=words):
        kb.visualize(feature, steps=7)


def test_a_direction_is_refused_as_no_vectors_are_kept(kb: ckb.KnowledgeBase) -> None:
    row = {"id": f"{MODEL}/3@pca:0", "model": MODEL, "layer": "3", "unit": 0, "basis": "pca"}
    about = {"source": [row["id"]], "target": [f"{MODEL}/3"]}
    kb.store.write(
        GraphRows(
            {"Feature": node_table("Feature", rows_of([row]))},
            [Relations("IN_LAYER", "Feature", "Layer", relation_table("IN_LAYER", about))],
        )
    )
    with pytest.raises(ObservationError, match="is a direction"):
        kb.visualize(f"{MODEL}/3@pca:0", module=module())


def test_what_was_finished_before_an_interruption_is_kept(kb: ckb.KnowledgeBase) -> None:
    before = len(evidence(kb))

    def stop(_: str, done: float) -> None:
        if len(evidence(kb)) > before:
            raise KeyboardInterrupt

    asked = [f"{MODEL}/1:3", f"{MODEL}/3:4"]
    with pytest.raises(KeyboardInterrupt):
        kb.visualize(asked, module=module(), steps=4, progress=stop)
    assert len(evidence(kb)) == before + 1
    kb.visualize(asked, module=module(), steps=4)
    assert len(evidence(kb)) == before + 2


def test_a_source_that_is_gone_and_settings_that_mean_nothing_are_refused(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="gone"):
        kb.visualize(UNIT, source=tmp_path / "gone.onnx", steps=8)
    with pytest.raises(ObservationError, match="steps is 0"):
        kb.visualize(UNIT, steps=0)
    with pytest.raises(ObservationError, match="size is 0"):
        kb.visualize(UNIT, size=0)
    with pytest.raises(ObservationError, match="Name a feature"):
        kb.visualize([])


def test_a_notebook_and_a_file_show_both_images_with_what_is_said_of_them(
    kb: ckb.KnowledgeBase, tmp_path: Path
) -> None:
    found = kb.visualize([UNIT, f"{MODEL}/3:2"], module=module(), steps=20)
    html = found._repr_html_()
    assert html.count("data:image/png;base64,") == 4
    for item in found:
        assert item.caption in html
        assert item.control_caption in html
    file = tmp_path / "both.png"
    found.save(file)
    width, height = Image.open(file).size
    assert (width, height) == (748, 748)
    with pytest.raises(ObservationError, match="is there already"):
        found.save(file)
    found.save(file, force=True)
    with pytest.raises(ObservationError, match=r"name it \.png"):
        found.save(tmp_path / "both.jpg")
    with pytest.raises(ObservationError, match="cannot be written"):
        found.save(tmp_path / "nowhere" / "both.png")


def test_the_kept_image_says_what_it_shows_and_where_that_comes_from(
    kb: ckb.KnowledgeBase,
) -> None:
    (made,) = kb.visualize(UNIT, module=module(), steps=20)
    batch = kb.store.pictures(pictures_key(UNIT, made.evidence))
    assert batch is not None
    said = Image.open(io.BytesIO(batch.image("control.png"))).info
    assert said["Title"] == f"{UNIT}, control of {made.evidence}"
    assert said["Description"].startswith("Control")
    assert said["Source"].startswith("small; python:Sequential; sha256:")


def test_the_figures_read_back(kb: ckb.KnowledgeBase) -> None:
    (made,) = kb.visualize(UNIT, module=module(), steps=20)
    images = {"image": made.reached.image, "control": made.control.image} if made.control else {}
    figures = json.loads(json.dumps(made.figures()))
    assert type(made).of_figures(UNIT, made.evidence, figures, images).caption == made.caption
