"""Stack unwinding: finds the callers of a pc from a guest's registers and stack.

Imported by ``emu.observe.record``; imports ``emu.observe``'s ``model``, ``cfi`` and ``symbols``,
``kernel.mm`` and the machine.
"""
