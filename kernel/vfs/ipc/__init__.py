"""Pipes, sockets, epoll, pidfd, eventfd and timerfd.

Imports ``kernel.base`` and ``core`` of ``kernel.vfs``; used by ``memfs`` and the system calls.
"""
