"""Values on the line: as JSON has them, and as the lab's functions do."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from emu.lab.kit.frames import Frames
from emu.lab.kit.memory import Memory
from emu.lab.kit.values import Access, Mapping, Mode, Privilege, PteChange, Switch


class LocalArguments(NamedTuple):
    """What is given to a function as it is, not sent."""

    memory: Memory
    frames: Frames


def decode(kind: Any, arguments: list[Any], made: LocalArguments) -> Any:
    """The next argument, of the ``kind`` that the function takes."""
    if kind is Memory:
        return made.memory
    if kind is Frames:
        return made.frames
    value = arguments.pop(0)
    if kind is Mode:
        return Mode(Privilege(value[0]), *value[1:])
    if kind is Access:
        return Access(value)
    if kind is Mapping:
        return Mapping(*value)
    if kind == list[Mapping]:
        return [Mapping(*each) for each in value]
    if kind is PteChange:
        address, level, asid, before, after, harts, here = value
        return PteChange(address, level, asid, before, after, tuple(harts), here)
    if kind is Switch:
        return Switch(*value)
    if kind is bytes:
        return bytes.fromhex(value)
    return value


def encode(value: Any) -> Any:
    """What a function returned; what JSON has no words for, by its ``repr``."""
    if isinstance(value, bool | None | str):
        return value
    if isinstance(value, Enum):
        return {"enum": type(value).__name__, "value": value.value}
    if isinstance(value, int):
        return int(value)
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    return {"other": repr(value)[:200]}
