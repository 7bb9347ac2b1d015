"""Compact encodings of the page's data: interned values, exact numbers, differences."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

EXACT = 1 << 53
"""Limit below which JavaScript's numbers are exact."""


class Interner(Generic[T]):
    """Interns values: each distinct value has a number, in order of its first use."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def rows(self) -> list[T]:
        return list(self._numbers)


def exact(value: int) -> int | str:
    """Returns the number, or hexadecimal text where JavaScript would round it."""
    return value if -EXACT < value < EXACT else hex(value)


def differences(values: list[int]) -> list[int]:
    """Returns each value minus the previous one, which is short for values that grow slowly."""
    return [value - before for before, value in zip([0, *values], values, strict=False)]
