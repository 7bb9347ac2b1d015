"""Main program of the sandbox: receives the files, confines itself, answers calls.

Started as ``python -I -S -B``: the standard library is available, and the project's kit. After
:func:`confine` it can open no file, start no process, and communicate only over the descriptors
that it inherited.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    requests, replies, project = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    sys.path.insert(0, project)
    from emu.lab.sandbox.server import serve

    sys.path.remove(project)
    serve(requests, replies)
    os._exit(0)


main()
