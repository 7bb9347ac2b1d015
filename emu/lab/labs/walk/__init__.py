"""Lab 1: translating an address by a walk of Sv39 page tables.

Imports ``emu.lab.graded`` and what is below it; no other lab.
"""
