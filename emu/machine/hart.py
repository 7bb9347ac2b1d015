"""The hart: runs user code until it traps, and keeps the engine's caches coherent.

``run()`` returns a :class:`Trap`; it never calls the kernel. There are two caches between the page
tables and the program, and the hart is responsible for both:

* The TLB is the engine's. A miss calls :meth:`Hart.fill`, which calls the MMU. Removing a right
  from a PTE requires :meth:`flush_tlb`; adding rights does not, since a miss reads the tables
  again. A clean page is filled without W, so its first store misses and sets D.
* Translated code. A frame is at any time either writable through the TLB or executed, never both: a
  store to an executed frame drops the translations, and the first fetch from a frame drops the TLB
  that could write to it. So code that a program changes is run as changed, through any mapping. An
  instruction that stores to the frame from which it is executed is run alone, with both rights.

There is one engine for all processes, so a switch between them empties the TLB. An engine for each
of the last 8 processes makes a round trip through two pipes cheaper, 77 µs instead of 122, but not
fork, exit and wait; and it costs more elsewhere: 1,000 live processes take 974 µs each instead of
958, 200 subshells of busybox 8 % longer, since a new engine has no translated code, and 20 MiB more
of the host's memory are resident. With 64 engines the subshells take 77 % longer, the 1,000
processes 15 %, with 186 MiB more. And all of them must drop code that changes. So there is one, and
it keeps the translated code across switches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from emu.machine import engine as e
from emu.machine.cause import Access, Cause
from emu.machine.code_reader import CodeReader
from emu.machine.engine import PAST_EXCEPTION, Engine
from emu.machine.engine_hooks import TlbFiller
from emu.machine.exits import Exits
from emu.machine.isa.decoder import instruction_length
from emu.machine.probe import Probe, Stop
from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, VA_MASK
from emu.machine.ram import Ram
from emu.machine.registers import A0, PC, Registers
from emu.machine.sv39 import Mmu, Translation, TranslationFault
from emu.machine.tlb import Tlb
from emu.machine.trap import Trap, Vector

_EBREAK: Final = (0x00100073, 0x9002)
_ACCESS: Final = {e.FETCH: Access.FETCH, e.READ: Access.LOAD, e.WRITE: Access.STORE}
_PAGE: Final = VA_MASK & ~PAGE_MASK
_STORE_INSTEAD: Final = {
    Cause.LOAD_PAGE_FAULT: Cause.STORE_PAGE_FAULT,
    Cause.LOAD_ACCESS_FAULT: Cause.STORE_ACCESS_FAULT,
}


class Hart(TlbFiller):
    """One hardware thread in U-mode over ``ram``.

    ``vector``, if set, is called first for system calls and page faults.
    """

    def __init__(self, ram: Ram, mmu: Mmu | None = None) -> None:
        self.ram = ram
        self.mmu = mmu or Mmu(ram)
        self.pc = 0
        hooks = self._on_exception, self._on_invalid, self._on_new_block
        self._engine = Engine(ram, self, *hooks)
        self.vector: Vector | None = None
        self._probe: Probe | None = None
        self._cause: Cause | None = None
        self._fault: TranslationFault | None = None
        self._offered: TranslationFault | None = None
        """The last fault that the vector was offered."""
        self._conflict: int | None = None
        self._reserved: int | None = None
        self._last_conflict: tuple[int, int] | None = None
        self._running = False
        self._counts = False
        """True while a count of instructions runs."""
        self._interrupted = False
        self._exits = Exits(self._engine, self.mmu)
        self._rearm = False
        self._error: BaseException | None = None
        self._tlb = Tlb(self._engine, ram)
        self._code_reader = CodeReader(self._engine, self.mmu, self._tlb.found_amo)
        self.integer_registers: Callable[[], bytes] = self._engine.integer_registers
        """x0 to x31, 64 bits each, little-endian."""

    # Registers.

    def register_state(self) -> tuple[memoryview, Callable[[], object] | None]:
        """x0 to x31 as the first 32 words of 64 bits of a row, and the function that updates the
        row, None if it is always current.
        """
        return self._engine.state()

    def read(self, register: int) -> int:
        return self.pc if register == PC else self._engine.read(register)

    def write(self, register: int, value: int) -> None:
        if register == PC:
            self.pc = value & VA_MASK
        else:
            self._engine.write(register, value & VA_MASK)

    def syscall_registers(self) -> list[int]:
        """a7 and a0 to a5, as a system call passes them."""
        _, number, arguments = self._engine.call_registers()
        return [number, *arguments]

    def save(self, registers: Registers) -> None:
        self._engine.save(registers)
        registers[PC] = self.pc

    def load(self, registers: Registers) -> None:
        """Sets the hart's registers. Ends an LR's reservation, as a context switch must."""
        self._engine.load(registers)
        self._engine.drop_reservation()
        self.pc = registers[PC]

    # Address translation.

    def set_satp(self, satp: int) -> None:
        """Switches address spaces, which without ASIDs flushes the TLB."""
        if satp != self.mmu.satp:
            self.mmu.satp = satp
            self.flush_tlb()

    def flush_tlb(self) -> None:
        """sfence.vma: drops all translations."""
        self._tlb.flush()
        if not self._running:  # else the present page is executed without another fetch
            self._tlb.may_be_amo = False
        self._code_reader.forget_pages()

    def fence_code(self) -> None:
        """fence.i for all harts: drops all translated code."""
        self._engine.flush_code()
        self.ram.executed.clear()
        self.ram.code_is_stale = False
        self._tlb.forget_code()
        self.flush_tlb()
        if self._probe is not None:
            self._probe.code_changed()

    def instruction(self, pc: int) -> int | None:
        """The bits of the instruction at ``pc``, 2 or 4 bytes; None when they cannot be fetched."""
        return self._code_reader.bits(pc)

    # Observation.

    def attach(self, make: Callable[[Engine, Callable[[BaseException], None]], Probe]) -> None:
        """Attaches a probe to all further execution. ``make`` gets the engine and a function that
        ends :meth:`run` with an error.
        """
        if self._probe is not None:
            raise RuntimeError("a hart has at most one probe")
        self._probe = make(self._engine, self._fail)
        self.fence_code()

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self._engine.stop()

    def _reason(self) -> Stop:
        """Reason for which the engine stopped."""
        if self._reserved is not None:
            return Stop.NOT_STARTED if self._reserved == self.pc else Stop.TIME
        if self._fault is not None or self._conflict is not None:
            return Stop.FAULT
        if self._cause is None:
            return Stop.TIME
        return Stop.ECALL if self._cause == Cause.ECALL_FROM_U else Stop.FAULT

    # Running.

    def interrupt(self) -> None:
        """Makes :meth:`run` return soon, with a timer interrupt; for another host thread.

        A request is lost while the hart is not running, or while it runs a count of instructions
        without restarting the engine: a clock repeats it.
        """
        self._interrupted = True
        self._engine.interrupt()

    def run(self, count: int = 0) -> Trap:
        """Runs from ``pc`` until the program traps, and returns the trap.

        ``count``, when not 0, is a number of instructions after which a timer interrupt occurs. The
        count restarts when the hart has to restart the engine (because code changed).
        """
        self._interrupted = False
        self.pc &= ~1  # sepc's lowest bit is always zero
        if self._exits.needs_arming:
            return self._run_to_breakpoint(count)
        return self._run_on(count)

    def step(self) -> Trap | None:
        """Runs one instruction; its trap, or None when it completed."""
        trap = self.run(count=1)
        return None if trap.cause == Cause.TIMER_INTERRUPT else trap

    def _run_on(self, count: int) -> Trap:
        """Runs the engine repeatedly until a trap; a breakpoint is a timer interrupt here."""
        while True:
            if self.ram.code_is_stale:
                self.fence_code()
            if self._exits.breakpoints:
                self._exits.arm()
                if self.pc & _PAGE in self._exits.stepped_pages:
                    return Trap(Cause.TIMER_INTERRUPT, self.pc)
            trap = self._run_once(count)
            if trap is not None:
                return trap
            # Code that keeps changing itself may stay in this loop, with runs too short for the
            # engine to be stopped in.
            if self._interrupted and count != 1:
                self._interrupted = False
                return Trap(Cause.TIMER_INTERRUPT, self.pc)

    # Breakpoints.

    @property
    def breakpoints(self) -> frozenset[int]:
        """Virtual addresses, in any address space, before whose instruction a run ends.

        A change takes effect at the next :meth:`run`. The instruction at which a run starts is
        executed, so a caller that sets pc to a breakpoint has to check for it.
        """
        return self._exits.breakpoints

    @breakpoints.setter
    def breakpoints(self, addresses: Iterable[int]) -> None:
        self._exits.set_breakpoints(addresses)

    def _run_to_breakpoint(self, count: int) -> Trap:
        self._exits.arm()
        stepped = self.pc & _PAGE in self._exits.stepped_pages
        if stepped or self.pc in self.breakpoints:
            trap = self._pass_breakpoint()
            if trap.cause != Cause.TIMER_INTERRUPT:
                return trap
            if stepped or count == 1:
                return self._at_breakpoint(trap)
        return self._at_breakpoint(self._run_on(count))

    def _pass_breakpoint(self) -> Trap:
        """Runs one instruction, ignoring breakpoints."""
        with self._exits.no_breakpoints():
            return self._run_on(1)

    def _at_breakpoint(self, trap: Trap) -> Trap:
        if trap.cause == Cause.TIMER_INTERRUPT and self.pc in self.breakpoints:
            return Trap(Cause.HART_BREAKPOINT, self.pc)
        return trap

    # One run of the engine, and the reasons for which it may have ended.

    def _run_once(self, count: int) -> Trap | None:
        """Runs the engine once; None when it ended for the hart's own reasons."""
        self._forget_trap()
        start = self.pc
        self._code_reader.forget()
        self._running, self._counts = True, count > 0
        status = self._engine.run(start, count)
        self._running = False
        self.pc = self._engine.pc()
        if self._probe is not None:
            self._probe.stopped(self.pc, self._reason())
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if count == 1 and self.pc != start:  # completed; any trap is the next instruction's
            return Trap(Cause.TIMER_INTERRUPT, self.pc)
        if self._reserved is not None:
            return self._at_reserved(self._reserved, count)
        if self._fault is not None:
            return self._page_fault(self._fault, count)
        if self._conflict is not None:
            return self._resolve_conflict(self._conflict, count)
        if self._cause is not None:
            return self._exception(self._cause)
        if self._rearm:
            return None
        if status != e.OK:
            raise RuntimeError(f"the engine stopped at {self.pc:#x} with error {status}")
        return Trap(Cause.TIMER_INTERRUPT, self.pc)

    def _forget_trap(self) -> None:
        self._cause = None
        self._fault = None
        self._conflict = None
        self._reserved = None
        self._rearm = False

    def _resolve_conflict(self, ppn: int, count: int) -> Trap | None:
        """Handles a store at pc to frame ``ppn``, from which code was translated.

        The translations are dropped, and the store restarted. If that leads to the same conflict,
        its own code is in that frame or continues into it, and it is run alone, with both rights.
        """
        self.fence_code()
        here = (self.pc, ppn)
        if here != self._last_conflict:
            self._last_conflict = here
            return None
        self._last_conflict = None
        store = self._code_reader.bits(self.pc) or 0
        after = (self.pc + instruction_length(store)) & VA_MASK
        self._tlb.unrestricted = True
        try:
            with self._exits.extra_exit(after):
                trap = self._run_once(0)
        finally:
            self._tlb.unrestricted = False
            self.fence_code()
        return self._beyond_exit(trap, after, count)

    def _beyond_exit(self, trap: Trap | None, address: int, count: int) -> Trap | None:
        """The result for the ``trap`` of a run with an exit; None to continue from there."""
        if self.pc != address:
            return trap
        if count == 1:
            return Trap(Cause.TIMER_INTERRUPT, address)
        return None if trap is None or trap.cause == Cause.TIMER_INTERRUPT else trap

    def _page_fault(self, fault: TranslationFault, count: int) -> Trap | None:
        """The trap for ``fault``; None to run again, which makes it exact."""
        page = fault.va
        if fault.access is Access.FETCH:
            if page == self.pc & ~PAGE_MASK:
                return Trap(fault.cause, self.pc, self.pc, fault)
            if page == (self.pc - 1) & _PAGE and not self.pc & PAGE_MASK:
                # An illegal first instruction of a page: the engine fetched the byte before it.
                return self._illegal()
            if self.pc != (page - 2) & VA_MASK:
                return self._run_up_to((page - 2) & VA_MASK, count)
            return Trap(fault.cause, self.pc, page, fault)
        cause = fault.cause
        if fault.access is Access.LOAD and self._code_reader.faults_as_store(self.pc):
            cause = _STORE_INSTEAD[cause]
        return Trap(cause, self.pc, page, fault, self._code_reader.stval)

    def _run_up_to(self, address: int, count: int) -> Trap | None:
        """Runs the instructions of the block at pc before ``address``, whose fetch faulted.

        The engine reports such a fault before the preceding instructions have run; with an exit at
        ``address`` they are run.
        """
        self.fence_code()
        with self._exits.extra_exit(address):
            trap = self._run_on(count)
        return self._beyond_exit(trap, address, count)

    def _exception(self, cause: Cause) -> Trap:
        if cause == Cause.BREAKPOINT and self._code_reader.bits(self.pc) in _EBREAK:
            return Trap(cause, self.pc, self.pc)
        if cause in (Cause.BREAKPOINT, Cause.ILLEGAL_INSTRUCTION):
            return self._illegal()
        if cause in (Cause.LOAD_MISALIGNED, Cause.STORE_MISALIGNED):
            if self._code_reader.faults_as_store(self.pc):
                cause = Cause.STORE_MISALIGNED
            return Trap(cause, self.pc, self._code_reader.operand_address(self.pc) or 0)
        return Trap(cause, self.pc)

    def _illegal(self) -> Trap:
        return Trap(Cause.ILLEGAL_INSTRUCTION, self.pc, self._code_reader.bits(self.pc) or 0)

    def _at_reserved(self, address: int, count: int) -> Trap | None:
        """Handles a block in which the engine would run a reserved encoding as an instruction.

        The instructions before it in the block are run first.
        """
        return self._illegal() if self.pc == address else self._run_up_to(address, count)

    def watch(self, address: int, reached: Callable[[int], None]) -> None:
        """Calls ``reached(address)`` each time before the program executes the instruction there.

        It may only read registers and watch other addresses. It is called again for the same
        instruction when the engine had to restart. It cannot be removed.
        """

        def call(pc: int) -> None:
            try:
                reached(pc)
            except BaseException as error:
                self._error = error
                self._engine.stop()

        self._engine.watch(address, call)
        self.ram.code_is_stale = True  # code that is already translated does not call it
        if self._running:
            self._rearm = True
            self._engine.stop()

    # The engine's callbacks. An exception that leaves one is lost, so it is stored for run().

    def fill(self, va: int, access: int) -> int:
        try:
            translation = self.mmu.translate(va, _ACCESS[access])
            if isinstance(translation, TranslationFault):
                repaired = self._repair(translation)
                if repaired is None:
                    self._record_fault(translation)
                    return 0
                found = repaired
            else:
                found = translation
            if access == e.FETCH and va in self._exits.watched_pages:
                self._rearm = True
                return 0
            ppn = found.pa >> PAGE_SHIFT
            perms = self._tlb.permissions(access, found.pte, ppn)
            if not perms:
                self._conflict = ppn
                return 0
            self._tlb.filled(ppn, perms)
            if self._probe is not None:
                self._probe.filled(va, ppn << PAGE_SHIFT)
            return found.pa & ~PAGE_MASK | perms
        except BaseException as error:
            self._error = error
            return 0

    def _record_fault(self, fault: TranslationFault) -> None:
        """Stores a fault of the program, unless it may be due to the engine's fetch before an exit.

        The page was executable when the breakpoint became an exit. The breakpoint is not an exit
        any more when the run continues, so a fault of the program occurs again.
        """
        if fault.access is Access.FETCH and fault.va in self._exits.probed_pages:
            self._rearm = True
        else:
            self._fault = fault

    def _repair(self, fault: TranslationFault) -> Translation | None:
        """The translation after the vector has handled the fault; None if it did not."""
        access = fault.access
        if self.vector is None or fault.is_access_fault:
            return None
        if access is not Access.STORE and not self._is_as_reported(fault):
            return None
        self._offered = fault
        if not self.vector.page_fault(fault.va, access):
            return None
        translation = self.mmu.translate(fault.va, access)
        return None if isinstance(translation, TranslationFault) else translation

    def _is_as_reported(self, fault: TranslationFault) -> bool:
        """Returns whether a fault is that of a load, not an AMO, or of a fetch at pc; not of a
        later part of the block, which may not be reached, of the byte before an exit, or of the
        instruction after a count of them.
        """
        if fault.access is Access.LOAD:
            may_be_amo = self._tlb.may_be_amo
            return not (may_be_amo and self._code_reader.faults_as_store(self._engine.pc()))
        at_pc = fault.va == self._engine.pc() & ~PAGE_MASK
        return at_pc and not self._counts and fault.va not in self._exits.probed_pages

    def offered_trap(self) -> Trap | None:
        """The trap for the fault that the vector is offered; for a vector, during the call.

        None if a probe is attached, which has to see that the program was interrupted.
        """
        fault = self._offered
        if self._probe is not None or fault is None:
            return None
        self.pc = self._engine.pc()
        if fault.access is Access.FETCH:
            return Trap(fault.cause, self.pc, self.pc, fault)
        return Trap(fault.cause, self.pc, fault.va, fault, self._code_reader.stval)

    def _on_new_block(self, pc: int, size: int) -> None:
        try:
            address = self._code_reader.reserved(pc, size)
            if address is not None:
                self._reserved = address
                self.ram.code_is_stale = True  # the block is already translated, and must not run
                self._engine.stop()
        except BaseException as error:
            self._error = error
            self._engine.stop()

    def _on_exception(self, cause: int) -> bool:
        try:
            if cause == Cause.ECALL_FROM_U and self.vector is not None:
                pc, number, arguments = self._engine.call_registers()
                result = self.vector.ecall(pc - PAST_EXCEPTION, number, arguments)
                if result is not None:
                    self._engine.write(A0, result & VA_MASK)
                    return True
            self._cause = Cause(cause)
        except BaseException as error:
            self._error = error
        return False

    def _on_invalid(self) -> None:
        self._cause = Cause.BREAKPOINT
