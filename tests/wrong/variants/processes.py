"""Exec, exit, clone and signals use the memory or state of the wrong process."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_new_process = partial(wrong, where="kernel.process.clone:_new_process")
_prepare = partial(wrong, where="kernel.process.clone:_prepare")
_segment = partial(wrong, where="kernel.exec.loader:_map_segment")
_BYPASS = "from tests.wrong.bypass import write_through"

VARIANTS = [
    wrong(
        "exec-keeps-memory", "exec does not give back the old memory",
        "kernel.exec.enter_image:replace_image", "old.leave()", "pass",
    ),
    wrong(
        "failed-exec-leaks", "an exec that fails leaves the new memory behind",
        "kernel.exec.loader:load", "space.leave()\n        raise", "raise",
    ),
    wrong(
        "no-flush-at-exec", "the TLB has the old program's pages after exec",
        "kernel.exec.enter_image:replace_image",
        "kernel.hart.set_satp(image.space.table.satp)\n    kernel.hart.flush_tlb()",
        "kernel.hart.mmu.satp = image.space.table.satp",
    ),
    wrong(
        "exit-leaks", "a process that ends keeps its memory",
        "kernel.process.exit:exit_process", "process.space.leave()", "pass",
    ),
    wrong(
        "signal-frame-through-cow", "a signal's frame is written to a frame that fork shares",
        "kernel.process.signals.signal_frame:push",
        "memory.write(address, info.encode() + context)",
        f"{_BYPASS}\n    write_through(memory, address, info.encode() + context)",
    ),
    wrong(
        "wait-status-through-cow", "wait4's status is written to a frame that fork shares",
        "kernel.syscalls.process.wait:wait4",
        "t.mem.write_u32(status, _wait_status(child))",
        f"{_BYPASS}\n            write_through(t.mem, status,"
        " _wait_status(child).to_bytes(4, 'little'))",
    ),
    _new_process(
        "pending-inherited", "a child has the signals that were pending for its parent",
        old="process.sigreturn = parent.sigreturn",
        new="process.sigreturn = parent.sigreturn\n    process.pending = parent.pending",
    ),
    _new_process(
        "handlers-shared", "a child's change of a handler is its parent's too",
        old="else parent.handlers.copy()", new="else parent.handlers",
    ),
    _new_process(
        "descriptors-shared", "a child that closes a descriptor closes its parent's",
        old="else parent.files.copy()", new="else parent.files",
    ),
    _new_process(
        "directory-shared", "a child that changes its directory changes its parent's",
        old="else parent.fs.copy()", new="else parent.fs",
    ),
    _prepare(
        "mask-not-inherited", "a child blocks no signal",
        old="child.mask = thread.mask if thread.saved_mask is None else thread.saved_mask",
        new="pass",
    ),
    _prepare(
        "alt-stack-lost", "a child has no alternative signal stack",
        old="if not flags & Clone.VM or flags & Clone.VFORK:", new="if False:",
    ),
    _prepare(
        "registers-shared", "parent and child have one set of saved registers",
        old="child.registers = thread.registers.copy()", new="child.registers = thread.registers",
    ),
    wrong(
        "borrowed-memory-uncounted", "the memory that a vfork child borrows ends with it",
        "kernel.process.clone:_child_space", "parent.space.users += 1", "pass",
    ),
    _segment(
        "bss-not-zeroed", ".bss begins with what the file has behind .data",
        old="memory.write(tail, bytes(file_end - tail))", new="pass",
    ),
    _segment(
        "segment-offset", "a segment shows the file from its first byte on",
        old="offset = page_down(segment.offset)", new="offset = 0",
    ),
    _segment(
        "segments-all-executable", "every segment may be executed",
        old="prot = _prot(segment.flags)", new="prot = _prot(segment.flags) | Prot.EXEC",
    ),
    wrong(
        "floating-point-lost", "a signal handler's return restores the integer registers only",
        "kernel.process.signals.signal_frame:pop", "registers.words[F0:FCSR] = floats", "pass",
    ),
]  # fmt: skip
