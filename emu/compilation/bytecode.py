"""Bytecode of the packages' modules in one file, from which the command imports them.

To find a module and to read its own file of bytecode takes longer than to run it, and a run imports
more than 200. A module is taken from the file as long as its source has the size and the
modification time that it had at the build.
"""

from __future__ import annotations

import _imp
import marshal
import mmap
import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType

_PACKAGE = os.path.dirname(__file__)
_ROOT = os.path.dirname(os.path.dirname(_PACKAGE))
FILE = os.path.join(_PACKAGE, "built", f"{sys.implementation.cache_tag}.bytecode")
_PACKAGES = ("emu", "kernel", "toolchain")

Place = tuple[str, int, int, int, int]
"""Of a module: the source's path in the root; its size and modification time (ns), -1 in a package
that is installed, whose files never change; start and length of the bytecode.
"""


class _Loader(SourceFileLoader):
    """Loads a module from its bytecode; all else that a loader is asked for comes from its file."""

    def __init__(self, name: str, path: str, bytecode: memoryview) -> None:
        super().__init__(name, path)
        self._bytecode = bytecode

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = marshal.loads(self._bytecode)
        _imp._fix_co_filename(code, self.path)  # type: ignore[attr-defined] # as importlib does
        return code


class _Finder:
    """Finds the modules of ``content``, a file written by :func:`write`."""

    def __init__(self, content: memoryview) -> None:
        length, size = (int.from_bytes(content[at : at + 8], "little") for at in (0, 8))
        if size != len(content):
            raise ValueError("the file is not complete")
        self._modules: dict[str, Place] = marshal.loads(content[16:length])
        self._bytecode = content[length:]

    def find_spec(
        self, name: str, _path: object = None, _target: object = None, /
    ) -> ModuleSpec | None:
        found = self._modules.get(name)
        if found is None:
            return None
        relative, size, modified, start, length = found
        path = os.path.join(_ROOT, relative)
        if size >= 0 and not is_unchanged(path, size, modified):
            return None
        is_package = path.endswith("__init__.py")
        loader = _Loader(name, path, self._bytecode[start : start + length])
        spec = ModuleSpec(name, loader, origin=path, is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(path)]
        return spec


def is_unchanged(path: str, size: int, modified: int) -> bool:
    """Returns whether a file has this size and modification time (ns)."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return found.st_size == size and found.st_mtime_ns == modified


def use() -> None:
    """Imports modules from the file from now on, if there is one."""
    try:
        with open(FILE, "rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        sys.meta_path.insert(0, _Finder(memoryview(content)))
    except (OSError, EOFError, ValueError, TypeError):
        return


def write(*, installed: bool = False) -> None:
    """Writes the file."""
    modules: dict[str, Place] = {}
    parts: list[bytes] = []
    start = 0
    for path in _sources():
        relative = os.path.relpath(path, _ROOT)
        with open(path, "rb") as file:
            source = file.read()
        found = os.stat(path)
        bytecode = marshal.dumps(compile(source, relative, "exec", dont_inherit=True))
        size, modified = (-1, -1) if installed else (found.st_size, found.st_mtime_ns)
        modules[_name(relative)] = relative, size, modified, start, len(bytecode)
        parts.append(bytecode)
        start += len(bytecode)
    index = marshal.dumps(modules)
    os.makedirs(os.path.dirname(FILE), exist_ok=True)
    with open(f"{FILE}.new", "wb") as file:
        length = 16 + len(index)
        for number in (length, length + start):
            file.write(number.to_bytes(8, "little"))
        file.write(index + b"".join(parts))
    os.replace(f"{FILE}.new", FILE)  # which a command may be using


def _sources() -> list[str]:
    """Paths of the sources that the command may import, without those of labs."""
    found = []
    for package in _PACKAGES:
        for folder, subfolders, files in os.walk(os.path.join(_ROOT, package)):
            if folder == os.path.join(_ROOT, "emu", "lab"):
                subfolders.clear()
                continue
            found += [os.path.join(folder, file) for file in files if file.endswith(".py")]
    return sorted(found)


def _name(relative: str) -> str:
    parts = relative.removesuffix(".py").split(os.sep)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
