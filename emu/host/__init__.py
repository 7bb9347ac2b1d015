"""The host's side of a run: signals, the guest's view of host files, child processes.

May import ``kernel`` and ``emu.machine``; the command line and :mod:`emu.api` use it. Of the other
packages, ``emu.observe.record`` and ``emu.lab.host`` use ``child_processes``, which imports nothing
of the project.
"""
