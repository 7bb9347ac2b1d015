"""The ``emu`` command, also as ``python -m emu``."""

import _signal  # type: ignore[import-not-found] # the C part of signal: importing it takes no time

# Ctrl-C ends the command at once during startup; Python's default would print a traceback.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def main() -> int:
    from emu.cli.main import main as command

    return command()


if __name__ == "__main__":
    import sys

    sys.exit(main())
