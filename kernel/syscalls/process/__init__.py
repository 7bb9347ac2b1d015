"""System calls on processes: clone, execve, wait, signals, time, limits.

Imports ``kernel.exec`` and what is below it, and the helpers of ``kernel.syscalls``; only the table
imports it.
"""
