"""Entering a new image: the point of no return of execve(2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from emu.machine.registers import PC, SP, Registers
from kernel.process.exit import end_other_threads, release_parent
from kernel.process.futexes.robust_list import release_futexes
from kernel.process.timers import interval_timers

if TYPE_CHECKING:
    from kernel.exec.loader import Image
    from kernel.process.process import Thread
    from kernel.process.state import KernelState


def replace_image(kernel: KernelState, thread: Thread, image: Image) -> None:
    """Replaces the image of a process, which shares its descriptor table with no other."""
    process = thread.process
    end_other_threads(kernel, thread)
    release_futexes(kernel.pi_futexes, thread)
    if kernel.observer is not None:
        kernel.observer.leaving(process)
    old = process.space
    disabled = old.huge_pages.disabled
    image.space.set_huge_pages(replace(image.space.huge_pages, disabled=disabled))
    process.program.words.release()
    enter_image(kernel, thread, image)
    kernel.hart.load(thread.registers)
    kernel.hart.set_satp(image.space.table.satp)
    kernel.hart.flush_tlb()
    release_parent(process)
    old.leave()
    process.peak_before = max(process.peak_before, old.peak_resident())
    process.handlers = process.handlers.copy()
    process.handlers.reset_for_exec()
    process.files.close_on_exec()
    process.has_execed = True
    process.attributes.after_exec()
    interval_timers.delete_all(kernel, process, keep_itimers=True)
    if kernel.observer is not None:
        kernel.observer.execed(process)
    if kernel.new_image is not None:
        kernel.new_image(process)


def enter_image(kernel: KernelState, thread: Thread, image: Image) -> None:
    """Gives the process the image's memory, and the thread its first registers."""
    process = thread.process
    process.space = image.space
    process.mem = kernel.parts.user_memory(image.space, kernel.fault_handler(process))
    process.program = image.program
    process.sigreturn = image.sigreturn
    thread.registers = Registers()
    thread.registers[PC] = image.entry
    thread.registers[SP] = image.sp
    thread.clear_tid = thread.robust_list = 0
    thread.alt_stack = type(thread.alt_stack)()
