"""Debug information (DWARF): lines, inlined functions, split and separate files. Imports
``emu.observe.model`` only; used by ``symbols`` and ``record``.
"""
