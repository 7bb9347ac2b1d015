"""Page-table walks as text, from a run or from a trace record.

Imported by ``emu.cli``; imports ``emu.observe``'s ``model`` and ``symbols``, the kernel and the
machine.
"""
