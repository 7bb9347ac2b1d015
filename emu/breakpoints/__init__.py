"""Breakpoints of the Python interface: what a function sees at an instruction of the guest.

Imported by ``emu.api``; imports ``emu.observe`` and ``emu.errors``.
"""
