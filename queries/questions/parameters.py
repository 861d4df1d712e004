"""What a question of the catalogue takes: a typed value with a default and a line of help."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from circuitkb.schema.errors import QueryError
from circuitkb.schema.ids import FeatureId
from circuitkb.schema.near_matches import did_you_mean

ParameterType = Literal[
    "feature", "label", "models", "layers", "motif", "integer", "angle", "choice", "text", "texts"
]
"""``feature``: an id; ``label``: part of one; ``models``, ``layers``: names, none for all;
``motif``: what a circuit is an instance of;
``angle``: degrees from 0 to 180, -1 for any;
``choice``: one of a few values."""


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    ``cues`` are the words next to which a sentence states an integer; ``choices`` the values of a
    choice, each with words (a regular expression) that state it, first those that count most.
    """

    name: str
    type: ParameterType
    help: str
    required: bool = False
    default: Any = None
    cues: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()

    def check(self, value: Any) -> Any:
        """Return the value as a query takes it; text from a command line is converted.

        Raises
        ------
        QueryError
            The value is not of the type.
        IdError
            The value is no feature id.

        Examples
        --------
        >>> Parameter("top", "integer", "rows").check("5")
        5
        >>> Parameter("models", "models", "which").check("alexnet,vgg11_bn")
        ['alexnet', 'vgg11_bn']
        >>> Parameter("top", "integer", "rows").check("many")
        Traceback (most recent call last):
        circuitkb.schema.errors.QueryError: top is 'many': it must be a number from 1.
        """
        if self.type == "feature":
            return str(value if isinstance(value, FeatureId) else FeatureId.parse(str(value)))
        if self.type == "integer":
            return self._integer(value)
        if self.type == "angle":
            return self._angle(value)
        if self.type == "choice":
            return self._choice(value)
        if self.type in ("label", "motif", "text"):
            if isinstance(value, str) and (value.strip() or not self.required):
                return value.strip()
            raise QueryError(f"{self.name} is {value!r}: it must be a text.")
        return self._texts(value)

    def _choice(self, value: Any) -> str:
        known = dict.fromkeys([*(value for value, _ in self.choices), self.default or ""])
        if isinstance(value, str) and value.strip() in known:
            return value.strip()
        named = ", ".join(name for name in known if name)
        raise QueryError(
            f"{self.name} is {value!r}: it is one of {named}."
            f"{did_you_mean(value, known) if isinstance(value, str) else ''}"
        )

    def _integer(self, value: Any) -> int:
        text = str(value)
        if isinstance(value, bool) or not text.isascii() or not text.isdigit() or int(text) < 1:
            raise QueryError(f"{self.name} is {value!r}: it must be a number from 1.")
        return int(text)

    def _angle(self, value: Any) -> float:
        try:
            degrees = float(value)
        except (TypeError, ValueError):
            degrees = math.nan
        if degrees == -1 and not self.required:
            return degrees
        if isinstance(value, bool) or not 0 <= degrees <= 180:
            raise QueryError(f"{self.name} is {value!r}: it must be degrees from 0 to 180.")
        return degrees

    def _texts(self, value: Any) -> list[str]:
        parts = value.split(",") if isinstance(value, str) else list(value or ())
        if not all(isinstance(part, str) for part in parts):
            raise QueryError(f"{self.name} is {value!r}: it must be a list of names.")
        return [part.strip() for part in parts if part.strip()]
