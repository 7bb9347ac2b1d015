"""A sequence of objects that is also a table: in a notebook, and for pandas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from emu.results.html import table

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")
Columns = Mapping[str, Callable[[Any], Any]]
"""The value of each column for an object."""
_MOST_SHOWN = 20
_LONGEST = 32
"""Maximum length of a text that is shown; of a longer one, such as a path, the end is shown."""
_HEXADECIMAL = ("address", "frame_before", "frame_after")


class Table(Sequence[T], Generic[T]):
    """Objects of one kind: indexed, sliced and iterated as a list."""

    def __init__(self, items: Sequence[T], columns: Columns, shown: Sequence[str] = ()) -> None:
        self._items = tuple(items)
        self._columns = columns
        self._shown = tuple(shown) or tuple(columns)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Table[T]: ...
    def __getitem__(self, index: int | slice) -> T | Table[T]:
        if isinstance(index, slice):
            return self._of(self._items[index])
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    def where(self, **values: object) -> Table[T]:
        """The objects whose columns have these values, such as ``where(outcome="copied")``."""
        for name in values:
            if name not in self._columns:
                raise KeyError(f"{name!r} is not a column (expected {', '.join(self._columns)})")
        tests = [(self._columns[name], value) for name, value in values.items()]
        return self._of(
            [item for item in self._items if all(get(item) == value for get, value in tests)]
        )

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary for each object, with all columns."""
        return [{name: get(item) for name, get in self._columns.items()} for item in self._items]

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with all columns. Needs pandas: ``pip install emu-riscv[pandas]``."""
        try:
            import pandas
        except ImportError:
            raise ImportError("to_pandas() needs pandas: pip install pandas") from None
        return pandas.DataFrame(self.rows(), columns=list(self._columns))

    def _of(self, items: Sequence[T]) -> Table[T]:
        return Table(items, self._columns, self._shown)

    def __repr__(self) -> str:
        names = {type(item).__name__ for item in self._items[:1]}
        return f"<{len(self):,} rows{' of ' + names.pop() if names else ''}>"

    def _repr_html_(self) -> str:
        rows = [
            [self._shown_value(name, item) for name in self._shown] for item in self[:_MOST_SHOWN]
        ]
        rest = len(self) - len(rows)
        return table(self._shown, rows, f"and {rest:,} more" if rest else "")

    def _shown_value(self, name: str, item: T) -> object:
        value = self._columns[name](item)
        if name in _HEXADECIMAL:
            return hex(value)
        if isinstance(value, str) and len(value) > _LONGEST:
            return "…" + value[1 - _LONGEST :]
        return value
