"""Which files a program says that its debug information is in, and where they may be.

GDB manual, "Debugging Information in Separate Files"; DWARF 5, 7.3.2.2. The file may be damaged,
and then names none.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from posixpath import dirname
from typing import NamedTuple

from emu.observe.split_lines import joined, skeletons

_LINKS = (".gnu_debuglink", ".gnu_debugaltlink")


class Named(NamedTuple):
    """A file by its name, the places where it may be, and what it would tell."""

    name: str
    places: tuple[str, ...]
    tells: str


def named_files(data: bytes, program: str, *, links: bool) -> list[Named]:
    """Those that the ELF file ``data`` names, which is at the path ``program``; each once.

    ``links`` are those that a distribution leaves in each program whose debug package is another.
    """
    try:
        linked = _linked(data, program) if links else ()
        return list(dict.fromkeys([*_split(data, program), *linked]))
    except Exception:  # pyelftools has many ways to say that a file is damaged
        return []


def _split(data: bytes, program: str) -> Iterator[Named]:
    for unit in skeletons(data):
        name = joined(unit.folder, unit.dwo)
        beside = joined(dirname(program), unit.dwo.rpartition("/")[2])
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
            yield Named(name, tuple(joined(each, name) for each in places), "source lines")
