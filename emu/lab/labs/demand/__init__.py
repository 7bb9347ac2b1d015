"""Lab 5: demand paging of brk and mmap memory.

Imports ``emu.lab.graded``, ``emu.lab.simulation`` and ``emu.lab.kit``; no other lab.
"""
