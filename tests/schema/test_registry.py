"""Values by name, ours and those of other packages; a broken one leaves the rest alone."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from circuitkb.errors import PluginError, QueryError
from circuitkb.schema.registry import PluginWarning, Registry

OURS = {"pi": "math:pi", "e": "math:e"}


def registry() -> Registry[float]:
    return Registry("circuitkb.numbers", "number", float, OURS, unknown=QueryError)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Puts packages where Python finds them, as an installer does: by their metadata."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def put(package: str, code: str, **points: str) -> None:
        (tmp_path / f"{package}.py").write_text(code)
        about = tmp_path / f"{package}-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        lines = [f"{name} = {place}" for name, place in points.items()]
        (about / "entry_points.txt").write_text("\n".join(["[circuitkb.numbers]", *lines]) + "\n")

    yield put
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_what_a_package_adds_stands_beside_ours(install) -> None:  # type: ignore[no-untyped-def]
    install("more_numbers", "tau = 6.28", tau="more_numbers:tau")
    found = registry()
    assert found.names == ("pi", "e", "tau")
    assert found.get("tau") == 6.28
    assert list(found)[2] == 6.28


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no such\\nluck')", "RuntimeError: no such$"),
        ("tau = 'long'", "broken:tau is no float but a str"),
        ("", "AttributeError: .*'tau'"),
        ("import torchh", "ModuleNotFoundError: No module named 'torchh'"),
    ],
)
def test_a_broken_one_is_named_with_its_error_in_one_line_and_the_rest_works(
    install,
    code: str,
    reason: str,  # type: ignore[no-untyped-def]
) -> None:
    install("broken", code, tau="broken:tau")
    found = registry()
    with pytest.raises(PluginError, match=f"The number 'tau' of the package 'broken'.*{reason}"):
        found.get("tau")
    with pytest.warns(PluginWarning, match="'tau' of the package 'broken' cannot be used"):
        assert len(list(found)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(found)) == 2, "it is said once"


def test_a_name_that_is_taken_twice_is_an_error_that_names_both(install) -> None:  # type: ignore[no-untyped-def]
    install("one", "pi = 3.0", pi="one:pi", tau="one:pi")
    install("other", "tau = 6.28", tau="other:tau")
    found = registry()
    with pytest.raises(PluginError, match=r"'pi' is taken twice: by math:pi \(circuitkb\) and o"):
        found.get("pi")
    with pytest.raises(PluginError, match=r"package 'one'\) and other:tau \(the package 'other"):
        found.get("tau")
    assert found.get("e") > 2


def test_an_unknown_name_is_refused_with_near_ones() -> None:
    with pytest.raises(QueryError, match=r"There is no number 'pie'\. Did you mean 'pi'"):
        registry().get("pie")
