"""Estimates the time of the kernel's work from the duration of some traps."""

from __future__ import annotations

from kernel.base.cpu_time import Turn

_GAPS, _ROOT = 251, 6
"""A prime, and a primitive root of it."""


class TrapSampler:
    """Adds the kernel's work to the turn: of system calls in the run loop, which may be long, each;
    of other traps a sample, since two readings of a clock would cost a tenth of the shortest trap.

    The gaps between samples are all numbers below a prime, in an order without a pattern, so that
    the samples fit the pattern of no program.
    """

    __slots__ = ("_gap", "_turn", "next_trap")

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._gap = 1
        self.next_trap = 0
        """Number of the next trap to measure."""

    def add_call(self, ns: int) -> None:
        """Adds the duration of a call in the run loop, by the monotonic clock."""
        self._turn.kernel_ns += ns
        self.next_trap += 1

    def add_sample(self, ns: int) -> None:
        """Adds the CPU time of a trap, which stands for the others since the last sample."""
        self._turn.kernel_cpu_ns += ns * self._gap
        self._gap = self._gap * _ROOT % _GAPS
        self.next_trap += self._gap
