"""Debug information (DWARF): lines, inlined functions, split and separate files. Of ``emu.observe``
it imports ``model`` only; used by ``symbols``, ``record`` and the command line.
"""
