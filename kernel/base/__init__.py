"""Basic services of the kernel: errors, clocks, timers, waiting, resource limits, memory budget.

Imports no other package of the kernel; every one may import it.
"""
