"""execve(2): ELF files, the loader, the initial stack. May import ``kernel.process``."""
