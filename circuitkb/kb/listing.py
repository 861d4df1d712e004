"""The verbs of a knowledge base that ask: part of :class:`circuitkb.KnowledgeBase`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from circuitkb.lists.running import Runner
from circuitkb.lists.selections import (
    AnnotationQuery,
    CircuitQuery,
    EdgeQuery,
    FeatureQuery,
    ModelQuery,
    NodeQuery,
    TrialQuery,
    chosen,
)
from circuitkb.patterns.pattern_query import PatternQuery
from circuitkb.queries.lists.conditions import DEFAULT_LIMIT
from circuitkb.queries.lists.criteria import (
    Annotations,
    Circuits,
    Edges,
    Features,
    Models,
    Nodes,
    Sign,
    Trials,
)
from circuitkb.queries.lists.statement import Statement
from circuitkb.queries.patterns.pattern import Pattern
from circuitkb.results.result import Result
from circuitkb.schema.ids import FeatureId
from circuitkb.stores.base import DEFAULT_TIMEOUT, Store
from circuitkb.stores.querying.bounds import check_parameters

if TYPE_CHECKING:
    from circuitkb.queries.questions.catalogue import Question
    from circuitkb.results.reports import Asked

Which = str | FeatureId | Iterable[str | FeatureId] | FeatureQuery
"""A feature, several, or a list of features."""


class Listing:
    """What a knowledge base answers: Cypher, questions, lists, patterns."""

    store: Store

    @cached_property
    def _runner(self) -> Runner:
        return Runner(self.store)

    def query(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int | None = DEFAULT_LIMIT,
    ) -> Result:
        """Run Cypher that only reads.

        Parameters
        ----------
        cypher, parameters
            The text, and the values of its ``$names``.
        timeout
            Seconds that it may run.
        limit
            Rows that it may return; the result says if there were more.

        Raises
        ------
        CypherError, QueryRefusedError, QueryTimeoutError, QueryMemoryError
        """
        given = {} if parameters is None else parameters
        return self._runner(Statement(cypher, given), timeout=timeout, limit=limit)

    def stream(
        self,
        cypher: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        rows: int = DEFAULT_LIMIT,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Iterator[Result]:
        """Run Cypher that only reads, and give all of its rows, ``rows`` at a time.

        Memory does not grow with the rows. ``timeout`` is for all of them together, with what is
        done in between.

        Raises
        ------
        CypherError, QueryRefusedError, QueryTimeoutError, QueryMemoryError
        """
        statement = Statement(cypher, {} if parameters is None else parameters)
        return self._runner.stream(statement, timeout=timeout, rows=rows)

    def ask(
        self,
        question: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        limit: int | None = DEFAULT_LIMIT,
    ) -> Asked:
        """Answer a question of the catalogue, given by its name or asked in a sentence.

        Parameters
        ----------
        question
            ``"union"``, or ``"find all circuits unioning left/right orientation detectors"``.
        parameters
            Values that the sentence does not state; they must not differ from those that it does.

        Raises
        ------
        UnknownQuestionError
            No question fits, or several do; nothing was run.
        NotFoundError
            A model, feature or label is not here.
        """
        from circuitkb.kb.ask import ask

        given = check_parameters(parameters)
        return ask(self.store, question, given, timeout=timeout, limit=limit)

    def questions(self) -> tuple[Question, ...]:
        """Return the questions that :meth:`ask` knows, with those of ``CIRCUITKB_QUESTIONS``.

        Raises
        ------
        QueryError
            A file among those breaks the form; the message names it.
        """
        from circuitkb.queries.questions.own_questions import every_question

        return every_question()

    def nodes(
        self, label: str, /, *, limit: int | None = DEFAULT_LIMIT, **properties: Any
    ) -> NodeQuery:
        """Return the nodes of any kind of the schema, by id, with all their properties.

        Parameters
        ----------
        label
            The kind, as ``"Trial"``; ``circuitkb schema`` lists them.
        properties
            Of the node, with values or predicates: ``outcome="failed"``.

        Raises
        ------
        SchemaError
            No such kind, or no such property; the message has near matches.
        """
        return NodeQuery(Nodes(label=label, limit=limit).where(**properties), self._runner)

    def models(self, *, limit: int | None = DEFAULT_LIMIT, **conditions: Any) -> ModelQuery:
        """Return the models, by name; ``conditions`` are properties, with values or predicates."""
        return ModelQuery(Models.of(limit=limit, **conditions), self._runner)

    def features(
        self,
        *,
        model: Any = None,
        layer: Any = None,
        label: Any = None,
        id: Any = None,
        labelled: bool | None = None,
        limit: int | None = DEFAULT_LIMIT,
        **properties: Any,
    ) -> FeatureQuery:
        """Return features, by model, order of the layer, and unit.

        Parameters
        ----------
        model, layer
            Names, or predicates such as ``one_of("alexnet", "vgg11_bn")``.
        label
            Part of a label, in any case; or a predicate on the text of a label.
        id
            An id, or several.
        labelled
            Whether anybody labelled it.
        limit
            Rows to return at most.
        properties
            Properties of a feature (``circuitkb schema`` lists them), with values or predicates:
            ``orientation=near(45, 15)``.

        Raises
        ------
        SchemaError
            No such property; the message has near matches.
        """
        names = {"model": model, "layer": layer, "label": label, "labelled": labelled}
        listed = chosen(id) if id is not None else Features()
        criteria = Features(**names, id=listed.id, origin=listed.origin, limit=limit)
        return FeatureQuery(criteria.where(**properties), self._runner)

    def edges(
        self,
        *,
        model: str | None = None,
        source: Which | None = None,
        target: Which | None = None,
        min_rank: int | None = None,
        max_rank: int | None = None,
        sign: Sign | None = None,
        limit: int | None = DEFAULT_LIMIT,
        **properties: Any,
    ) -> EdgeQuery:
        """Return the weights that the graph keeps, by target, then rank.

        Parameters
        ----------
        model
            Model of the target.
        source, target
            A feature, several ids, or a list of features, at that end.
        min_rank, max_rank
            Bounds of the rank among the target's inputs, from 1 (the strongest).
        sign
            ``"+"`` (``"positive"``) or ``"-"``: of the net sum.
        properties
            Of the weight, with values or predicates: ``positive=above(0.5)``.
        """
        criteria = Edges(
            model=model,
            source=_end(source),
            target=_end(target),
            min_rank=min_rank,
            max_rank=max_rank,
            sign=sign,
            limit=limit,
        )
        return EdgeQuery(criteria.where(**properties), self._runner)

    def circuits(
        self,
        *,
        model: Any = None,
        motif: Any = None,
        origin: Any = None,
        feature: Which | None = None,
        by_pair: bool = False,
        limit: int | None = DEFAULT_LIMIT,
        **properties: Any,
    ) -> CircuitQuery:
        """Return circuits with their members and nulls, by model, origin, motif and group.

        Parameters
        ----------
        model, motif, origin
            Names, or predicates; ``origin`` is ``"found"``, ``"published"`` or ``"annotated"``.
        feature
            A feature that must be a member, or features of which one must be.
        by_pair
            One row for each pair of cases and shape of tuning, with the number of its targets.
        properties
            Of the circuit, with values or predicates: ``score=at_least(0.9)``.
        """
        criteria = Circuits(
            model=model,
            motif=motif,
            origin=origin,
            feature=_end(feature),
            by_pair=by_pair,
            limit=limit,
        )
        return CircuitQuery(criteria.where(**properties), self._runner)

    def annotations(
        self,
        *,
        author: Any = None,
        author_type: Any = None,
        label: Any = None,
        kind: Any = None,
        state: Any = "live",
        feature: Which | None = None,
        limit: int | None = DEFAULT_LIMIT,
        **properties: Any,
    ) -> AnnotationQuery:
        """Return what people and tools say, by target, label and author.

        Parameters
        ----------
        author, author_type
            Who says it: an id, or a predicate; ``human``, ``group``, ``model`` or ``tool``.
        label
            Part of the label that it gives; or a predicate on the text.
        kind
            ``label``, ``role``, ``claim``, ``comment``, ``review`` or ``retraction``.
        state
            ``live`` if not given; None for all, superseded and retracted ones too.
        feature
            A feature, or features, that it speaks of.
        properties
            Of the annotation, with values or predicates.
        """
        criteria = Annotations(
            author=author,
            author_type=author_type,
            label=label,
            kind=kind,
            state=state,
            feature=_end(feature),
            limit=limit,
        )
        return AnnotationQuery(criteria.where(**properties), self._runner)

    def trials(
        self,
        *,
        model: Any = None,
        kind: Any = None,
        outcome: Any = None,
        circuit: Any = None,
        feature: Which | None = None,
        limit: int | None = DEFAULT_LIMIT,
        **properties: Any,
    ) -> TrialQuery:
        """Return the trials: what was predicted, what the edited network gave, how it ended.

        Parameters
        ----------
        model, kind, outcome
            Names, or predicates; ``kind`` is ``edit`` or a motif, ``outcome`` is ``held``,
            ``failed`` or ``undecided``.
        circuit
            Id of the circuit that they are about.
        feature
            A feature, or features, that they are about.
        properties
            Of the trial, with values or predicates: ``q=at_most(0.05)``.
        """
        criteria = Trials(
            model=model,
            kind=kind,
            outcome=outcome,
            circuit=circuit,
            feature=_end(feature),
            limit=limit,
        )
        return TrialQuery(criteria.where(**properties), self._runner)

    def pattern(
        self,
        pattern: str | Pattern,
        *,
        edges: Any = None,
        where: Iterable[tuple[str, str, str]] = (),
        unordered: Iterable[tuple[str, str]] | bool = (),
        may_coincide: Iterable[tuple[str, str]] | bool = (),
        limit: int | None = DEFAULT_LIMIT,
        **features: Any,
    ) -> PatternQuery:
        """Return the matches of a motif pattern such as ``"a +> u <+ b; not a -> b"``.

        Parameters
        ----------
        pattern
            A text in the language of patterns, with what its parts must be in the other
            parameters; or a :class:`Pattern`, which has all of it.
        edges
            What every weight must be, as ``edge(max_rank=8)``; or a mapping from arrows.
        where
            Properties that are compared, as ``("a.orientation", ">", "b.orientation")``; of
            weights by the names that ``as`` gives them in the text.
        unordered
            Pairs of names that stand for the same part, each pair given once; True: each set of
            features once, whatever the symmetries of the pattern.
        may_coincide
            Pairs of names that may stand for one feature; True for all.
        limit
            Rows to return at most.
        features
            What each feature must be, by its name: ``feature(...)`` or ``kb.features(...)``.

        Raises
        ------
        QueryError
            A pattern that cannot be read; the message says where.
        """
        if isinstance(pattern, str):
            given = {
                name: wanted.criteria if isinstance(wanted, FeatureQuery) else wanted
                for name, wanted in features.items()
            }
            pattern = Pattern(
                pattern,
                edges=edges,
                where=where,
                unordered=unordered,
                may_coincide=may_coincide,
                limit=limit,
                **given,
            )
        return PatternQuery(pattern, self._runner)


def _end(given: Which | None) -> Features | None:
    return None if given is None else chosen(given)
