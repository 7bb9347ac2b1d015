"""Backtraces: the callers of a pc, found on a guest's stack."""
