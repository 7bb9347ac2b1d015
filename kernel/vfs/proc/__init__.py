"""/proc: what programs ask about themselves, each other and the machine (proc(5))."""
