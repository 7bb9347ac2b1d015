"""Conversion between JSON values and the values of a lab's functions."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from emu.lab.kit.frames import Frames
from emu.lab.kit.memory import Memory
from emu.lab.kit.values import Access, Mapping, Mode, Privilege, PteChange, Switch


class LocalArguments(NamedTuple):
    """Arguments that exist in the sandbox and are not sent."""

    memory: Memory
    frames: Frames


def decode(kind: Any, arguments: list[Any], local: LocalArguments) -> Any:
    """Returns the next argument, of type ``kind``; removes it from ``arguments`` if it was sent."""
    if kind is Memory:
        return local.memory
    if kind is Frames:
        return local.frames
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
    """Returns a function's result as JSON; types without a JSON form as their ``repr``."""
    if isinstance(value, bool | None | str):
        return value
    if isinstance(value, Enum):
        return {"enum": type(value).__name__, "value": value.value}
    if isinstance(value, int):
        return int(value)
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    return {"other": repr(value)[:200]}
