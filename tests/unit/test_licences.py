"""No library that is installed by default is under the GPL or AGPL; the LGPL, loaded dynamically, is fine."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.unit
APPLICATION = "atelier-studio"
REFUSED = re.compile(r"\b(A?GPL)|(?<!lesser )general public licen[cs]e|affero", re.IGNORECASE)
# What licences call themselves: SPDX names, words of the classifiers and of the free field.
ACCEPTED = re.compile(
    r"\bMIT\b|\bMIT-|Apache|\bBSD|\b0BSD|\bISC\b|ISCL|\bPSF\b|PSF-|Python Software Foundation|MPL|Mozilla Public"
    r"|LGPL|lesser general public|BSL-1|Boost|\bZlib\b|CC0|Unlicense|CNRI|public domain|Zope",
    re.IGNORECASE,
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(root: str, path: list[str] | None = None) -> Iterator[Distribution]:
    """`root` and all that it requires here, extras of requirements included, without its own extras.

    Raises LookupError for a requirement that is not installed: its licence would stay unseen.
    """
    installed = {canonical(d.name): d for d in (distributions(path=path) if path else distributions())}
    todo: list[tuple[str, frozenset[str]]] = [(canonical(root), frozenset())]
    seen: set[tuple[str, frozenset[str]]] = set()
    told: set[str] = set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        if name not in installed:
            raise LookupError(name)
        if name not in told:
            told.add(name)
            yield installed[name]
        for line in installed[name].requires or []:
            needed = Requirement(line)
            if not needed.marker or any(needed.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                todo.append((canonical(needed.name), frozenset(needed.extras)))


def verdict(distribution: Distribution) -> str:
    """Why its licence is refused or not understood; empty when it is fine.

    An expression counts before the free field, and that before the classifiers: the first that says something.
    """
    metadata = distribution.metadata
    classifiers = [
        c.rpartition("::")[2].strip() for c in metadata.get_all("Classifier") or [] if c.startswith("License")
    ]
    classifiers = [c for c in classifiers if c != "OSI Approved"]
    free, named = metadata.get("License"), " AND ".join(classifiers)
    # A whole text with those of bundled libraries below it (libgfortran, with the exception for programs that use it).
    ordered = (named, free) if named and len(free or "") > 300 else (free, named)
    for said in (metadata.get("License-Expression"), *ordered):
        said = " ".join((said or "").split())
        if said and said.upper() != "UNKNOWN":
            return "" if _allowed(said) else f"{distribution.name} {distribution.version}: {said[:80]}"
    return f"{distribution.name} {distribution.version}: it names no licence"


def _allowed(said: str) -> bool:
    """One side of every OR, all sides of an AND."""
    if len(said) > 300:  # the whole text: its head says which it is
        said = said[:300]
    if "(" in said and re.search(r"\)\s+(AND|OR)|(AND|OR)\s+\(", said):
        inner = re.sub(r"\(([^()]*)\)", lambda m: "MIT" if _allowed(m[1]) else "GPL-3.0-only", said)
        return _allowed(inner)
    sides = re.split(r"\s+AND\s+|,\s+", said)
    return all(any(_one(choice) for choice in re.split(r"\s+OR\s+", side)) for side in sides)


def _one(name: str) -> bool:
    without_lesser = re.sub(r"LGPL[\w.+-]*|(GNU )?lesser general public licen[cs]e", "", name, flags=re.IGNORECASE)
    return not REFUSED.search(without_lesser) and bool(ACCEPTED.search(name))


def problems(root: str, path: list[str] | None = None) -> list[str]:
    return [found for distribution in closure(root, path) if (found := verdict(distribution))]


def distribution(folder: Path, name: str, *lines: str) -> None:
    """A made-up installed distribution."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    head = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0"]
    (info / "METADATA").write_text("\n".join([*head, *lines, ""]))


def test_nothing_that_is_installed_by_default_is_under_the_gpl():
    names = {canonical(d.name) for d in closure(APPLICATION)}
    assert {"torch", "transformers", "pyside6-essentials", "tokenizers", "pydantic-core"} <= names
    assert "pytest" not in names
    assert problems(APPLICATION) == []


@pytest.mark.parametrize(
    "licence",
    [
        "License-Expression: GPL-3.0-or-later",
        "License-Expression: MIT AND AGPL-3.0-only",
        "License: GNU General Public License v2 or later (GPLv2+)",
        "License: GNU AFFERO GENERAL PUBLIC LICENSE",
        "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
        "License: UNKNOWN",
        "License: you may look but not touch",
    ],
)
def test_a_gpl_library_or_one_of_unknown_licence_is_found(tmp_path, licence):
    distribution(
        tmp_path,
        "our-app",
        "License-Expression: Apache-2.0",
        "Requires-Dist: fine",
        "Requires-Dist: extra ; extra == 'x'",
    )
    distribution(tmp_path, "fine", "License-Expression: MIT", "Requires-Dist: deep-down[more]>=1")
    distribution(tmp_path, "deep-down", "License: BSD", "Requires-Dist: sinner ; extra == 'more'")
    distribution(tmp_path, "sinner", licence)
    (found,) = problems("our-app", [str(tmp_path)])
    assert found.startswith("sinner 1.0: ")


@pytest.mark.parametrize(
    "licence",
    [
        "License-Expression: LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only",
        "License-Expression: (MIT OR GPL-2.0-only) AND BSD-3-Clause",
        "License: GNU Lesser General Public License v3",
        "Classifier: License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)",
    ],
)
def test_a_choice_and_the_lgpl_are_fine(tmp_path, licence):
    distribution(tmp_path, "our-app", licence)
    assert problems("our-app", [str(tmp_path)]) == []


def test_a_library_that_is_not_there_is_not_passed_over(tmp_path):
    distribution(tmp_path, "our-app", "License: MIT", "Requires-Dist: absent")
    with pytest.raises(LookupError, match="absent"):
        problems("our-app", [str(tmp_path)])
