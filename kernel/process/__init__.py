"""Processes and threads: their state, scheduling, signals, futexes, timers, their end.

May import ``kernel.mm`` and below.
"""
