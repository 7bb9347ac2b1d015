"""The virtual file system: the guest's files, pipes, sockets, terminals and ``/proc``.

Packages, lowest first: ``core``, ``ipc``, ``memfs``, ``hostfs``, ``tty``, ``pty``, ``names``,
``proc``.
``build_tree`` makes the guest's tree from them, ``console`` the first process's standard files.
May import ``kernel.base``; the rest of ``kernel`` may import it.
"""
