"""Traces of instructions: pc, registers changed, memory accessed.

Imported by ``emu.cli.support``. Imports ``emu.observe``'s ``model`` and ``symbols``, the kernel and
the machine.
"""
