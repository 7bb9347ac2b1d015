"""The functions that each lab's file must define, with the types of arguments and results.

The grader calls them according to this table, independent of annotations in the student's file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from emu.lab.kit.frames import Frames
from emu.lab.kit.memory import Memory
from emu.lab.kit.values import (
    Access,
    Fault,
    Fence,
    Mapping,
    Mode,
    Outcome,
    PteChange,
    Switch,
    Translation,
)


class Entry(NamedTuple):
    """A function of a lab: the types of its arguments, in order, and of its result."""

    arguments: tuple[Any, ...]
    result: Any


_SPACE = (Memory, Frames, int)
"""The memory, the allocator, and the frame of a root table."""

ENTRIES: dict[str, dict[str, Entry]] = {
    "walk": {
        "translate": Entry((Memory, int, int, Access, Mode), Translation | Fault),
    },
    "frames": {
        "allocate": Entry((), int),
        "allocate_table": Entry((), int),
        "share": Entry((int,), None),
        "release": Entry((int,), None),
        "count": Entry((int,), int),
    },
    "eager-fork": {
        "copy_space": Entry(_SPACE, int),
        "release_space": Entry(_SPACE, None),
    },
    "cow-fork": {
        "share_space": Entry(_SPACE, int),
        "store_fault": Entry((*_SPACE, int), Outcome),
        "copy_to_user": Entry((*_SPACE, int, bytes), int),
    },
    "demand": {
        "page_fault": Entry((*_SPACE, list[Mapping], int, Access), Outcome),
        "unmap_range": Entry((*_SPACE, int, int), None),
    },
    "tlb": {
        "fences": Entry((PteChange,), list[Fence]),
        "fences_for_switch": Entry((Switch,), list[Fence]),
    },
    "superpages": {
        "map_superpage": Entry((*_SPACE, int, int), None),
        "split": Entry((*_SPACE, int), None),
        "store_fault": Entry((*_SPACE, int), Outcome),
    },
    "shared-tables": {
        "share_tables": Entry(_SPACE, int),
        "own_table": Entry((*_SPACE, int), bool),
        "release_tables": Entry(_SPACE, None),
    },
}
