"""System calls: the table, dispatch, and a function for each call.

Imports ``kernel.exec``, ``kernel.process`` and the packages below them. Inside, lowest first:
``context``, helpers for arguments and transfers, then the folders ``files``, ``memory`` and
``process``, then ``ipc`` (poll and sockets, which use ``files``), ``table``, ``dispatch``.
"""
