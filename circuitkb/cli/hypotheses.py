"""``circuitkb hypotheses``: a circuit as a hypothesis, by five tests that can fail."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from circuitkb.cli.options import Format, Shape, Store, Wide, command
from circuitkb.cli.output import check_format, print_result


class Ablated(StrEnum):
    """What an ablated edge gives: what it gives to one stimulus, or nothing."""

    median = "median"
    mean = "mean"
    zero = "zero"


@command(
    "Try",
    "circuitkb hypotheses union-15716d66f6c7c243",
    "circuitkb hypotheses union-15716d66f6c7c243 --ablation zero --format json",
)
def hypotheses(
    circuit: Annotated[str, typer.Argument(metavar="CIRCUIT", help="Id of the circuit.")],
    ablation: Annotated[
        Ablated,
        typer.Option(
            "--ablation",
            help="What an ablated edge gives: what it gives to the median or mean stimulus, or "
            "nothing.",
        ),
    ] = Ablated.median,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Of the random circuits and permutations.")
    ] = 0,
    format_: Shape = Format.table,
    wide: Wide = False,
    kb: Store = None,
) -> None:
    """Test whether a circuit does what its unit does: five tests, each with its null and p.

    Equivalence, independence, minimality, sufficiency and partial necessity, after Shi and others
    (NeurIPS 2024), computed from kernels and kept responses; nothing is written. A network need not
    be there, but its model must have been observed.
    """
    import circuitkb as ckb

    check_format(format_)
    with ckb.open(kb, create=False) as base:
        found = base.hypotheses(circuit, ablation=ablation.value, seed=seed)
    print_result(found.to_result(), format_, wide=wide, records=[found.to_dict()])
