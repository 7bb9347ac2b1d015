"""/etc/ld.so.cache, as the guest's ldconfig(8) writes it, without running it.

The format is that of glibc's sysdeps/generic/dl-cache.h, "glibc-ld.so.cache1.1".
"""

from __future__ import annotations

import fnmatch
import os
import re
import struct
from collections.abc import Iterator

from toolchain.debian.configuration.elf_libraries import read_library
from toolchain.debian.tree import Tree

_FILE = "etc/ld.so.cache"
_CONFIGURATION = "/etc/ld.so.conf"
_SYSTEM_FOLDERS = ("/lib", "/usr/lib")
_LIBRARY = re.compile(r"(?:lib|ld-).*\.so(?:\.|$)")
_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_LITTLE_ENDIAN = 2
_FLAGS_LP64D = 0x1003  # FLAG_RISCV_FLOAT_ABI_DOUBLE | FLAG_ELF_LIBC6
_MAX_DEPTH = 8


def write_library_cache(tree: Tree) -> None:
    """Writes the cache of the libraries in the folders of ld.so.conf and the system's own."""
    found: dict[str, str] = {}
    visited = set()
    for folder in [*_configured(tree, _CONFIGURATION, 0), *_SYSTEM_FOLDERS]:
        real = tree.locate(folder)
        if real not in visited:  # /lib is a link to /usr/lib
            visited.add(real)
            for name, path in _libraries(tree, folder):
                if name not in found or name.startswith("ld-"):  # programs name it in /lib
                    found[name] = path
    tree.write(_FILE, _cache(found))


def _configured(tree: Tree, name: str, depth: int) -> Iterator[str]:
    """Folders of a configuration file and of those that it includes."""
    for line in tree.text(name).splitlines():
        words = line.partition("#")[0].replace(",", " ").replace(":", " ").split()
        if words[:1] == ["include"] and depth < _MAX_DEPTH:
            for pattern in words[1:]:
                folder, _, names = os.path.join("/etc", pattern).rpartition("/")
                for each in fnmatch.filter(tree.listed(folder), names):
                    yield from _configured(tree, f"{folder}/{each}", depth + 1)
        elif words[:1] != ["hwcap"]:
            yield from (word.rstrip("/") or "/" for word in words if word.startswith("/"))


def _libraries(tree: Tree, folder: str) -> Iterator[tuple[str, str]]:
    """Names of libraries in a folder, each with its path for the guest."""
    names = tree.listed(folder)
    present = set(names)
    for name in names:
        if not _LIBRARY.match(name):
            continue
        path = f"{folder}/{name}"
        library = read_library(tree.locate(path)) if tree.exists(path) else None
        if library is None or not library.double_floats:
            continue
        soname = library.soname or name
        yield soname, f"{folder}/{soname}" if soname in present else path
        if name.endswith(".so") and tree.is_link(path):  # the name for the compiler
            yield name, path


def _cache(libraries: dict[str, str]) -> bytes:
    """The file: a header, entries in the order in which the linker searches, and the names."""
    strings = bytearray()
    entries = []
    start = _HEADER.size + _ENTRY.size * len(libraries)
    for name in sorted(libraries, key=_order, reverse=True):
        offsets = []
        for text in (name, libraries[name]):
            offsets.append(start + len(strings))
            strings += os.fsencode(text) + b"\0"
        entries.append(_ENTRY.pack(_FLAGS_LP64D, *offsets, 0, 0))
    header = _HEADER.pack(_MAGIC, len(libraries), len(strings), _LITTLE_ENDIAN, 0)
    return header + b"".join(entries) + bytes(strings)


def _order(name: str) -> list[tuple[int, int]]:
    """Sorts as _dl_cache_libcmp does: numbers by value, and after all other characters."""
    parts = re.findall(rb"[0-9]+|[^0-9]", os.fsencode(name))
    return [(1, int(part)) if part.isdigit() else (0, part[0]) for part in parts]
