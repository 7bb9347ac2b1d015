"""Names of the files by which a folder that was filled is recognized."""

COMPLETE = ".emu-root"
UNFINISHED = ".emu-root-unfinished"
"""Exists while a folder is being filled; ``emu run --root`` refuses such a folder."""
