"""Lists of nodes of any kind that the schema defines."""

from __future__ import annotations

from dataclasses import dataclass

from circuitkb.queries.lists.conditions import Criteria, Mention, Parameters, where_clause
from circuitkb.queries.lists.statement import Statement
from circuitkb.schema.definition import node_type
from circuitkb.schema.properties import NodeType


@dataclass(frozen=True, kw_only=True)
class Nodes(Criteria):
    """Nodes of one kind with all their properties, by id.

    Attributes
    ----------
    label
        The kind, as ``circuitkb schema`` lists them.

    Examples
    --------
    >>> trials = Nodes(label="Trial").where(outcome="failed")
    >>> print(trials.to_cypher().text.splitlines()[1])
    WHERE n.outcome = $outcome
    >>> Nodes(label="Trail")
    Traceback (most recent call last):
    circuitkb.schema.errors.SchemaError: 'Trail' is not a node label. Did you mean 'Trial'?
    """

    label: str

    def __post_init__(self) -> None:
        super().__post_init__()
        node_type(self.label)

    @property
    def owner(self) -> NodeType:
        """The kind of node."""
        return node_type(self.label)

    @classmethod
    def parameters(cls) -> set[str]:
        """Return what the list takes by name beside properties."""
        return set()

    def mentions(self) -> tuple[Mention, ...]:
        """Return the names that the value relies on."""
        model = "id" if self.label == "Model" else "model"
        return tuple(
            Mention("model", wanted.exact)
            for owner, wanted in self.conditions
            if owner.name == model and isinstance(wanted.exact, str)
        )

    def to_cypher(self) -> Statement:
        """Return the text and its parameters."""
        parameters = Parameters()
        columns = ", ".join(f"n.`{p.name}` AS `{p.name}`" for p in self.owner.properties)
        return Statement(
            f"MATCH (n:`{self.label}`)\n{where_clause(self.compare('n', parameters))}"
            f"RETURN {columns}\nORDER BY id{self.row_bound(parameters)}",
            parameters,
        )
