"""Lab 2: the allocator of physical frames.

Imports ``emu.lab.graded`` and what is below it; no other lab.
"""
