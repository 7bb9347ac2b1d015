"""The sandbox: the process that runs a student's code, confined by seccomp(2) and setrlimit(2).

No other package imports it: the grader starts it as a program. It may import ``emu.lab.kit``,
``emu.lab.protocol`` and the standard library.
"""
