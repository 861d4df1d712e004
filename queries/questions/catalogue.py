"""The catalogue of questions: Cypher files with a header that says what they ask and answer.

A file ``catalogue/NAME.cypher`` starts with comment lines ``// ...`` that are TOML::

    // title = "Features by label"
    // sentences = ["features labelled {label}"]
    // needs = [["labelled"]]
    // [parameters.label]
    // type = "label"
    // help = "part of the label"
    // [columns]
    // feature = "id of the feature"
    MATCH ...

``sentences`` ask it, with parameters in braces; ``needs`` lists words of which a sentence must
have one from each group (see :mod:`circuitkb.queries.questions.words`); ``words`` are further ones
that it may have. A parameter without ``default`` must be given. ``motif`` names the search that
the answer depends on, and the parameter ``of`` what it is a search over; ``whole_network`` says
that it needs every weight of a model; ``requires`` lists what must be there before it can have
rows, so that an answer without any says what is missing; ``table`` the columns that a narrow table
shows before all others. ``left_out`` is a query of its own, with the same parameters, for how many
circuits (``circuits``) the answer leaves out and ``why``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from circuitkb.queries.lists.statement import Statement, parameter_names, without_literals
from circuitkb.queries.questions.parameters import Parameter, ParameterType
from circuitkb.schema.definition import did_you_mean, node_type, relation_type
from circuitkb.schema.errors import QueryError, SchemaError, UnknownQuestionError

Prerequisite = Literal[
    "two-models",
    "labels",
    "annotations",
    "reviews",
    "vocabulary",
    "circuits",
    "searches",
    "observations",
    "matches",
    "evidence",
]
"""What a question may require; a loaded model is required by all."""

_NODE = re.compile(r"\(\s*(\w*)\s*:\s*([\w|:]+)")
_RELATION = re.compile(r"\[\s*(\w*)\s*:\s*([\w|:]+)")
_PROPERTY = re.compile(r"\b([A-Za-z_]\w*)\.(\w+)")
_KEYS = re.compile(r"[(\[]\s*\w*\s*:\s*([\w|:]+)\s*\{([^}]*)\}")
_KEYWORDS = {
    "title",
    "sentences",
    "needs",
    "words",
    "parameters",
    "columns",
    "example",
    "motif",
    "whole_network",
    "requires",
    "table",
    "left_out",
}


@dataclass(frozen=True)
class Question:
    """A question that the catalogue can answer.

    Attributes
    ----------
    name, title
        What to type, and what it asks in one line.
    sentences
        Ways to ask it; ``{name}`` stands for a parameter.
    parameters
        What it takes, by name.
    columns
        What each column of the answer means, in order.
    cypher
        The text that runs.
    example
        A sentence that works on the published InceptionV1.
    needs, words
        Words that a sentence must have (one of each group), and others that it may have.
    motif
        Search that the answer depends on, if any.
    whole_network
        Whether the answer needs every weight of a network, not only published ones.
    requires
        What must be in the knowledge base before there can be rows.
    table
        Columns that a narrow table shows before all others.
    left_out
        The query that says what the answer leaves out, and why; empty if it leaves out nothing.
    origin
        The file of a question that somebody added; empty for those of the catalogue.
    """

    name: str
    title: str
    sentences: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    columns: Mapping[str, str]
    cypher: str
    example: str
    needs: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()
    motif: str | None = None
    whole_network: bool = False
    requires: tuple[Prerequisite, ...] = ()
    table: tuple[str, ...] = ()
    left_out: str = ""
    origin: str = ""

    def bind(self, given: Mapping[str, Any]) -> Statement:
        """Return the statement with these parameters, checked, and defaults for the others.

        Raises
        ------
        QueryError
            An unknown parameter, a value of the wrong type, or a missing one.

        Examples
        --------
        >>> find("inputs").bind({"feature": "inceptionv1/mixed4b:418"}).parameters
        {'feature': 'inceptionv1/mixed4b:418', 'top': 20}
        """
        for name in given:
            if name not in self.parameters:
                near = did_you_mean(name, self.parameters) if self.parameters else ""
                raise QueryError(f"The question {self.name!r} has no parameter {name!r}.{near}")
        values: dict[str, Any] = {}
        for p in self.parameters.values():
            if p.name in given:
                values[p.name] = p.check(given[p.name])
            elif p.required:
                raise QueryError(
                    f"The question {self.name!r} needs {p.name}: {p.help}, as in: {self.example}"
                )
            else:
                values[p.name] = p.default
        return Statement(self.cypher, values)

    def leaving_out(self, values: Mapping[str, Any]) -> Statement | None:
        """Return the statement that says what an answer with these parameters leaves out."""
        if not self.left_out:
            return None
        used = parameter_names(self.left_out)
        return Statement(self.left_out, {name: values[name] for name in sorted(used)})


def parse(name: str, text: str) -> Question:
    """Read one file of the catalogue and check its names against the definition of the graph.

    Raises
    ------
    SchemaError
        A header that is no TOML or lacks something, parameters that differ from those in the
        text, or a label, relation or property that the graph does not have.
    """
    question, header = _read(name, text)
    _check(question, header)
    return question


def _read(name: str, text: str) -> tuple[Question, set[str]]:
    """Return a question as its file has it, and the keywords of its header."""
    lines = text.splitlines()
    count = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
    header = "\n".join(line.removeprefix("//").removeprefix(" ") for line in lines[:count])
    cypher = "\n".join(lines[count:]).strip()
    try:
        found = tomllib.loads(header)
        question = Question(
            name=name,
            title=found["title"],
            sentences=tuple(found["sentences"]),
            parameters={key: _parameter(key, value) for key, value in _table(found, "parameters")},
            columns=dict(_table(found, "columns")),
            cypher=cypher,
            example=found["example"],
            needs=tuple(tuple(group) for group in found["needs"]),
            words=tuple(found.get("words", ())),
            motif=found.get("motif"),
            whole_network=found.get("whole_network", False),
            requires=tuple(found.get("requires", ())),
            table=tuple(found.get("table", ())),
            left_out=found.get("left_out", "").strip(),
        )
    except tomllib.TOMLDecodeError as error:
        raise SchemaError(f"The header of the question {name!r} is no TOML: {error}.") from error
    except KeyError as error:
        raise SchemaError(f"The header of the question {name!r} lacks {error}.") from error
    return question, set(found)


def _table(header: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    return list(header.get(key, {}).items())


def _parameter(name: str, entry: Mapping[str, Any]) -> Parameter:
    if entry["type"] not in get_args(ParameterType):
        raise SchemaError(
            f"{entry['type']!r} is no type of a parameter."
            f"{did_you_mean(entry['type'], get_args(ParameterType))}"
        )
    return Parameter(
        name,
        entry["type"],
        entry["help"],
        required="default" not in entry,
        default=entry.get("default"),
        cues=tuple(entry.get("cues", ())),
        choices=tuple((value, words) for value, words in entry.get("choices", ())),
    )


def _check(question: Question, header: set[str]) -> None:
    where = f"the question {question.name!r}"
    if header - _KEYWORDS:
        raise SchemaError(f"The header of {where} has unknown {sorted(header - _KEYWORDS)}.")
    for name in question.requires:
        if name not in get_args(Prerequisite):
            raise SchemaError(
                f"{where} requires {name!r}, which is nothing that can be required."
                f"{did_you_mean(name, get_args(Prerequisite))}"
            )
    declared = set(question.parameters)
    used = parameter_names(question.cypher)
    for column in question.table:
        if column not in question.columns:
            raise SchemaError(
                f"{where} has no column {column!r} for its table."
                f"{did_you_mean(column, question.columns)}"
            )
    if question.motif and "of" not in declared:
        raise SchemaError(f"{where} depends on a search and has no parameter 'of'.")
    if declared != used:
        raise SchemaError(f"{where} declares {sorted(declared)} and uses {sorted(used)}.")
    braces = {name for line in question.sentences for name in re.findall(r"\{(\w+)\}", line)}
    if braces - declared:
        raise SchemaError(f"{where} has {sorted(braces - declared)} only in its sentences.")
    if not parameter_names(question.left_out) <= declared:
        raise SchemaError(f"{where} leaves out by parameters that it does not declare.")
    for problem in (*unknown_names(question.cypher), *unknown_names(question.left_out)):
        raise SchemaError(f"{where}: {problem}")


def unknown_names(cypher: str) -> Iterator[str]:
    """Give a sentence for each label, relation or property that the graph does not have.

    Properties are checked where the text says what a variable stands for.

    Examples
    --------
    >>> list(unknown_names("MATCH (f:Featur) RETURN f"))
    ["'Featur' is not a node label. Did you mean 'Feature'?"]
    >>> list(unknown_names("MATCH (f:Feature {idd: $x})-[w:WEIGHT]->() RETURN w.sum, f.id"))
    ["'idd' is not a property of Feature. Did you mean 'id'?"]
    """
    code = without_literals(cypher)
    owners: dict[str, list[Any]] = {}
    for pattern, lookup in ((_NODE, node_type), (_RELATION, relation_type)):
        for variable, names in pattern.findall(code):
            for name in re.split(r"[|:]+", names):
                try:
                    owners.setdefault(variable, []).append(lookup(name))
                except SchemaError as error:
                    yield str(error)
    for names, body in _KEYS.findall(code):
        kinds = [kind for kind in _kinds(names) if kind]
        for key in re.findall(r"(\w+)\s*:", body):
            yield from _missing(kinds, key)
    for variable, key in _PROPERTY.findall(code):
        if variable in owners:
            yield from _missing(owners[variable], key)


def _kinds(names: str) -> Iterator[Any]:
    for name in re.split(r"[|:]+", names):
        for lookup in (node_type, relation_type):
            try:
                yield lookup(name)
            except SchemaError:
                continue


def _missing(kinds: list[Any], key: str) -> Iterator[str]:
    problems = []
    for kind in kinds:
        try:
            kind.property(key)
        except SchemaError as error:
            problems.append(str(error))
    if kinds and len(problems) == len(kinds):
        yield problems[0]


@cache
def questions() -> tuple[Question, ...]:
    """Return the questions, in alphabetical order of their names.

    Ours are not held against the graph's definition each time: a test does it.

    Examples
    --------
    >>> [question.name for question in questions()][:2]
    ['analogous-circuits', 'analogous']
    """
    folder = files("circuitkb.queries.questions") / "catalogue"
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return tuple(
        _read(entry.name.removesuffix(".cypher"), entry.read_text(encoding="utf-8"))[0]
        for entry in entries
        if entry.name.endswith(".cypher")
    )


def find(name: str) -> Question:
    """Return the question called ``name``; raises :class:`UnknownQuestionError`.

    Examples
    --------
    >>> find("union").title
    'Circuits that unite mirrored cases, across models'
    >>> find("input")
    Traceback (most recent call last):
    circuitkb.schema.errors.UnknownQuestionError: No question 'input'. Did you mean 'inputs'?
    """
    known = {question.name: question for question in questions()}
    if name in known:
        return known[name]
    raise UnknownQuestionError(f"No question {name!r}.{did_you_mean(name, known)}")
