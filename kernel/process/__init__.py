"""Processes and threads: the kernel's state, scheduling, signals, futexes, timers, clone, exit.

Imports ``kernel.components``, ``kernel.config``, ``kernel.mm`` and what is below them.
"""
