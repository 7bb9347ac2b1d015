"""Signals: numbers, siginfo, actions, pending ones; the frame on a handler's stack.

Imports ``kernel.base``, and ``kernel.mm`` for the frame.
"""
