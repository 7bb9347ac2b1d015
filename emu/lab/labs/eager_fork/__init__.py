"""Lab 3: fork by copying every page.

Imports ``emu.lab.graded``, ``emu.lab.simulation`` and ``emu.lab.kit``; no other lab.
"""
