"""The grader's side of the process that runs a student's code: its start, its end, its commands.

May import ``emu.lab.protocol`` and ``emu.lab.kit``.
"""
