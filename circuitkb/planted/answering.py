"""``circuitkb planted answer``: answers of our own search, and of methods to compare it with."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from circuitkb.motifs.registry import MOTIFS
from circuitkb.planted.files import Answer, Answers, Asked, Network, read_networks, write
from circuitkb.results.result import Result
from circuitkb.schema.errors import SourceError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.progress import Progress, parts, silent
from circuitkb.schema.registry import PluginWarning

SEARCH = "search"

FDR = 0.05
"""What our searches allow themselves."""

_OF_CIRCUITS = """
MATCH (f:Feature)-[:MEMBER_OF]->(c:Circuit {model: $model, motif: $motif})
WITH c, f ORDER BY c.id, f.id
OPTIONAL MATCH (e:Evidence)-[:SUPPORTS]->(c)
RETURN c.id AS circuit, f.id AS member, min(e.q) AS q ORDER BY circuit, member
"""


def answer(
    folder: str | Path,
    file: str | Path,
    *,
    method: str = SEARCH,
    kinds: Sequence[str] = (),
    progress: Progress = silent,
) -> Result:
    """Answer a benchmark, and write the answers file.

    Parameters
    ----------
    folder
        What ``make`` made. The truth in it is not read.
    file
        Written anew.
    method
        ``search``: our own, for the kinds that are a motif here; each network is loaded, observed
        and searched as a user would. Or one of
        :data:`~circuitkb.planted.baselines.BASELINES`, which are told how many circuits a network
        of its kind has, and of how many members.
    kinds
        Only these.
    progress
        Called with how far it is.

    Returns
    -------
    Result
        One row for each kind: networks, and circuits answered.

    Raises
    ------
    SourceError
        No benchmark, an unknown method or kind, or a file that is there.
    """
    from circuitkb.planted import baselines

    folder, file = Path(folder), Path(file)
    networks = read_networks(folder)
    for kind in kinds:
        if kind not in networks.kinds:
            known = ", ".join(networks.kinds)
            raise SourceError(f"There is no kind {kind!r} in {folder}; there are: {known}.")
    if method not in (SEARCH, *baselines.BASELINES):
        known = ", ".join((SEARCH, *baselines.BASELINES))
        raise SourceError(f"There is no method {method!r}; there are: {known}.")
    if file.exists():
        raise SourceError(f"{file} is there already: name a new file.")
    searching = method == SEARCH
    one = search_network if searching else baselines.of(method)
    wanted = [
        kind
        for kind, asked in networks.kinds.items()
        if (not kinds or kind in kinds)
        and (kind in MOTIFS.names if searching else baselines.answers(asked))
    ]
    own = {name: each for name, each in networks.networks.items() if each.kind in wanted}
    circuits: list[Answer] = []
    for (name, network), tell in zip(own.items(), parts(progress, len(own)), strict=True):
        tell(f"{name}: {method}", 0.0)
        circuits += one(folder, name, network, networks.kinds[network.kind])
    progress(f"answered {len(own)} networks", 1.0)
    fdr = FDR if searching else None
    found = Answers(method=method, fdr=fdr, searched=tuple(wanted), circuits=tuple(circuits))
    write(file, found)
    return _summary(networks.kinds, own, circuits)


def search_network(folder: Path, name: str, network: Network, asked: Asked) -> list[Answer]:
    """Load, observe and search one network in a knowledge base of its own."""
    import circuitkb as ckb

    with (
        TemporaryDirectory() as made,
        ckb.open(Path(made) / "planted.ckb") as kb,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", PluginWarning)  # Grey stimuli show no colour: no news here.
        kb.load(folder / network.file, name=name)
        kb.observe(name, pixels=(network.black, network.white))
        kb.find(network.kind, models=[name], trials=False)
        rows = kb.store.read(_OF_CIRCUITS, {"model": name, "motif": network.kind}, limit=None).rows
    members: dict[str, list[str]] = defaultdict(list)
    qs: dict[str, float | None] = {}
    for circuit, member, q in rows:
        feature = FeatureId.parse(member)
        members[circuit].append(f"{feature.layer}:{feature.unit}")
        qs[circuit] = q
    return list(joined(name, asked, [(members[each], qs[each]) for each in members]))


def joined(
    network: str, asked: Asked, circuits: Sequence[tuple[Sequence[str], float | None]]
) -> Iterator[Answer]:
    """Yield circuits as answers: those about the same units are one, and others are left out.

    Parameters
    ----------
    circuits
        All members of each, and its q.

    Examples
    --------
    >>> asked = Asked(
    ...     what="", about="t", units=1, members=("d",), member_count=2, circuits=1
    ... )
    >>> found = joined("n", asked, [(["d:1", "d:2", "t:5"], 0.02), (["d:3", "t:5"], 0.01)])
    >>> [(each.units, each.members, each.q) for each in found]
    [(('t:5',), ('d:1', 'd:2', 'd:3'), 0.01)]
    """
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    least: dict[tuple[str, ...], float] = {}
    for members, q in circuits:
        units = tuple(sorted(each for each in members if each.rpartition(":")[0] == asked.about))
        if units:
            found[units] |= {each for each in members if each.rpartition(":")[0] in asked.members}
            if q is not None:
                least[units] = min(q, least.get(units, 1.0))
    for units, others in found.items():
        yield Answer(
            network=network, units=units, members=tuple(sorted(others)), q=least.get(units)
        )


def _summary(
    kinds: dict[str, Asked], networks: dict[str, Network], circuits: Sequence[Answer]
) -> Result:
    kind_of = {name: network.kind for name, network in networks.items()}
    rows = [
        {
            "kind": kind,
            "networks": list(kind_of.values()).count(kind),
            "answers": sum(kind_of[each.network] == kind for each in circuits),
            "searched": kind in kind_of.values(),
        }
        for kind in kinds
    ]
    return Result.of_records(rows)
