"""Unwind rules: from call frame information, or from the code where a file has none.

Imported by ``symbols`` and ``unwind`` of ``emu.observe``, of which it imports nothing; it imports
``emu.leb128``, ``kernel.base``, and the machine's encodings and register numbers.
"""
