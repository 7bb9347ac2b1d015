"""The virtual file system: the guest's files, pipes, sockets, terminals and ``/proc``.

Packages, lowest first: ``core``, ``ipc``, ``memfs``, ``hostfs``, ``names``, ``tty``, ``proc``.
May import ``kernel.base``.
"""
