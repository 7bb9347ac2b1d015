"""Traces of instructions: pc, registers changed, memory accessed.

The command line and the Python API import it; it imports the model, symbols, kernel and machine.
"""
