"""The process that runs a student's code, confined by seccomp(2) and resource limits.

Runs in the student's process: imports nothing but ``emu.lab.kit`` and ``emu.lab.protocol``.
"""
