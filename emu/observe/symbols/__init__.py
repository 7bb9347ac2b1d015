"""ELF files, symbols, source lines and disassembly of what a process has mapped. Imports ``model``,
``dwarf`` and ``cfi`` of ``emu.observe``, ``emu.errors``, the kernel and the machine; used by the
packages above it except ``analysis``, and by the command line.
"""
