"""Lab 6: the sfence.vma instructions that a change of a page table needs.

Imports its ``model``, ``emu.lab.graded``, ``emu.lab.kit`` and the machine; no other lab.
"""
