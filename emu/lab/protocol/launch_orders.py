"""Orders of the grader to the launcher of student processes, and its replies."""

from __future__ import annotations

import enum
import socket
import struct

ORDER = struct.Struct("<Bi")
"""An :class:`Order`, and the process id that it concerns."""
REPLY = struct.Struct("<i")
"""A process id, 0 for none; or an exit status as :mod:`subprocess` gives it."""
RUNNING = 1 << 16
"""In place of the exit status of a process that has not ended."""


class Order(enum.IntEnum):
    START = 0
    """Forks a process; three descriptors come with it: requests, replies, the memory."""
    STATUS = 1
    END = 2
    """Kills a process; its status follows."""


def send_order(launcher: socket.socket, order: Order, pid: int, descriptors: list[int]) -> int:
    """Sends an order and returns the reply. Raises OSError when the launcher has ended."""
    socket.send_fds(launcher, [ORDER.pack(order, pid)], descriptors)
    data = launcher.recv(REPLY.size, socket.MSG_WAITALL)
    if len(data) < REPLY.size:
        raise ConnectionResetError
    reply: int = REPLY.unpack(data)[0]
    return reply
