"""ELF files, symbols, source lines and disassembly of what a process has mapped."""
