"""Restricts the modules that a student's code can import, and reports others as errors.

This gives clear messages; it does not confine the code, which can reach a loaded module in many
ways. ``confinement.py`` confines it, and prevents opening files: so every module that may be
imported, now or later by another module, is loaded here first.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

KIT = "emu.lab.kit"
"""The only module of the project that a student's code imports."""

ALLOWED = frozenset(
    {
        "__future__", "abc", "array", "bisect", "collections", "collections.abc", "contextlib",
        "copy", "dataclasses", "enum", "functools", "heapq", "itertools", "math", "numbers",
        "operator", "string", "struct", "typing",
    }
)  # fmt: skip
"""``random`` is excluded: a second run of a kernel must do the same as the first."""

_IMPORTED_LATER = (
    "_colorize", "_suggestions", "annotationlib", "ast", "copyreg", "encodings.ascii",
    "encodings.latin_1", "encodings.utf_8", "inspect", "keyword", "linecache", "re", "reprlib",
    "string.templatelib", "textwrap", "tokenize", "traceback", "types", "unicodedata", "warnings",
    "weakref",
)  # fmt: skip
"""Modules that a function of an allowed module imports, a traceback, or ``\\N{…}`` in a string.
Not all exist in every version of Python.
"""


def restrict_imports(allowed: frozenset[str] = ALLOWED) -> None:
    """Makes imports of all other modules but the kit raise ImportError in a student's code.

    Code of a module created after this call is the student's. Modules loaded by now belong to the
    standard library or the project, and may import every module that is loaded.
    """
    preload(allowed)
    trusted = {id(vars(module)): module for module in list(sys.modules.values())}
    import_ = builtins.__import__

    def gate(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002  (parameter of __import__)
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        frame = sys._getframe(1)
        if id(frame.f_globals) not in trusted and (
            level or not _may_import(name, fromlist or (), allowed)
        ):
            raise _refusal("." * level + name, frame, allowed)
        return import_(name, globals, locals, fromlist or (), level)

    builtins.__import__ = gate
    sys.meta_path[:] = [_NoFinder]


def _may_import(name: str, fromlist: Iterable[str], allowed: frozenset[str]) -> bool:
    """Returns True for an allowed module, and for ``from emu.lab import kit``."""
    if name in allowed or _is_kit(name):
        return True
    items = [f"{name}.{item}" for item in fromlist]
    return bool(items) and all(item in allowed or _is_kit(item) for item in items)


def _is_kit(name: str) -> bool:
    return name == KIT or name.startswith(f"{KIT}.")


def _refusal(name: str, frame: FrameType, allowed: frozenset[str]) -> ImportError:
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    may = ", ".join([*sorted(allowed), KIT])
    return ImportError(f"{place}: module '{name}' cannot be imported (allowed: {may})", name=name)


@cache
def preload(allowed: frozenset[str]) -> None:
    """Imports every module that may be imported; once in a process and those forked from it."""
    for name in allowed:
        importlib.import_module(name)
    for name in _IMPORTED_LATER:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    if importlib.util.find_spec(KIT) is not None:
        kit = importlib.import_module(KIT)
        for module in pkgutil.walk_packages(getattr(kit, "__path__", ()), f"{KIT}."):
            importlib.import_module(module.name)


class _NoFinder:
    """Meta path finder that finds no module, so only loaded modules can be imported."""

    @staticmethod
    def find_spec(_name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        return None
