"""Traps: the loop that runs threads, the handler of each trap, the fast path, breakpoints.

Imports ``kernel.syscalls`` and what is below it.
"""
