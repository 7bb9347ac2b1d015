"""The ``emu`` command, also as ``python -m emu``."""

import _signal  # type: ignore[import-not-found] # the C part of signal: importing it takes no time
import gc

# Ctrl-C ends the command at once during startup; Python's default would print a traceback.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

# Most objects of the start live to the end: looking for garbage among them takes a tenth of it.
gc.set_threshold(50_000)


def main() -> int:
    from emu.cli.main import main as command

    return command()


def run_and_exit() -> None:
    """Runs the command and ends the process without destroying its modules and objects, which
    takes as long as a short program. Everything that must be flushed or closed is by now.
    """
    import atexit
    import os
    import sys
    from contextlib import suppress

    from emu.compilation import bytecode

    bytecode.use()
    status = main()
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):  # main has reported it
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    run_and_exit()
