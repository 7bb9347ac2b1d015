"""Debug information (DWARF): lines, inlined functions, split and separate files. Of ``emu.observe``
it imports ``model`` only, and also the kernel and ``emu.leb128``; used by ``symbols``, ``record``
and the command line.
"""
