"""Records of page faults and of the copies that they make."""

from __future__ import annotations

from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE
from emu.observe.model.bounds import (
    AccessName,
    Address,
    CodeAddress,
    Count,
    Flags,
    Frame,
    Nanoseconds,
    OutcomeName,
    PageBytes,
    Pid,
    Pte,
    Small,
    Text,
    Users,
)
from emu.observe.model.record_base import Record
from emu.observe.model.record_objects import Entry, MappedPage, Range, Sharer, SourceLocation


class Fault(Record, tag="fault", kw_only=True):
    """A page fault, and how it was resolved."""

    pid: Pid
    """The process that has the page."""
    tid: Pid
    """The thread."""
    place: SourceLocation
    """The faulting instruction; for a fault of the kernel the instruction of the system call
    (``pc`` 0 if there is none), or the one that a signal interrupts."""
    access: AccessName
    """``fetch``, ``load`` or ``store``."""
    cause: Small
    """scause: 12 for a fetch, 13 for a load, 15 for a store; also for a fault of the kernel."""
    stval: CodeAddress
    """The accessed address."""
    outcome: OutcomeName
    """The handler's result: see below."""
    rule: Text = ""
    """The rule of the privileged specification that the access violates."""
    instruction: Text = ""
    """The instruction in assembly; empty for a fault of the kernel."""
    call: Text = ""
    """The system call for which the kernel accessed the page."""
    signal: bool = False
    """The kernel accessed the page to write a signal frame, at ``place``."""
    loading: bool = False
    """The page belongs to an image that execve is loading: that of the next ``exec`` of ``pid``."""
    vma: Range | None = None
    """The mapping that contains ``stval``."""
    table_copied: bool = False
    """The leaf page table was shared and was copied first; ``--outcome table-unshared`` selects
    these faults."""
    middle_copied: bool = False
    """The middle page table was shared and was copied before; selected in the same way."""
    huge: bool = False
    """A huge page maps ``stval`` afterwards: the outcome is that of all of its 512 pages."""
    split: bool = False
    """The fault split a huge page: its pages have entries of their own, with the same frames."""
    walk: list[Entry] = []
    """The entries that a walk of the page tables read before, root first."""
    pte_before: Pte = 0
    """The page's PTE before; in a huge page, with the frame of the page itself."""
    pte_after: Pte = 0
    """The page's PTE after."""
    flags_before: Flags = ""
    """Flags of ``pte_before``."""
    flags_after: Flags = ""
    """Flags of ``pte_after``."""
    frame_before: Frame = 0
    """Frame of ``pte_before``, if it is valid."""
    frame_after: Frame = 0
    """Frame of ``pte_after``, if it is valid."""
    count_before: Users = 0
    """Number of users of ``frame_before``: see above."""
    count_after: Users = 0
    """Number of users of ``frame_after``."""
    around: list[MappedPage] = []
    """Other pages that the fault mapped, since they were cached (``--fault-around``)."""
    sharers: list[Sharer] = []
    """Other pages that map the frame, at most 16, for a store to a shared frame."""
    stack: Count = 0
    """The callers: the ``number`` of an earlier ``stack`` line (``--backtrace N``)."""
    backtrace: list[SourceLocation] = []
    """The places of ``stack``: in memory only, never in a file."""
    heap: list[SourceLocation] = []
    """The call that allocated the memory and its callers, innermost first."""
    host_ns: Nanoseconds = 0
    """Time that the handler took on the host; 0 with ``--deterministic``."""

    @property
    def page(self) -> int:
        """Address of the page's first byte."""
        return self.stval & ~0xFFF

    @property
    def first_page(self) -> int:
        """Address of the first page that the outcome is about."""
        return self.stval & -HUGE_SIZE if self.huge else self.page

    @property
    def pages(self) -> int:
        """Number of pages that the outcome is about."""
        return HUGE_FRAMES if self.huge else 1

    @property
    def in_kernel(self) -> str:
        """The kernel's operation that caused the fault; empty for a fault of the program."""
        return self.call or ("signal delivery" if self.signal else "")


class CopyEnd(Record, tag="copy_end", kw_only=True):
    """The end of a page that a fault copied, with the number of bytes that changed meanwhile.

    The pages of a huge page that was copied whole may end one by one: the last one has the record.
    """

    fault: Count
    """The ``seq`` of the fault."""
    pid: Pid
    """The process of the fault; if it no longer uses the memory, another that does."""
    address: Address
    """Address of the page at its end; it may have been moved since the fault."""
    bytes_changed: PageBytes
    """Bytes that differ from those that were copied; of all pages of a huge page."""
    why: Text
    """``unmapped``, ``copied again`` by a later fault, or ``discarded`` with the whole address
    space (exit, exec)."""
