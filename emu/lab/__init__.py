"""Labs: exercises in which a student's code replaces a component of the machine or the kernel.

May import the kernel, the machine and :mod:`emu.api`; only the command line imports it.
"""
