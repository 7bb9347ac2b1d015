"""The host's side of a run: signals, the guest's view of host files, child processes.

May import ``kernel``, ``toolchain``, ``emu.errors`` and ``emu.options``; imported by
:mod:`emu.session`. ``break_in`` and ``child_processes`` import nothing of the project: ``emu.cli``,
``emu.observe.record`` and ``emu.lab.host`` also use ``child_processes``.
"""
