"""Lab 7: mapping and splitting pages of 2 MiB.

Imports ``emu.lab.graded``, ``emu.lab.simulation`` and ``emu.lab.kit``; no other lab.
"""
