"""Beginning to open a knowledge base before what asks it is imported."""

from __future__ import annotations

from pathlib import Path

from circuitkb.kb.address import address_of


def prepare(address: str | None = None) -> None:
    """Start the process that will ask a knowledge base, if it is in a directory that is there.

    It starts beside whatever comes next: on two cores that is half of what a question at a prompt
    takes. What is wrong with the knowledge base is said by whoever opens it.
    """
    if Path(address_of(address)).is_dir():
        from circuitkb.stores.embedded.query_process import prepare

        prepare()
