"""Encodes arguments for a student's process, and checks and decodes results."""

from __future__ import annotations

from enum import Enum
from typing import Any

from emu.lab.host.failures import WrongResult
from emu.lab.kit.values import Fault, Fence, Outcome, Translation

_EXPECTED = {
    int: "a number",
    bool: "True or False",
    None: "nothing",
    Outcome: "an Outcome",
    Translation | Fault: "a Translation or a Fault",
    list[Fence]: "a list of Fences",
}


def encode_argument(value: Any) -> Any:
    """Returns an argument as a JSON value."""
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [encode_argument(each) for each in value]
    return value


def decode_result(function: str, kind: Any, value: Any) -> Any:
    """Returns the result of ``function`` as type ``kind``. Raises :class:`WrongResult`."""
    result = _convert(kind, value)
    if result is _WRONG:
        raise WrongResult(
            f"{function}() returned {_result_text(value)}; it has to return {_EXPECTED[kind]}"
        )
    return result


_WRONG = object()


def _convert(kind: Any, value: Any) -> Any:
    if kind is None:
        return None if value is None else _WRONG
    if kind is int or kind is bool:
        return value if type(value) is kind else _WRONG
    if kind is Outcome:
        return _member(Outcome, value)
    if kind == Translation | Fault:
        if isinstance(value, list):
            return Translation(*value) if _is_int_list(value, 3) else _WRONG
        return _member(Fault, value)
    if isinstance(value, list):
        return [_fence(each) for each in value] if all(map(_is_fence, value)) else _WRONG
    return _WRONG


def _member(kind: type[Enum], value: Any) -> Any:
    if isinstance(value, dict) and value.get("enum") == kind.__name__:
        try:
            return kind(value.get("value"))
        except ValueError:
            return _WRONG
    return _WRONG


def _is_int_list(value: list[Any], count: int) -> bool:
    return len(value) == count and all(type(each) is int for each in value)


def _is_fence(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3 or type(value[0]) is not int:
        return False
    return all(each is None or type(each) is int for each in value[1:])


def _fence(value: list[Any]) -> Fence:
    return Fence(*value)


def check_hart(fence: Fence, harts: int, function: str) -> None:
    """Raises :class:`WrongResult` for a fence on a hart that does not exist."""
    if not 0 <= fence.hart < harts:
        there = "there is only hart 0" if harts == 1 else f"there are harts 0 to {harts - 1}"
        raise WrongResult(f"{function}() returned a fence on hart {fence.hart}: {there}")


def _result_text(value: Any) -> str:
    if isinstance(value, dict):
        if "other" in value:
            return str(value["other"])[:200]
        return f"{value.get('enum')}({value.get('value')!r})"
    return repr(value)[:200]
