"""The compiled variant of the hot path: the same files, compiled by mypyc.

``make setup`` builds it where a C compiler and Python's headers are (:mod:`emu.compilation.build`);
:mod:`emu.compilation.finder` chooses between it and the sources when the command starts. Everything
works without it, and tests run without it; labs need the sources, since their classes derive from
the kernel's.
"""
