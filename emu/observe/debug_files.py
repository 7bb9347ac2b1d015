"""Finds the separate debug files that a program refers to, and the paths where they may be.

GDB manual, "Debugging Information in Separate Files"; DWARF 5, 7.3.2.2. A damaged file yields no
names.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from posixpath import dirname
from typing import NamedTuple

from emu.observe.split_lines import join_paths, skeletons

_LINKS = (".gnu_debuglink", ".gnu_debugaltlink")


class Named(NamedTuple):
    """A debug file: its name, its possible paths, and the information that it provides."""

    name: str
    places: tuple[str, ...]
    provides: str


def named_files(data: bytes, program: str, *, links: bool) -> list[Named]:
    """Debug files named by the ELF file ``data`` at the path ``program``, each once.

    ``links`` includes those that a distribution sets in each program with a separate debug package.
    """
    try:
        linked = _linked(data, program) if links else ()
        return list(dict.fromkeys([*_split(data, program), *linked]))
    except Exception:  # pyelftools raises many kinds of exceptions for damaged files
        return []


def _split(data: bytes, program: str) -> Iterator[Named]:
    for unit in skeletons(data):
        name = join_paths(unit.folder, unit.dwo)
        beside = join_paths(dirname(program), unit.dwo.rpartition("/")[2])
        yield Named(name, (name, beside, program + ".dwp"), "inlined functions")


def _linked(data: bytes, program: str) -> Iterator[Named]:
    if not any(name.encode() + b"\0" in data for name in _LINKS):
        return
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(io.BytesIO(data))
    if elf.get_section_by_name(".debug_line") is not None and _LINKS[1].encode() not in data:
        return
    folder = dirname(program)
    for link in _LINKS:
        section = elf.get_section_by_name(link)
        if section is None:
            continue
        name = section.data().partition(b"\0")[0].decode("utf-8", "surrogateescape")
        places = (folder, f"{folder}/.debug", f"/usr/lib/debug{folder}")
        if name:
            yield Named(name, tuple(join_paths(each, name) for each in places), "source lines")
