"""A small model of harts, TLBs and processes, searched for harmful sequences (lab ``tlb``).

Imports ``emu.lab.graded`` and what is below it; only the lab's tests import it.
"""
