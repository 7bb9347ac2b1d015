"""Text in messages and reports of the labs: PTEs, and sanitized output of a student's code.

May import ``emu.lab.kit``, the kernel and the machine.
"""
