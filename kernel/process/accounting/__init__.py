"""Counters of a run, and the use of resources by threads and processes (getrusage(2)).

Imports ``kernel.base`` and ``kernel.mm``.
"""
