"""Results of a run for Python: page faults and forks as tables, the profile of copy-on-write, and
all of them as HTML for a notebook.

Imported by ``emu.session`` and ``emu.api``; imports ``emu.observe``. Nothing here is loaded by the
``emu`` command.
"""
