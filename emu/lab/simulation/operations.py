"""What processes do in a test: a sequence of operations, which can be told, run again and shrunk.

Processes are numbered from 1, in the order of their forks. An operation of a process that is not
there does nothing, so a part of a sequence is a sequence too.
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
    """``pid`` has the kernel write ``size`` bytes to its memory, as read(2) does."""

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
    """``pid`` maps ``pages`` pages of anonymous memory at ``va``, where nothing is (mmap(2))."""

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
    """``pid`` gives back ``pages`` pages of addresses from ``va`` on (munmap(2))."""

    pid: int
    va: int
    pages: int

    def __str__(self) -> str:
        return f"pid {self.pid} unmaps {self.pages} pages at {self.va:#x}"


class Exec(NamedTuple):
    """``pid`` execs: its memory is that of a new program."""

    pid: int

    def __str__(self) -> str:
        return f"pid {self.pid} calls exec"


class FailAllocation(NamedTuple):
    """Allocation number ``number`` from now on finds no frame."""

    number: int

    def __str__(self) -> str:
        return f"(allocation {self.number} from here finds no frame)"


Operation = (
    Fork | Exit | Store | Load | Fetch | Read | SetBreak | Map | Unmap | Exec | FailAllocation
)
OPERATION_TYPES: tuple[Any, ...] = get_args(Operation)
_NAMES = {kind.__name__: kind for kind in OPERATION_TYPES}


def to_json(operations: list[Operation]) -> list[list[Any]]:
    """The sequence as JSON has it."""
    return [[type(operation).__name__, *operation] for operation in operations]


def from_json(given: list[list[Any]]) -> list[Operation]:
    """What :func:`written` wrote; LookupError, TypeError or ValueError for anything else."""
    return [_NAMES[name](*map(int, values)) for name, *values in given]
