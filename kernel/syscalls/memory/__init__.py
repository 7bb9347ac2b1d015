"""System calls on memory: mmap, mprotect, madvise, mlock, mremap."""
