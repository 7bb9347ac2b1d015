"""Labs: exercises in which a student's code replaces a component of the machine or the kernel.

May import the kernel, the machine, :mod:`emu.api`, ``guest`` and ``toolchain``; only the command
line imports it.
"""
