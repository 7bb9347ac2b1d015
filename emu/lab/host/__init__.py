"""The grader's side of the sandbox: starts and ends it, calls functions, executes its commands.

May import ``emu.lab.protocol``, ``emu.lab.kit``, ``emu.lab.text``, ``emu.host.child_processes``,
the kernel and the machine.
"""
