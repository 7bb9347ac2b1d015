"""Main program of the sandbox: starts confined processes for the grader.

Started as ``python -I -S -B``: the standard library is available, and the project's kit. After
:func:`confine` a process can open no file, start no process, and communicate only over the
descriptors that it was given.
"""

from __future__ import annotations

import os
import socket
import sys


def main() -> None:
    orders, grader, project = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    sys.path.insert(0, project)
    from emu.lab.sandbox.launcher import launch

    sys.path.remove(project)
    launch(socket.socket(fileno=orders), grader)
    os._exit(0)


main()
