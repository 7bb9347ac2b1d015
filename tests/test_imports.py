"""Is there a circle of imports in the project? Those in functions and for types count too."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = ("emu", "guest", "kernel", "toolchain")


def imported(source: str, modules: frozenset[str]) -> set[str]:
    """The project's modules that a source imports anywhere in its text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in modules else node.module)
    return found & modules


def circle(sources: dict[str, str]) -> list[str]:
    """Modules that import each other in a circle; empty when there is none."""
    modules = frozenset(sources)
    graph = {name: imported(source, modules) - {name} for name, source in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def sources() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        for file in (PROJECT / package).rglob("*.py"):
            parts = file.relative_to(PROJECT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = file.read_text()
    return found


def test_no_module_imports_itself_by_others() -> None:
    assert len(sources()) > 300, "the sources were not found"
    assert circle(sources()) == []


@pytest.mark.parametrize(
    "import_of_a",
    [
        "import p.a",
        "from p import a",
        "from p.a import name",
        "def f():\n    from p.a import name",
        "if TYPE_CHECKING:\n    from p.a import name",
    ],
)
def test_each_way_to_import_makes_a_circle(import_of_a: str) -> None:
    assert set(circle({"p": "", "p.a": "from p import b", "p.b": import_of_a})) == {"p.a", "p.b"}


def test_a_chain_is_not_a_circle() -> None:
    assert circle({"a": "import b\nimport c", "b": "from c import x", "c": ""}) == []
