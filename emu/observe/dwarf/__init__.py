"""Debug information (DWARF): lines, inlined functions, split and separate files."""
