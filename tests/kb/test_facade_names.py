"""What `import circuitkb` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

import circuitkb

HEAVY = ("torch", "pyarrow", "pandas", "scipy", "matplotlib", "arcadedb", "numpy", "networkx")


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_the_public_names_are_these() -> None:
    assert circuitkb.__all__ == [
        "AnnotationError",
        "CircuitKBError",
        "ClaimError",
        "FeatureId",
        "IdError",
        "KnowledgeBase",
        "MissingExtraError",
        "ModelConflictError",
        "NotFoundError",
        "ObservationError",
        "Pattern",
        "PluginError",
        "ProofError",
        "QueryError",
        "QueryTimeoutError",
        "ReleaseError",
        "Result",
        "SchemaError",
        "ServingError",
        "SourceError",
        "StoreBusyError",
        "StoreError",
        "StoreNotFoundError",
        "TrialError",
        "Union",
        "UnknownQuestionError",
        "WorkerError",
        "__version__",
        "above",
        "at_least",
        "at_most",
        "below",
        "between",
        "check",
        "containing",
        "edge",
        "ending_with",
        "errors",
        "feature",
        "mirror",
        "missing",
        "near",
        "one_of",
        "open",
        "starting_with",
    ]
    assert dir(circuitkb) == sorted(circuitkb.__all__)


@pytest.mark.parametrize("name", circuitkb.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(circuitkb, name) is not None


def test_the_errors_are_one_module() -> None:
    assert isinstance(circuitkb.errors, types.ModuleType)
    assert issubclass(circuitkb.errors.ModelConflictError, circuitkb.errors.CircuitKBError)


def test_errors_stand_at_the_top_too_and_every_branch_of_the_tree_does() -> None:
    for name in (name for name in circuitkb.__all__ if name.endswith("Error")):
        assert getattr(circuitkb, name) is getattr(circuitkb.errors, name)
    branches = {error.__name__ for error in circuitkb.CircuitKBError.__subclasses__()}
    assert branches <= set(circuitkb.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Circuit'"):
        circuitkb.Circuit  # type: ignore[attr-defined] # noqa: B018


def test_importing_brings_in_nothing_heavy() -> None:
    code = f"import sys, circuitkb; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run(code) == "[]"


def test_importing_takes_less_than_a_third_of_a_second() -> None:
    code = "from time import perf_counter as t; a = t(); import circuitkb; print(t() - a)"
    # The machine may be busy: the fastest of three is what importing costs.
    assert min(float(run(code)) for _ in range(3)) < 0.3


def test_opening_a_knowledge_base_needs_no_torch_and_no_plotting(tmp_path: object) -> None:
    code = (
        f"import sys, circuitkb; circuitkb.open({str(tmp_path) + '/kb.ckb'!r}).close(); "
        "print([m for m in ('torch', 'scipy', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    assert run(code).splitlines()[-1] == "[]"
