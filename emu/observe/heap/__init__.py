"""Attribution of heap blocks to the calls that allocated them.

Imported by ``emu.observe.record``; imports ``emu.observe``'s ``model`` and ``symbols``, the
kernel and the machine.
"""
