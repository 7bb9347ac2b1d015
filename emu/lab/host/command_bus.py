"""Checks and executes the commands and queries of a student's code on the machine.

All changes by the code pass through here, so the line that wrote each PTE is recorded, and the
numbers of PTEs written and frames copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Protocol

from emu.lab.host.failures import Finding, InvariantViolated, NotAllowed, WrongResult, place_text
from emu.lab.host.shared_ram import SharedRam
from emu.lab.kit.port import Place
from emu.lab.text.pte_text import FRAME_KIND_TEXT
from emu.machine.pte import HUGE_FRAMES, PAGE_SHIFT, V, is_leaf
from kernel.mm.page_tables.pte_text import pte_text
from kernel.mm.physical.frames import Frames, Kind

_NO_PLACE = Place("", 0, "")
_MAX_LOG_LINES = 2000


class Counts:
    """Work done by a student's code since the machine was created."""

    __slots__ = ("copies", "ptes")

    def __init__(self) -> None:
        self.copies = 0
        """Number of private frames copied."""
        self.ptes = 0
        """Number of leaf PTEs written; pointers to tables are not counted."""


class FrameAccounting(Protocol):
    """The machine's own counts of frames that the student's allocator manages."""

    def count(self, ppn: int) -> int: ...

    def share(self, ppn: int) -> None: ...

    def release(self, ppn: int) -> None: ...

    def allocated(self, frame: int, kind: Kind) -> None:
        """Records an allocation. Raises StudentFailed if the frame is not free; OutOfMemory if a
        test makes this allocation fail.
        """

    def none_free(self, name: str) -> None:
        """Raises StudentFailed if there are free frames."""


class CommandBus:
    """Executes a student's commands on ``ram`` and ``frames``."""

    def __init__(self, ram: SharedRam, frames: Frames) -> None:
        self.ram = ram
        self.frames = frames
        self._written_at: defaultdict[int, dict[int, Place]] = defaultdict(dict)
        """Line that last wrote each PTE, by its table and its physical address."""
        self.table_copied_at: dict[int, Place] = {}
        """Line that copied another table to each table."""
        self.taken_at: dict[int, Place] = {}
        """Line that allocated each frame."""
        self.counted_at: dict[int, Place] = {}
        """Line that last changed each frame's count."""
        self.counts = Counts()
        self.accounting: FrameAccounting | None = None
        """Set if the student's allocator manages the free frames, which it may write to."""
        self.writable: frozenset[int] = frozenset()
        """Frames in use whose content the next call may change (a write to user memory). All
        others that are in use before a call must remain unchanged.
        """
        self.stores: list[tuple[int, int, int]] = []
        """(address, word before, word after) of each store to a PTE in this call."""
        self._changed = False
        self._allocated_in_call: set[int] = set()
        """Frames that were allocated in this call."""
        self.log: list[str] = []
        """A line for each command, up to a maximum number. The user of the bus clears it."""
        self._commands: dict[str, Callable[..., None]] = {
            "store": self._store,
            "write": self._write,
            "copy": self._copy,
            "zero": self._zero,
            "share": self._share,
            "release": self._release,
        }
        self._queries: dict[str, Callable[..., Any]] = {
            "allocate": lambda where: self._allocate(Kind.PRIVATE, where),
            "allocate_table": lambda where: self._allocate(Kind.TABLE, where),
            "allocate_superpage": self._allocate_superpage,
            "allocated": self._allocated,
            "none_free": self._check_none_free,
            "flush": lambda: None,
            "count": lambda frame: self._accounts.count(self._frame(frame)),
            "is_private": lambda frame: frames.kind(self._frame(frame)) is Kind.PRIVATE,
        }

    @property
    def _accounts(self) -> FrameAccounting | Frames:
        return self.accounting or self.frames

    @property
    def zero(self) -> int:
        return self.frames.zero

    def writer(self, address: int) -> Place | None:
        """The line that last wrote the PTE at a physical address."""
        return self._written_at.get(address >> PAGE_SHIFT, {}).get(address)

    def take_writers(self) -> dict[int, Place]:
        """Returns the lines that wrote PTEs since the last call, by physical address."""
        taken, self._written_at = self._written_at, defaultdict(dict)
        return {at: place for writers in taken.values() for at, place in writers.items()}

    def begin_call(self) -> None:
        """Called before a function of the student is called."""
        self._allocated_in_call.clear()
        self.stores.clear()

    def execute(self, name: str, values: list[Any]) -> None:
        """Executes a command. Raises :class:`NotAllowed`, and TypeError, ValueError or LookupError
        if it is malformed.
        """
        self._commands[name](*values)
        self._changed = True

    def take_changed(self) -> bool:
        """Returns True if commands were executed since the last call."""
        changed, self._changed = self._changed, False
        return changed

    def query(self, name: str, values: list[Any]) -> Any:
        """Answers a query. Raises as :meth:`execute` does, and OutOfMemory."""
        return self._queries[name](*values)

    # Commands.

    def _store(self, address: int, value: int, where: list[Any]) -> None:
        place = _to_place(where)
        frame = self._frame(address >> PAGE_SHIFT, place)
        if address & 7 or not 0 <= value < 1 << 64:
            raise ValueError("not an aligned word")
        kind = self.frames.kind(frame)
        if kind is Kind.FREE and self.accounting is not None:
            self.ram.store64(address, value)
            return
        if kind is not Kind.TABLE:
            raise NotAllowed(
                f"a word was stored at {address:#x}, which is not a PTE: frame {frame:#x} is "
                f"{FRAME_KIND_TEXT[kind]}",
                [f"it was stored at {place_text(place)}"],
            )
        before = self.ram.load64(address)
        self.ram.store64(address, value)
        self._log(place, f"PTE at {address:#x}: {pte_text(before)} → {pte_text(value)}")
        self._written_at[frame][address] = place
        self.stores.append((address, before, value))
        self.counts.ptes += not value & V or is_leaf(value)

    def _write(self, address: int, data: str, where: list[Any]) -> None:
        content = bytes.fromhex(data)
        frame = self._frame(address >> PAGE_SHIFT, _to_place(where))
        self._check_writable(frame, _to_place(where), "written")
        if (address & 0xFFF) + len(content) > 0x1000:
            raise ValueError("beyond the frame")
        self.ram.write(address, content)

    def _copy(self, source: int, target: int, where: list[Any]) -> None:
        place = _to_place(where)
        kind = self.frames.kind(self._frame(source, place))
        if kind is Kind.FREE:
            raise NotAllowed(
                f"frame {source:#x} is free, and was copied", [f"at {place_text(place)}"]
            )
        if self.frames.kind(self._frame(target, place)) is Kind.TABLE:
            self._forget_writers(target)
            self.table_copied_at[target] = place
        else:
            self._check_writable(target, place, "copied to")
            self.counts.copies += kind is Kind.PRIVATE
        self.ram.copy_frame(source, target)
        self._log(place, f"frame {source:#x} copied to {target:#x}")

    def _zero(self, frame: int, where: list[Any]) -> None:
        place = _to_place(where)
        if self.frames.kind(self._frame(frame, place)) is not Kind.TABLE:
            self._check_writable(frame, place, "zeroed")
        self.ram.zero_frame(frame)

    def _share(self, frame: int, where: list[Any]) -> None:
        place = _to_place(where)
        if not self._accounts.count(self._frame(frame, place)):
            raise NotAllowed(
                f"frame {frame:#x} is free, and was shared",
                [f"you called frames.share({frame:#x}) at {place_text(place)}"],
            )
        self._accounts.share(frame)
        self._log(
            place, f"share({frame:#x}): count {self.frames.counts[frame - self.frames.first]}"
        )
        self.counted_at[frame] = place

    def _release(self, frame: int, where: list[Any]) -> None:
        place = _to_place(where)
        if not self._accounts.count(self._frame(frame, place)):
            raise NotAllowed(
                f"frame {frame:#x} was released more often than it was shared",
                [f"you called frames.release({frame:#x}) at {place_text(place)}"],
            )
        if frame == self.zero and self._accounts.count(frame) == 1:
            raise NotAllowed("the frame of zeroes was released", [f"at {place_text(place)}"])
        self._accounts.release(frame)
        left = self.frames.counts[frame - self.frames.first]
        self._log(place, f"release({frame:#x}): count {left}")
        self.counted_at[frame] = place

    def _allocate(self, kind: Kind, where: list[Any]) -> int:
        place = _to_place(where)
        if kind is Kind.TABLE:
            frame = self.frames.allocate_zeroed(kind)
            self._forget_writers(frame)
        else:
            frame = self.frames.allocate(kind)
        name = "allocate_table" if kind is Kind.TABLE else "allocate"
        self._log(place, f"{name}(): {frame:#x}")
        self._record_allocation(frame, place)
        return frame

    def _allocate_superpage(self, where: list[Any]) -> int:
        place = _to_place(where)
        first = self.frames.allocate_run(Kind.PRIVATE)
        for frame in range(first, first + HUGE_FRAMES):
            self._record_allocation(frame, place)
        self._log(place, f"allocate_superpage(): {first:#x}")
        return first

    def _forget_writers(self, table: int) -> None:
        """Removes the lines that wrote the previous content of a table's frame."""
        self.table_copied_at.pop(table, None)
        self._written_at.pop(table, None)

    def _allocated(self, frame: int, name: str, where: list[Any]) -> None:
        """Records that the student's allocator returned a frame to the student's other code."""
        if self.accounting is None:
            raise LookupError
        place = _to_place(where)
        if type(frame) is not int:
            raise WrongResult(f"{name}() returned {str(frame)[:80]}; expected a number")
        kind = Kind.TABLE if name == "allocate_table" else Kind.PRIVATE
        self.accounting.allocated(frame, kind)
        self._record_allocation(frame, place)

    def _record_allocation(self, frame: int, place: Place) -> None:
        self.taken_at[frame] = self.counted_at[frame] = place
        self._allocated_in_call.add(frame)

    def _check_none_free(self, name: str) -> None:
        if self.accounting is None:
            raise LookupError
        self.accounting.none_free(str(name)[:80])

    def _log(self, place: Place, what: str) -> None:
        if len(self.log) < _MAX_LOG_LINES:
            self.log.append(f"{what:<58} {place_text(place)}")

    # Checks of frames.

    def _frame(self, frame: int, place: Place = _NO_PLACE) -> int:
        if type(frame) is not int:
            raise TypeError("not a number")
        first, total = self.frames.first, self.frames.total
        if not first <= frame < first + total:
            raise NotAllowed(
                f"{frame:#x} is not a frame of the machine's memory (expected {first:#x} to "
                f"{first + total - 1:#x})",
                [f"at {place_text(place)}"] if place.file else [],
            )
        return frame

    def _check_writable(self, frame: int, place: Place, done: str) -> None:
        """Checks that a frame may be written: it is free, or was allocated in this call."""
        kind = self.frames.kind(frame)
        if kind is Kind.FREE and self.accounting is not None:
            return
        if kind is not Kind.PRIVATE and kind is not Kind.CACHE:
            raise NotAllowed(
                f"frame {frame:#x} is {FRAME_KIND_TEXT[kind]} and was {done}",
                [f"at {place_text(place)}"],
            )
        if frame not in self._allocated_in_call and frame not in self.writable:
            lines = [
                f"frame {frame:#x} is {FRAME_KIND_TEXT[kind]}, and was in use before the call",
                f"it was {done} at {place_text(place)}",
            ]
            raise InvariantViolated(
                Finding("used-frames-are-left-alone", lines), "memory in use was changed"
            )


def _to_place(value: list[Any]) -> Place:
    file, line, function = value
    if not (isinstance(file, str) and isinstance(line, int) and isinstance(function, str)):
        raise TypeError("not a place")
    return Place(file[:80], line, function[:80])
