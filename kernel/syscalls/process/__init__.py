"""System calls on processes: clone, execve, wait, signals, time, limits."""
