"""System calls for waiting and for communication: poll, epoll, sockets.

Imports ``files`` and the helpers of ``kernel.syscalls``, ``kernel.vfs`` and ``kernel.base``; only
the table imports it.
"""
