"""System calls on files, directories and descriptors.

Imports ``kernel.process`` and what is below it, and the helpers of ``kernel.syscalls``; ``ipc`` and
the table import it.
"""
