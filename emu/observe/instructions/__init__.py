"""Traces of instructions: pc, registers changed, memory accessed."""
