"""ELF files, symbols, source lines and disassembly of what a process has mapped. Imports ``model``,
``dwarf`` and ``cfi`` of ``emu.observe``; used by the packages above it except ``analysis``.
"""
