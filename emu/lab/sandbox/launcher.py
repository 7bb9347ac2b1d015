"""Forks a process for each student's code, from one that has imported what all of them need.

The imports take ten times as long as the fork. The launcher itself runs no student's code and
reads nothing that a student wrote.
"""

from __future__ import annotations

import gc
import os
import signal
import socket

from emu.lab.protocol.launch_orders import ORDER, REPLY, RUNNING, Order
from emu.lab.sandbox.confinement import end_with
from emu.lab.sandbox.imports import ALLOWED, preload
from emu.lab.sandbox.server import serve

_OF_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""Signals to all processes of a terminal: the grader decides what they end."""


def launch(orders: socket.socket, grader: int) -> None:
    """Executes orders until the grader, of which ``grader`` is the process id, has ended."""
    end_with(grader)
    for number in _OF_THE_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    preload(ALLOWED)
    gc.freeze()
    started: dict[int, int] = {}
    while True:
        data, descriptors, _, _ = socket.recv_fds(orders, ORDER.size, 3)
        if not data:
            break
        order, pid = ORDER.unpack(data)
        if order == Order.START:
            reply = _fork(orders, descriptors)
            started[reply] = RUNNING
        else:
            reply = started[pid] = _status(pid, started[pid], end=order == Order.END)
        orders.sendall(REPLY.pack(reply))
    for pid, status in started.items():
        _status(pid, status, end=True)


def _fork(orders: socket.socket, descriptors: list[int]) -> int:
    """Starts a process; returns its id, 0 if the host refuses."""
    launcher = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        pid = 0
    else:
        if not pid:
            orders.close()
            requests, replies, memory = descriptors
            serve(requests, replies, memory, launcher)
            os._exit(0)
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _status(pid: int, known: int, *, end: bool) -> int:
    """The exit status of a process, after killing it if ``end``."""
    if known != RUNNING or not pid:
        return known
    if end:
        os.kill(pid, signal.SIGKILL)
    ended, status = os.waitpid(pid, 0 if end else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else RUNNING
