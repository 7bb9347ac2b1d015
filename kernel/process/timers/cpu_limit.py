"""The limit of a process's CPU time: RLIMIT_CPU of setrlimit(2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.base.clock import NS
from kernel.base.resource_limits import INFINITY, Resource
from kernel.process.process import Process, TimerKind
from kernel.process.signal_send import send_process
from kernel.process.signals.signals import SI_KERNEL, Sig, SigInfo

if TYPE_CHECKING:
    from kernel.process.state import KernelState


def arm(kernel: KernelState, process: Process) -> None:
    """Arms the timer of the limit, when this was set or inherited."""
    if process.cpu_limit is not None:
        process.cpu_limit.cancel()
        process.cpu_limit = None
    soft = process.limits.soft(Resource.CPU)
    if soft != INFINITY:
        timers = process.timers_of(TimerKind.CPU)
        process.cpu_limit = timers.at(soft * NS, lambda: _expire(kernel, process))


def _expire(kernel: KernelState, process: Process) -> None:
    """SIGKILL at the hard limit; SIGXCPU at the soft one, which grows by a second, as in Linux."""
    if not process.alive:
        return
    soft, hard = process.limits[Resource.CPU]
    if process.counters.cpu.monotonic() >= hard * NS:
        send_process(kernel, process, SigInfo(Sig.KILL, SI_KERNEL))
        return
    send_process(kernel, process, SigInfo(Sig.XCPU, SI_KERNEL))
    process.limits[Resource.CPU] = soft + 1, hard
    arm(kernel, process)
