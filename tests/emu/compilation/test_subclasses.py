"""Do interpreted classes derive only from compiled ones that allow it?

mypyc's classes refuse to create an object of another class, when it is created.
"""

from __future__ import annotations

import ast
import os
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

import emu
import kernel
from emu.compilation.build import source
from emu.compilation.modules import BY_MYPYC
from tests.emu import prefork


def compiled_classes() -> Iterator[tuple[type[Any], bool]]:
    """The classes of mypyc's modules, and whether others may derive from them."""
    for module in BY_MYPYC:
        found = vars(import_module(module))
        for node in ast.parse(source(module).read_text()).body:
            if isinstance(node, ast.ClassDef):
                decorators = [ast.unparse(each) for each in node.decorator_list]
                allowed = "mypyc_attr(allow_interpreted_subclasses=True)" in decorators
                yield found[node.name], allowed


def is_ours(module: str) -> bool:
    """Labs are not: they run in pure Python."""
    return module.startswith(("emu.", "kernel.")) and not module.startswith("emu.lab.")


def test_no_interpreted_class_derives_from_one_that_refuses_it() -> None:
    if os.environ.get("EMU_PURE") == "0":
        pytest.skip("it looks at the sources")
    for package in (emu, kernel):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    refused = []
    for base, allowed in compiled_classes():
        derived: type[Any]
        for derived in base.__subclasses__():
            module_name = derived.__module__
            if not allowed and module_name not in BY_MYPYC and is_ours(module_name):
                refused.append(f"{module_name}.{derived.__name__} of {base.__name__}")
    assert refused == []


def test_do_commands_of_the_tests_run_compiled_where_that_is_wanted() -> None:
    done = prefork.run(["--version"], stdin=b"", cwd=None, environment=os.environ, seconds=60)
    wanted = "compiled" if os.environ.get("EMU_PURE") == "0" else "pure Python"
    assert wanted in done.stdout.decode()
