"""Operations of processes in a test. A sequence can be printed, stored, repeated and shrunk.

Processes are numbered from 1, in the order of their forks. An operation of a process that does not
exist does nothing, so any part of a sequence is a valid sequence.
"""

from __future__ import annotations

from typing import Any, NamedTuple, get_args


class Fork(NamedTuple):
    """``pid`` forks, ``children`` times."""

    pid: int
    children: int = 1

    def __str__(self) -> str:
        times = f" {self.children} times" if self.children != 1 else ""
        return f"pid {self.pid} forks{times}"


class Exit(NamedTuple):
    """``pid`` exits."""

    pid: int

    def __str__(self) -> str:
        return f"pid {self.pid} exits"


class Store(NamedTuple):
    """``pid`` stores one byte."""

    pid: int
    va: int
    value: int

    def __str__(self) -> str:
        return f"pid {self.pid} stores {self.value:#04x} to {self.va:#x}"


class Load(NamedTuple):
    """``pid`` loads one byte."""

    pid: int
    va: int

    def __str__(self) -> str:
        return f"pid {self.pid} loads from {self.va:#x}"


class Fetch(NamedTuple):
    """``pid`` fetches an instruction."""

    pid: int
    va: int

    def __str__(self) -> str:
        return f"pid {self.pid} jumps to {self.va:#x}"


class Read(NamedTuple):
    """The kernel writes ``size`` bytes to the memory of ``pid``, as in read(2)."""

    pid: int
    va: int
    size: int
    value: int

    def __str__(self) -> str:
        return (
            f"the kernel writes {self.size} bytes {self.value:#04x} for pid {self.pid} "
            f"to {self.va:#x}"
        )


class SetBreak(NamedTuple):
    """``pid`` moves the end of its heap to ``pages`` pages (brk(2))."""

    pid: int
    pages: int

    def __str__(self) -> str:
        return f"pid {self.pid} sets its heap to {self.pages} pages"


class Map(NamedTuple):
    """``pid`` maps ``pages`` pages of anonymous memory at ``va`` if the range is free (mmap(2))."""

    pid: int
    va: int
    pages: int
    prot: int
    """mmap's PROT_ bits: 1 to read, 2 to write, 4 to execute."""

    def __str__(self) -> str:
        rights = "".join(letter if self.prot & bit else "-" for bit, letter in _PROT)
        return f"pid {self.pid} maps {self.pages} pages {rights} at {self.va:#x}"


_PROT = ((1, "r"), (2, "w"), (4, "x"))


class Unmap(NamedTuple):
    """``pid`` unmaps ``pages`` pages from ``va`` on (munmap(2))."""

    pid: int
    va: int
    pages: int

    def __str__(self) -> str:
        return f"pid {self.pid} unmaps {self.pages} pages at {self.va:#x}"


class Exec(NamedTuple):
    """``pid`` calls execve(2): its memory is replaced by a new program's."""

    pid: int

    def __str__(self) -> str:
        return f"pid {self.pid} calls exec"


class FailAllocation(NamedTuple):
    """Makes the allocation with this number, counted from now on, fail; 0: none."""

    number: int

    def __str__(self) -> str:
        return f"(allocation {self.number} from here finds no frame)"


Operation = (
    Fork | Exit | Store | Load | Fetch | Read | SetBreak | Map | Unmap | Exec | FailAllocation
)
OPERATION_TYPES: tuple[Any, ...] = get_args(Operation)
_NAMES = {kind.__name__: kind for kind in OPERATION_TYPES}


def to_json(operations: list[Operation]) -> list[list[Any]]:
    """Returns the sequence as JSON values."""
    return [[type(operation).__name__, *operation] for operation in operations]


def from_json(rows: list[list[Any]]) -> list[Operation]:
    """Returns the operations of :func:`to_json`. Raises LookupError, TypeError or ValueError."""
    return [_NAMES[name](*map(int, values)) for name, *values in rows]
