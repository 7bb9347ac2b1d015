"""The kernel's and the machine's components whose decisions are made by a student's code.

May import ``emu.lab.host`` and ``emu.lab.text``.
"""
