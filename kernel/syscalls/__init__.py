"""System calls: the table, dispatch, and a function for each call.

Imports all packages of the kernel except ``kernel.trap``.
"""
