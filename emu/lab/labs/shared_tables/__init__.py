"""Lab 8: a fork that shares leaf tables.

Imports ``emu.lab.graded``, ``emu.lab.simulation`` and ``emu.lab.kit``; no other lab.
"""
