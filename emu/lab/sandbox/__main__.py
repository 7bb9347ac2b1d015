"""The process that runs a student's code: takes the files, shuts itself in, answers calls.

Started as ``python -I -S -B``, so with nothing but the standard library, and with the project's own
kit under its name. From :func:`confine` on it can open nothing, start nothing and reach nobody but
through the descriptors it was given.
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
