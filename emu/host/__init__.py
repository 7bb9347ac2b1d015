"""The host's side of a run: signals, the files that the guest is shown, child processes.

May import ``kernel`` and ``emu.machine``; the command line and :mod:`emu.api` use it.
"""
