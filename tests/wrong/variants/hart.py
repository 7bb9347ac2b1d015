"""The hart reports a trap wrongly, or one of its caches is stale."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_permissions = partial(wrong, where="emu.machine.tlb:Tlb.permissions")

VARIANTS = [
    wrong(
        "ecall-epc", "the engine's pc at an ecall, which is 4 too far, is taken as it is",
        "emu.machine.engine:Engine._on_interrupt", "self._past = PAST_EXCEPTION", "self._past = 0",
    ),
    wrong(
        "stval-of-the-page", "stval is where the page begins",
        "emu.machine.isa.memory_operand:stval", "return address", "return page",
    ),
    wrong(
        "stval-straddling", "an access that straddles has its own address in stval",
        "emu.machine.isa.memory_operand:stval",
        "if address is not None and address & ~PAGE_MASK == page:", "if address is not None:",
    ),
    wrong(
        "stval-unsigned", "a negative offset is taken for a large one",
        "emu.machine.isa.memory_operand:operand_address",
        "+ operand.offset", "+ (operand.offset & 0xFFF)",
    ),
    wrong(
        "amo-as-load", "a failing AMO raises a load page fault",
        "emu.machine.code_reader:CodeReader.faults_as_store",
        "and operand.kind.faults_as_store", "and False",
    ),
    wrong(
        "crossing-fetch", "a fetch fault in the middle of an instruction is at its block's start",
        "emu.machine.hart:Hart._page_fault",
        "if self.pc != (page - 2) & VA_MASK:", "if False:",
    ),
    wrong(
        "no-flush", "flushing the TLB does nothing",
        "emu.machine.hart:Hart.flush_tlb", "self._tlb.flush()", "pass",
    ),
    wrong(
        "no-flush-at-satp", "a new satp leaves the TLB's entries",
        "emu.machine.hart:Hart.set_satp", "self.flush_tlb()", "pass",
    ),
    _permissions(
        "clean-page-filled-with-w", "a load of a clean page gives the right to store: D is lost",
        old="if pte & W and pte & D and", new="if pte & W and",
    ),
    _permissions(
        "load-gives-w", "a load of a read-only page gives the right to store",
        old="if pte & W and pte & D and", new="if",
    ),
    _permissions(
        "load-gives-x", "a load gives the right to fetch",
        old="else e.PERM_R\n    if ppn", new="else e.PERM_R | e.PERM_X\n    if ppn",
    ),
    _permissions(
        "fetch-gives-r", "a fetch from an execute-only page gives the right to load",
        old="e.PERM_R | e.PERM_X if pte & R else e.PERM_X", new="e.PERM_R | e.PERM_X",
    ),
    _permissions(
        "writable-and-executed", "a store to a frame that was executed leaves its translations",
        old="return 0 if executed else", new="return",
    ),
    _permissions(
        "executed-while-writable", "the TLB keeps W for a frame from which code is fetched",
        old="if ppn in self._writable and not self.unrestricted:", new="if False:",
    ),
    wrong(
        "reservation-kept", "an LR's reservation outlives a context switch",
        "emu.machine.hart:Hart.load", "self._engine.drop_reservation()", "pass",
    ),
    wrong(
        "no-fence-on-host-write", "translated code outlives a change by the kernel",
        "emu.machine.hart:Hart._run_on", "if self.ram.code_is_stale:", "if False:",
    ),
    wrong(
        "fence-forgets-nothing", "fence.i leaves the translated code",
        "emu.machine.hart:Hart.fence_code", "self._engine.flush_code()", "pass",
    ),
    wrong(
        "write-unsnooped", "a kernel's write to a frame of code is not detected",
        "emu.machine.ram:Ram.write", "self._snoop(pa >> PAGE_SHIFT)", "pass",
    ),
    wrong(
        "copy-unsnooped", "a copy over a frame of code is not detected",
        "emu.machine.ram:Ram.copy_frame", "self._snoop(target)", "pass",
    ),
    wrong(
        "zeroing-unsnooped", "a frame of code that is zeroed is not detected",
        "emu.machine.ram:Ram.zero_frame", "self._snoop(ppn)", "pass",
    ),
    wrong(
        "store64-unsnooped", "a 64-bit store to a frame of code is not detected",
        "emu.machine.ram:Ram.store64", "self._snoop(pa >> PAGE_SHIFT)", "pass",
    ),
]  # fmt: skip
