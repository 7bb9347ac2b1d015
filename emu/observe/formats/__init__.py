"""Formats of a trace: JSON Lines, Perfetto, folded stacks, text. Import ``model`` and ``symbols``
of ``emu.observe``, the kernel and the machine; imported by the command line and :mod:`emu.session`.
"""
