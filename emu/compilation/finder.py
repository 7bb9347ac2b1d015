"""Chooses, when the command starts, between the compiled modules and their sources.

The compiled ones are used if they were built for this Python, if no source has changed since, and
unless the environment has ``EMU_PURE`` (other than 0). All or none of them are compiled: they use
each other's classes.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from types import ModuleType

from emu.compilation.bytecode import is_unchanged
from emu.compilation.modules import BY_CYTHON, BY_MYPYC, GROUP_LIBRARY

_PACKAGE = os.path.dirname(__file__)
_ROOT = os.path.dirname(os.path.dirname(_PACKAGE))
SUFFIX = EXTENSION_SUFFIXES[0]
"""End of the names of compiled modules, which contains the version of Python and the platform."""
FOLDER = os.path.join(_PACKAGE, "built", SUFFIX.strip(".").removesuffix(".so"))
"""Folder of the libraries for this Python, named MODULE or ``GROUP_LIBRARY`` + ``SUFFIX``."""
SOURCES = os.path.join(FOLDER, "sources")
"""Lists size, modification time (ns) and path of each source, and of each library, at the build."""
INSTALLED = "installed"
"""Its only line in a package that is installed, whose files never change."""


_FILES = {
    **dict.fromkeys(BY_MYPYC, os.path.join(FOLDER, GROUP_LIBRARY + SUFFIX)),
    **{name: os.path.join(FOLDER, name + SUFFIX) for name in (GROUP_LIBRARY, *BY_CYTHON)},
}
"""The library of each module."""


class _GroupLoader:
    """Loads the modules of mypyc's library. To call what the library has for each is quicker than
    the small libraries that mypyc makes for the same purpose.
    """

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        import ctypes

        name = "init_" + spec.name.replace("___", "___3_").replace(".", "___")
        capsule = getattr(import_module(GROUP_LIBRARY), name)
        address_in = ctypes.pythonapi.PyCapsule_GetPointer
        address_in.argtypes, address_in.restype = (
            (ctypes.py_object, ctypes.c_char_p),
            ctypes.c_void_p,
        )
        create = ctypes.PYFUNCTYPE(ctypes.py_object)
        module: ModuleType = create(address_in(capsule, f"{GROUP_LIBRARY}.{name}".encode()))()
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The library's function has executed it."""


class _Finder:
    """Finds compiled modules in ``FOLDER``; for :data:`sys.meta_path`."""

    def find_spec(
        self, name: str, _path: object = None, _target: object = None, /
    ) -> ModuleSpec | None:
        file = _FILES.get(name)
        if file is None:
            return None
        loader = _GroupLoader() if name in BY_MYPYC else ExtensionFileLoader(name, file)
        spec = ModuleSpec(name, loader, origin=file)  # type: ignore[arg-type] # it is a loader
        spec.has_location = True
        return spec


class _Choice:
    """``reason`` for which the sources are used; empty for the compiled modules, None before."""

    reason: str | None = None


def choose(pure: str = "") -> None:
    """Chooses once, before any of the modules is imported. ``pure``, if not empty, is a reason for
    the sources.
    """
    if _Choice.reason is not None:
        return
    _Choice.reason = pure or _obstacle()
    if not _Choice.reason:
        sys.setdlopenflags(os.RTLD_LAZY)  # a function is bound when it is first called
        sys.meta_path.insert(0, _Finder())


def is_compiled() -> bool:
    """Returns whether the compiled modules are used."""
    return _Choice.reason == ""


def variant() -> str:
    """Names what is used, such as ``pure Python: EMU_PURE is set``."""
    choose()
    return f"pure Python: {_Choice.reason}" if _Choice.reason else "compiled"


def _obstacle() -> str:
    """The reason for which the compiled modules cannot be used; empty if they can."""
    if os.environ.get("EMU_PURE", "0") not in ("", "0"):
        return "EMU_PURE is set"
    try:
        with open(SOURCES, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return "not compiled (make setup)"
    if not _FILES.keys().isdisjoint(sys.modules):
        return "modules were imported before emu.api"
    if lines != [INSTALLED] and not (lines and all(map(_is_unchanged, lines))):
        return "sources have changed since they were compiled (make setup)"
    return ""


def _is_unchanged(line: str) -> bool:
    try:
        size, modified, path = line.split(" ", 2)
        return is_unchanged(os.path.join(_ROOT, path), int(size), int(modified))
    except ValueError:
        return False
