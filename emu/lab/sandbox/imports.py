"""Which modules a student's kernel may import, so that a mistake is told as one.

This is for clarity, and no wall: Python leaves many ways to a module that is loaded. The wall is
``sandbox.py``, which also lets no file be opened; so all that may be imported, or may be needed
later by what is, is loaded here first.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

KIT = "emu.lab.kit"
"""The module, or package, that students do import of ours."""

ALLOWED = frozenset(
    {
        "__future__", "abc", "array", "bisect", "collections", "collections.abc", "contextlib",
        "copy", "dataclasses", "enum", "functools", "heapq", "itertools", "math", "numbers",
        "operator", "string", "struct", "typing",
    }
)  # fmt: skip
"""No ``random``: a kernel that is run again must do the same again."""

_IMPORTED_LATER = (
    "_colorize", "_suggestions", "annotationlib", "ast", "copyreg", "encodings.ascii",
    "encodings.latin_1", "encodings.utf_8", "inspect", "keyword", "linecache", "re", "reprlib",
    "string.templatelib", "textwrap", "tokenize", "traceback", "types", "unicodedata", "warnings",
    "weakref",
)  # fmt: skip
"""Imported within a function of an allowed module, by a traceback, or by ``\\N{…}`` in a string;
not all are in every Python.
"""


def restrict_imports(allowed: frozenset[str] = ALLOWED) -> None:
    """From now on importing anything but these and the kit is an ImportError for a student.

    The student's code is what runs in a module made after this call: those that are loaded now are
    the library's and ours, and may import what else is loaded.
    """
    _preload(allowed)
    ours = {id(vars(module)): module for module in list(sys.modules.values())}
    import_ = builtins.__import__

    def gate(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002  (as the language names it)
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        frame = sys._getframe(1)
        if id(frame.f_globals) not in ours and (
            level or not _may_import(name, fromlist or (), allowed)
        ):
            raise _refusal("." * level + name, frame, allowed)
        return import_(name, globals, locals, fromlist or (), level)

    builtins.__import__ = gate
    sys.meta_path[:] = [_NoFinder]


def _may_import(name: str, fromlist: Iterable[str], allowed: frozenset[str]) -> bool:
    """``from emu.lab import kit`` names the kit too."""
    if name in allowed or _is_kit(name):
        return True
    items = [f"{name}.{item}" for item in fromlist]
    return bool(items) and all(item in allowed or _is_kit(item) for item in items)


def _is_kit(name: str) -> bool:
    return name == KIT or name.startswith(f"{KIT}.")


def _refusal(name: str, frame: FrameType, allowed: frozenset[str]) -> ImportError:
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    may = ", ".join([*sorted(allowed), KIT])
    return ImportError(f"{place}: a kernel has no '{name}': what may be imported: {may}", name=name)


def _preload(allowed: Iterable[str]) -> None:
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
    """Finds no module: those that are loaded are all there are."""

    @staticmethod
    def find_spec(_name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        return None
