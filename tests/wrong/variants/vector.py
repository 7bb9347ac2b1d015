"""Traps that the vector handles: twice, too late, or though the loop must."""

from __future__ import annotations

from functools import partial

from tests.wrong.variant import wrong

_ecall = partial(wrong, where="kernel.trap.fast_path:KernelVector.ecall")
_store = partial(wrong, where="kernel.trap.fast_path:KernelVector.page_fault")
_due = partial(wrong, where="kernel.trap.fast_path:KernelVector._loop_is_due")
_goes_on = partial(wrong, where="kernel.trap.fast_path:KernelVector._may_continue")
_next = partial(wrong, where="emu.machine.hart:Hart._is_as_reported")
_LEFT = "if number not in _IN_HOOK or"
_ALIKE = "if not isinstance(result, int) or not self._may_continue(thread):"
_IN_LOOP = {
    "clone": 220, "execve": 221, "rt_sigreturn": 139, "exit": 93, "exit_group": 94,
    "sched_yield": 124, "riscv_flush_icache": 259,
}  # fmt: skip

VARIANTS = [
    _store(
        "fault-handled-twice", "a store's fault that the vector could not resolve is handled again",
        old="self._unfinished.pending_fault = resolution", new="pass",
    ),
    _store(
        "fault-uncounted", "a store's fault that the vector resolves is not counted",
        old="handler.resolve(kernel, thread, page, access)",
        new="handler.handle_fault(thread.process.space, page, access)",
    ),
    _store(
        "fault-unobserved", "an observer does not see stores' faults",
        old="observer.fault(Fault(thread, thread.process.space, resolution, trap))", new="pass",
    ),
    _store(
        "fault-without-a-trap", "an observer sees a store's fault without its trap",
        old="thread.process.space, resolution, trap)", new="thread.process.space, resolution)",
    ),
    wrong(
        "fault-where-the-run-began", "an observer gets the pc at which the engine was started",
        "emu.machine.hart:Hart.offered_trap", "self.pc = self._engine.pc()", "pass",
    ),
    wrong(
        "fetch-too-early", "a fetch from the next page is handled before the block has reached it",
        "emu.machine.hart:Hart._is_as_reported", "fault.va == self._engine.pc() & ~PAGE_MASK",
        "True",
    ),
    wrong(
        "instruction-of-another-page", "an instruction is known by its address after a flush",
        "emu.machine.code_reader:CodeReader.forget_pages", "self._pc = -1", "pass",
    ),
    _store(
        "loop-never-due-for-stores", "timers don't reach a loop that touches new pages",
        old=" or self._loop_is_due()", new="",
    ),
    wrong(
        "old-fault-again", "a store's unresolved fault is the answer to all later ones",
        "kernel.trap.handler:_page_fault",
        "resolution, unfinished.pending_fault = unfinished.pending_fault, None",
        "resolution = unfinished.pending_fault",
    ),
    _ecall(
        "call-exit-not-reported", "an observer does not see that a call has ended",
        old="kernel.call_observer.call_left(thread, number, arguments, result)", new="pass",
    ),
    wrong(
        "old-call-again", "the result of a call that the vector left is that of all later ones",
        "kernel.trap.handler:_system_call",
        "(result,), unfinished.pending_result = unfinished.pending_result, None",
        "(result,) = unfinished.pending_result",
    ),
    wrong(
        "result-lost", "a call that is answered at once leaves a0 as it was",
        "emu.machine.hart:Hart._on_exception", "self._engine.write(A0, result & VA_MASK)", "pass",
    ),
    wrong(
        "loads-as-stores", "the vector handles a load's fault as a store's",
        "emu.machine.hart:Hart._repair", "self.vector.page_fault(fault.va, access)",
        "self.vector.page_fault(fault.va, Access.STORE)",
    ),
    wrong(
        "amos-as-loads", "the vector handles an AMO's fault as a load's",
        "emu.machine.hart:Hart._is_as_reported",
        "self._code_reader.faults_as_store(self._engine.pc())", "False",
    ),
    _next(
        "step-fetches-ahead", "a step asks for the page of the next instruction",
        old="not self._counts and ", new="",
    ),
    _next(
        "breakpoint-faults", "the engine's fetch before a breakpoint is a fault of the program",
        old=" and fault.va not in self._exits.probed_pages", new="",
    ),
    wrong(
        "amos-forgotten-in-a-run", "a flush within the engine's run forgets that code has an AMO",
        "emu.machine.hart:Hart.flush_tlb", "if not self._running:", "if True:",
    ),
    wrong(
        "amos-of-another-turn", "an AMO in code that was translated before is not expected",
        "emu.machine.tlb:Tlb.permissions", "if ppn in self._amo_frames:", "if False:",
    ),
    _ecall(
        "call-begun-twice", "a call that the vector began is begun again in the loop",
        old="self._unfinished.pending_result = (result,)", new="pass",
    ),
    _ecall(
        "call-that-waits-is-done", "a call that has to wait returns 0 at once",
        old=_ALIKE,
        new="result = result if isinstance(result, int) else 0\n"
        "    if not self._may_continue(thread):",
    ),
    wrong(
        "call-epc-in-the-hook", "a call that is begun again after a handler begins after its ecall",
        "emu.machine.hart:Hart._on_exception", "pc - PAST_EXCEPTION", "pc",
    ),
    _goes_on(
        "signal-after-the-call", "a signal to oneself comes some traps after the call",
        old="not thread.deliverable", new="True",
    ),
    _goes_on(
        "mask-after-the-call", "a call's own mask stays for some traps",
        old="and thread.saved_mask is None", new="",
    ),
    _goes_on(
        "stale-code-after-the-call", "code that a call changed is run as it was for some traps",
        old="and not self._kernel.ram.code_is_stale", new="",
    ),
    wrong(
        "loop-never-due", "timers don't reach a loop of calls",
        "kernel.trap.fast_path:KernelVector._pass_checkpoint", "return True", "pass",
    ),
    _due(
        "attention-not-handled", "a request is not handled at the next trap",
        old="return bool(kernel.requests)", new="return False",
    ),
    *(
        _ecall(
            f"{name}-in-the-hook", f"{name} is carried out while the engine runs",
            old=_LEFT, new=f"if number not in _IN_HOOK and number != {number} or",
        )
        for name, number in _IN_LOOP.items()
    ),
]  # fmt: skip
