"""What makes the page's data small: values that come again and again are written once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

EXACT = 1 << 53
"""JavaScript's numbers are exact below it."""


class Table(Generic[T]):
    """Distinct values, numbered in the order in which they came."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def rows(self) -> list[T]:
        return list(self._numbers)


def exact(value: int) -> int | str:
    """A number as it is, or as hexadecimal text where JavaScript would round it."""
    return value if -EXACT < value < EXACT else hex(value)


def differences(values: list[int]) -> list[int]:
    """Each value less the one before: short where they grow slowly."""
    return [value - before for before, value in zip([0, *values], values, strict=False)]
