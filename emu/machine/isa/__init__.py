"""Instruction encodings of RV64GC: operands, lengths, control flow, reserved encodings.

Imports only the register names and the causes of traps.
"""
