"""Lab 4: copy-on-write fork.

Imports ``emu.lab.graded``, ``emu.lab.simulation`` and ``emu.lab.kit``; no other lab.
"""
