"""Recording: the kernel's events become raw events, and those become records."""
