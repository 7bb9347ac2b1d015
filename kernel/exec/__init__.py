"""execve(2): ELF files, the loader, the initial stack, entering the new image.

Imports ``kernel.process`` and what is below it.
"""
