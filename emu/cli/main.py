"""The ``emu`` command: finds the subcommand, and turns what goes wrong into one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from emu.cli import build, calls, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="emu",
        allow_abbrev=False,
        description="Runs RISC-V Linux programs on a machine whose memory management can be "
        "watched.",
    )
    subcommands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (run, build, calls):
        module.add_parser(subcommands)
    words = list(sys.argv[1:] if arguments is None else arguments)
    own, rest = _split(words)
    options = parser.parse_args(own)
    options.rest = rest
    try:
        status: int = options.function(options)
        if sys.stdout is not None:  # the user may have closed it
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more to say, not even at exit.
        _drop_output()
        return 128 + 13
    except OSError as error:
        print(f"emu: standard output: {error.strerror}", file=sys.stderr)
        _drop_output()
        return 1
    except KeyboardInterrupt:
        return 130


def _drop_output() -> None:
    """Sends nowhere what is still buffered for stdout, lest Python fail on it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


_VALUELESS = frozenset(("-h", "--help", "--summary", "--deterministic", "--check"))


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Our own words, and those that are somebody else's: the guest's, or the compiler's.

    argparse alone can't tell them apart: an option of the guest may look like ours, and
    ``--summary``, whose value is optional, would take the program's name for it.
    """
    if words[:1] == ["build"] and "--" in words:
        end = words.index("--")
        return words[:end], words[end + 1 :]
    if words[:1] != ["run"]:
        return words, []
    at = 1
    while at < len(words) and words[at].startswith("-") and words[at] != "--":
        takes_next = words[at] not in _VALUELESS and "=" not in words[at]
        at += 2 if takes_next else 1
    own = [f"{word}=text" if word == "--summary" else word for word in words[:at]]
    if words[at : at + 1] == ["--"]:
        at += 1
    return [*own, *([] if at >= len(words) else ["--", words[at]])], words[at + 1 :]
