"""What strangers' sentences lead to: the right question, a wrong one, or a refusal."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from circuitkb.queries.questions.ask import Choice, pick
from circuitkb.queries.questions.mentions import Names
from circuitkb.schema.errors import UnknownQuestionError

HERE = Path(__file__).parent
LABELS = HERE.parents[2] / "loaders/published/resources/inceptionv1/labels.csv"
MIXED = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")


def _lite(blocks: int) -> list[str]:
    swishes = [f"_blocks.{i}._swish{tail}" for i in range(1, blocks) for tail in ("", "_1")]
    return ["input", "_blocks.0._swish", *swishes]


with LABELS.open(encoding="utf-8", newline="") as file:
    NAMES = Names(
        ["efficientnet_lite0", "efficientnet_lite1", "inceptionv1"],
        {
            "inceptionv1": ["conv2d0", "conv2d1", "conv2d2", *(f"mixed{tail}" for tail in MIXED)],
            "efficientnet_lite0": _lite(16),
            "efficientnet_lite1": _lite(20),
        },
        sorted({row["label"] for row in csv.DictReader(file)}),
    )


@dataclass
class Score:
    """How many were right, and which were not."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def _same(name: str, value: Any) -> Any:
    return value.lower().removesuffix("s") if "label" in name else value


def _is(choice: Choice, right: Mapping[str, Any]) -> bool:
    stated = {"question": choice.question.name, **choice.parameters}
    return {k: _same(k, v) for k, v in stated.items()} == {k: _same(k, v) for k, v in right.items()}


def score(
    half: str, ask: Callable[[str], Choice] = lambda asked: pick(asked, lambda: NAMES)
) -> Score:
    """Ask every sentence of ``strangers_HALF.toml``."""
    sentences = tomllib.loads((HERE / f"strangers_{half}.toml").read_text("utf-8"))
    found = Score()
    for entry in sentences["asked"]:
        try:
            choice = ask(entry["asked"])
        except UnknownQuestionError as error:
            if entry["right"] and not entry.get("may_be_refused"):
                found.refused.append(f"{entry['asked']}  [{str(error).splitlines()[0]}]")
            else:
                found.right += 1
            continue
        if any(_is(choice, right) for right in entry["right"]):
            found.right += 1
        else:
            found.wrong.append(
                f"{entry['asked']}  [{choice.question.name} {dict(choice.parameters)}]"
            )
    for sentence in sentences["foreign"]:
        try:
            choice = ask(sentence)
        except UnknownQuestionError:
            continue
        found.foreign.append(f"{sentence}  [{choice.question.name} {dict(choice.parameters)}]")
    return found
