"""Instruction encodings of RV64GC: expansion of compressed instructions, fields, operands, results,
reserved encodings.

Imports only the register numbers and the sizes of pages; everything else may import it.
"""
