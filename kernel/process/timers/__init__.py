"""Timers of a process: intervals (setitimer(2), timer_create(2)), and the limit of CPU time.

Imports ``kernel.base`` and the modules of ``kernel.process`` below :mod:`kernel.process.exit`.
"""
