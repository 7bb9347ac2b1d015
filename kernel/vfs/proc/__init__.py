"""/proc: information about processes and the machine (proc(5))."""
