"""Differential runs: sequences of memory operations on a student's code and on the reference.

May import ``emu.lab.components`` and the packages below it. Knows no lab and no graded test. The
kernel's own tests use ``cpu``.
"""
