"""The main job, once, from end to end: load, observe, find, match, ask, and draw one union."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from circuitkb.demonstration import tables
from circuitkb.kb.accepted import zoo
from circuitkb.schema.errors import MissingExtraError, UnknownSourceError
from circuitkb.schema.near_matches import did_you_mean
from circuitkb.schema.progress import Progress, parts, silent, within

if TYPE_CHECKING:
    from circuitkb.kb.knowledge_base import KnowledgeBase
    from circuitkb.results.reports import Asked

PUBLISHED = "inceptionv1"
SOURCES: Mapping[str, str] = {
    PUBLISHED: "published:inceptionv1",
    "efficientnet_lite0": "efficientnet_lite0",
    "efficientnet_lite1": "efficientnet_lite1",
}
"""What is loaded, by name: two networks of different size, and published circuits."""

UNION = f"{PUBLISHED}/mixed4b:418"
"""The pose-invariant dog head of 'Zoom In', which unites heads that look left and right."""

QUESTION = "find all circuits unioning left/right orientation detectors across models"

Show = Callable[[object], None]


def run(
    address: str | Path,
    figure: str | Path | None = None,
    *,
    sources: Mapping[str, str] = SOURCES,
    observe: bool = True,
    show: Show = print,
    progress: Progress = silent,
) -> Path:
    """Do it, and return where the figure was written.

    Parameters
    ----------
    address
        The knowledge base to make or to use; what it holds already is not done again.
    figure
        File to write; if not given, a PNG beside the knowledge base, or in the working directory
        where that is on a server.
    sources
        What to load, by the name that it gets; the published circuits must be among it.
    observe
        Whether networks are shown stimuli, which takes most of the time. Without, they are
        searched by their kernels alone, and not matched.
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
    place = Path(figure) if figure is not None else figure_of(address)
    with ckb.open(address) as kb:
        show(_heading("1. Load: networks with their own weights, and published circuits"))
        _load(kb, sources, show, within(progress, 0, 0.15))
        present = set(kb.models().run()["model"])
        models = [name for name in sources if name in present]
        networks = [name for name in models if not sources[name].startswith("published:")]
        networks = networks if observe else []

        show(_heading("2. Observe: the responses of every unit to a battery of stimuli"))
        if observe:
            _observe(kb, networks, show, within(progress, 0.15, 0.75))
        else:
            show("Left out, as was asked for: networks are searched by their kernels alone.")

        show(_heading("3. Find: units that two mirrored units excite, against controls"))
        _find(kb, models, networks, show, within(progress, 0.75, 0.85))

        show(_heading("4. Match: features and unions that two networks share"))
        _match(kb, networks, show, within(progress, 0.85, 0.95))

        show(_heading(f"5. Ask: {QUESTION}"))
        asked = kb.ask(QUESTION, limit=None)
        _answer(kb, asked, models, show)

        show(_heading("6. Look: one union, and the analogous one"))
        progress("drawing", 0.95)
        show(_draw(kb, place))
        show(f"Figure: {place}")
    progress("done", 1.0)
    show(f"Done in {perf_counter() - started:.0f} s. Knowledge base: {address}")
    show(_next_steps(address))
    return place


def sources_of(models: Sequence[str] | None = None) -> Mapping[str, str]:
    """Return what the demo loads: the published circuits and these networks, or its own two.

    Parameters
    ----------
    models
        Names of networks of the zoo.

    Raises
    ------
    UnknownSourceError
        The zoo has no network of that name.

    Examples
    --------
    >>> list(sources_of(["efficientnet_lite0"]))
    ['inceptionv1', 'efficientnet_lite0']
    """
    for name in models or ():
        if name not in (known := zoo()):
            raise UnknownSourceError(
                f"{name!r} is no network of the zoo.{did_you_mean(name, known)} "
                f"Known: {', '.join(known)}."
            )
    return {PUBLISHED: SOURCES[PUBLISHED]} | {name: name for name in models} if models else SOURCES


def figure_of(address: str | Path) -> Path:
    """Return where the figure goes if nobody says.

    Examples
    --------
    >>> print(figure_of("zoo.ckb"), figure_of("bolt://localhost:7687"))
    zoo.png circuits-demo.png
    """
    on_a_server = "://" in str(address)
    return Path("circuits-demo.png") if on_a_server else Path(address).with_suffix(".png")


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
        f"circuitkb ask union {kb}",
        f"circuitkb features --label curve {kb}",
        "circuitkb query 'MATCH (a)-[w:WEIGHT]->(b:Feature {id: $unit}) RETURN a.id, w.positive, "
        f"w.negative ORDER BY w.rank' -p unit={UNION} {kb}",
    )


def _heading(text: str) -> str:
    return f"\n{text}\n{'-' * len(text)}"


def _next_steps(address: str | Path) -> str:
    import shlex

    pages = f"circuitkb serve --open --kb {shlex.quote(str(address))}"
    steps = (f"  {command}" for command in next_commands(address))
    return "\n".join(("Try next:", *steps, f"In a browser (extra web):\n  {pages}"))


def _load(kb: KnowledgeBase, sources: Mapping[str, str], show: Show, progress: Progress) -> None:
    present = set(kb.models().run()["model"])
    for name in (name for name in sources if name in present):
        show(f"{name} is there already.")
    new = {name: source for name, source in sources.items() if name not in present}
    # Those that have their own names are read at once, on all cores.
    several = [name for name, source in new.items() if name == source]
    tells = parts(progress, len(new) + 1)
    missing: dict[str, None] = {}
    with suppress(MissingExtraError):  # said below
        for report in kb.load([*several], progress=tells[0]) if len(several) > 1 else ():
            show(report.message)
            del new[report.name]
    for (name, source), part in zip(new.items(), tells[1:], strict=False):
        try:
            show(kb.load(source, name=name, progress=part).message)
        except MissingExtraError as error:
            missing[str(error)] = None
    for text in missing:
        show(f"{text}\nGoing on without it.")


def _observe(kb: KnowledgeBase, networks: Sequence[str], show: Show, progress: Progress) -> None:
    if not networks:
        show("There is no network with weights to observe.")
        return
    before = tables.records(kb, "observe")
    for name in (name for name in networks if name in before):
        show(f"{name} was observed already.")
    new = [name for name in networks if name not in before]
    for report in kb.observe(new, progress=progress) if new else ():
        show(f"{report.model} observed in {report.seconds:.0f} s.")
        for note in report.notes:
            show(f"note: {note}")
    after = tables.records(kb, "observe")
    show(tables.observed(after[name] for name in networks))


def _find(
    kb: KnowledgeBase,
    models: Sequence[str],
    networks: Sequence[str],
    show: Show,
    progress: Progress,
) -> None:
    before = tables.records(kb, "find")
    # A network that an earlier demo searched by its kernels alone is searched again.
    wanted = [
        name
        for name in models
        if name not in before or before[name]["by"] != _basis(name, networks)
    ]
    if wanted:
        basis: Literal["kernels"] | None = None if networks else "kernels"
        report = kb.find("union", by=basis, models=wanted, progress=progress)
        show(f"{', '.join(wanted)} searched in {report.seconds:.0f} s.")
    else:
        show("Searched already; the circuits are in the graph.")
    after = tables.records(kb, "find")
    for by, how in (
        ("responses", "By responses to stimuli and every edge:"),
        ("kernels", "By kernels alone, where no weights can be shown a stimulus:"),
    ):
        table = tables.found((after[name] for name in models), by)
        if table.rows:
            show(f"\n{how}")
            show(table)


def _basis(name: str, networks: Sequence[str]) -> str:
    return "responses" if name in networks else "kernels"


def _match(kb: KnowledgeBase, networks: Sequence[str], show: Show, progress: Progress) -> None:
    if len(networks) < 2:
        show("There are no two networks to match.")
        return
    pairs = list(combinations(networks, 2))
    for (first, second), part in zip(pairs, parts(progress, len(pairs)), strict=True):
        if _is_matched(kb, first, second):
            show(f"{first} and {second} were matched already.")
        else:
            report = kb.match(first, second, progress=part)
            show(f"{first} and {second} matched in {report.seconds:.0f} s.")
        record = tables.match_record(kb, first, second)
        compared = record["compared"] if record else []
        show(tables.matched(compared))
        show("\n".join(f"null of {row['what']}: {row['null']}" for row in compared))


def _is_matched(kb: KnowledgeBase, first: str, second: str) -> bool:
    """Tell whether both were matched after unions were last searched for in them."""
    record = tables.match_record(kb, first, second)
    searched = tables.records(kb, "find")
    return (
        record is not None
        and any(row["what"] == "circuits" for row in record["compared"])
        and all(searched[name]["created"] <= record["created"] for name in (first, second))
    )


def _answer(kb: KnowledgeBase, asked: Asked, models: Sequence[str], show: Show) -> None:
    rows = asked.result.to_dicts()
    show(
        f"Understood as {asked.understood}.\nThe Cypher has "
        f"{len(asked.cypher.splitlines())} lines and gave {len(rows):,} rows in "
        f"{asked.result.seconds * 1000:.0f} ms; to read them all: circuitkb ask "
        f"{asked.question.name} --kb {kb.address}\n"
    )
    show(tables.asked(rows))
    for model in models:
        own = [row for row in rows if row["model"] == model]
        table = tables.best(own, _labels_of_rows(kb, own))
        if not table.rows:
            continue
        elsewhere = sorted({name.partition("/")[0] for row in own for name in row["analogous"]})
        where = f"; analogous ones in {', '.join(elsewhere)}" if elsewhere else ""
        show(f"\n{model}, the best {len(table)}{where}:")
        show(table)
    for note in asked.result.notes:
        show(f"note: {note}")


def _labels_of_rows(kb: KnowledgeBase, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    from circuitkb.demonstration.chosen_union import labels_of

    named = {feature for row in rows for feature in (row["target"], *row["side_1"], *row["side_2"])}
    return labels_of(kb, sorted(named))


def _draw(kb: KnowledgeBase, place: Path) -> str:
    """Write the figure, and return what it shows."""
    from circuitkb.demonstration import chosen_union
    from circuitkb.results.pictures.union_kernels import draw

    kernels = chosen_union.published_union(kb, UNION)
    chosen = chosen_union.choose(kb)
    place.parent.mkdir(parents=True, exist_ok=True)
    if chosen is None:
        draw(kernels).savefig(place, dpi=160)
        one, two = (
            " and ".join(case.feature for case in kernels.cases if case.side == side)
            for side in (1, 2)
        )
        return f"{kernels.label}: {one} excite it from one side, {two} from the mirrored one."
    from circuitkb.results.pictures.union_page import draw_across

    unions = [chosen_union.gather(kb, union) for union in chosen]
    searches = tables.records(kb, "find")
    candidates = len({one["target"] for one, _ in chosen_union.analogous(kb, chosen[0].model)})
    caption = [
        f"Of the {candidates} unions (two peaks) of {chosen[0].model} with an analogous one, this "
        "is the one that shows it most clearly. Responses are those after the nonlinearity.",
        *(chosen_union.in_words(searches[union.model]) for union in chosen),
    ]
    draw_across(unions, kernels, caption).savefig(place, dpi=160)
    return "\n".join(union.in_words for union in unions)
