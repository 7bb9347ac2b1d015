"""Futexes: words of user memory that threads wait for, own, and leave behind (futex(2)).

Imports :mod:`kernel.base`, the address spaces, and the threads that wait.
"""
