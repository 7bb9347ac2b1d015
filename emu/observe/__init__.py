"""Instruments: they observe the kernel, record a trace, and analyse it.

May import the kernel and the machine, which do not depend on it, and ``emu.host.child_processes``.
"""
