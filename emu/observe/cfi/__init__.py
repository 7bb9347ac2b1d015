"""Unwind rules: from call frame information, or from the code where a file has none.

:mod:`emu.observe.symbols` imports it; it imports the machine's encodings and register numbers.
"""
