"""``emu run``: runs a program."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import traceback
from typing import Any

from emu.api import CannotRun, Session
from emu.cli.output import Lines
from emu.observe.summary import summary_text
from emu.options import Options
from kernel.events import Observer
from kernel.fork import POLICIES
from kernel.invariants import InvariantBroken

_DEFECT_STATUS = 70
"""EX_SOFTWARE of sysexits.h."""
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SMALLEST, _LARGEST = 1 << 20, 1 << 38


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "run",
        allow_abbrev=False,
        help="run a RISC-V Linux program",
        description="Runs a 64-bit RISC-V Linux program. Its standard streams are yours, and so is "
        "its exit status (128 + signal when a signal killed it).",
    )
    parser.add_argument("program", metavar="PROG")
    parser.usage = "emu run [OPTIONS] PROG [ARGS...]"
    parser.add_argument(
        "--summary",
        choices=("text", "json"),
        metavar="[=json]",
        help="at the end, to stderr: processes, page faults by kind, frames copied and reused, "
        "and what eager copying would have cost",
    )
    parser.add_argument(
        "--trace",
        action="append",
        default=[],
        choices=("faults", "syscalls"),
        help="a line to stderr for each page fault or each system call; may be given twice",
    )
    parser.add_argument(
        "--trace-file", metavar="FILE", help="write the trace there instead of to stderr"
    )
    parser.add_argument(
        "--mem",
        type=memory_size,
        default=1 << 30,
        metavar="SIZE",
        help="physical memory, such as 64M or 2G (default 1G; used only as it is touched)",
    )
    parser.add_argument(
        "--fork-policy",
        choices=tuple(POLICIES),
        default="cow",
        help="how fork gives a child its memory (default cow)",
    )
    parser.add_argument(
        "--env",
        action="append",
        type=_variable,
        default=[],
        metavar="NAME=VALUE",
        help="a variable of the guest's environment; NAME alone passes yours on",
    )
    parser.add_argument("--cwd", metavar="DIR", help="where the guest starts, readable to it")
    parser.add_argument(
        "--root", metavar="DIR", help="the guest's /; what it writes there stays in memory"
    )
    parser.add_argument(
        "--rw",
        action="append",
        type=_grant,
        default=[],
        metavar="DIR[:GUEST]",
        help="a folder the guest may write to, at its own path or at GUEST",
    )
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="end all guests then, status 124"
    )
    parser.add_argument(
        "--max-procs", type=_count, default=4096, metavar="N", help="fork fails beyond N processes"
    )
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="fixed seed and virtual clock: two runs are alike",
    )
    parser.add_argument(
        "--fail-alloc",
        type=_count,
        default=0,
        metavar="N",
        help="make the Nth frame allocation fail, to see who survives",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="check the invariants of the kernel's memory before every return to the program",
    )
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; its status, or that of a shell that could not run it."""
    streams = _open_streams()
    try:
        lines = Lines(arguments.trace_file)
    except OSError as error:
        print(f"emu: {arguments.trace_file}: {error.strerror}", file=sys.stderr)
        return 2
    try:
        command = [arguments.program, *arguments.rest]
        session = Session(_options(arguments), command, lines.message, host_streams=streams)
        status = session.run(_observers(arguments, lines))
    except CannotRun as error:
        lines.message(str(error))
        return error.status
    except InvariantBroken as broken:
        return _defect(lines, str(broken))
    except Exception:
        return _defect(lines, traceback.format_exc())
    finally:
        lines.close()
    if arguments.summary == "json":
        lines.plain(json.dumps(session.summary))
    elif arguments.summary:
        lines.plain(summary_text(session.summary))
    return status


def _open_streams() -> list[int]:
    """Which of descriptors 0, 1 and 2 the user gave us.

    One that is closed is occupied, lest the next file we open get its number and pass for the
    user's: the guest has that descriptor closed.
    """
    streams = []
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
            streams.append(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    return streams


def _defect(lines: Lines, account: str) -> int:
    """What went wrong in our own code is not the guest's crash; says what to send."""
    lines.plain(account.rstrip())
    lines.message(
        "this is a defect of emu, not of the program; please report it with the lines above, "
        "the command and the program"
    )
    return _DEFECT_STATUS


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        memory=arguments.mem,
        fork_policy=arguments.fork_policy,
        max_processes=arguments.max_procs,
        deterministic=arguments.deterministic,
        fail_allocation=arguments.fail_alloc,
        check=arguments.check,
        timeout=arguments.timeout,
        environment=_environment(arguments.env),
        cwd=arguments.cwd,
        root=arguments.root,
        read_write=arguments.rw,
    )


_PASSED_ON = ("TERM", "LANG", "LC_ALL", "TZ", "COLUMNS", "LINES", "NO_COLOR")
_USUAL = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    "SHELL": "/bin/sh",
}


def _environment(given: list[str]) -> dict[str, str]:
    """A small one that tells the guest nothing of the host, and what was asked for."""
    environment = dict(_USUAL)
    environment |= {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    for text in given:
        name, equals, value = text.partition("=")
        if equals:
            environment[name] = value
        elif name in os.environ:
            environment[name] = os.environ[name]
    return environment


def _grant(text: str) -> tuple[str, str]:
    host, _, guest = text.partition(":")
    if guest and not guest.startswith("/"):
        raise argparse.ArgumentTypeError(f"the guest's path must be absolute: {text!r}")
    return host, guest or os.path.abspath(host)


def _observers(arguments: argparse.Namespace, lines: Lines) -> list[Observer]:
    observers: list[Observer] = []
    if "faults" in arguments.trace:
        from emu.observe.fault_lines import FaultLines

        observers.append(FaultLines(lines.trace))
    if "syscalls" in arguments.trace:
        from emu.observe.call_lines import CallLines

        observers.append(CallLines(lines.trace))
    return observers


def memory_size(text: str) -> int:
    """Bytes from ``64M``, ``2G``, ``1048576``, rounded up to whole pages."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if not match:
        raise argparse.ArgumentTypeError(f"not a size: {text!r} (try 64M or 2G)")
    size = int(float(match[1]) * _UNITS[match[2]])
    size = (size + 4095) & ~4095
    if not _SMALLEST <= size <= _LARGEST:
        raise argparse.ArgumentTypeError(f"{text} is not between 1M and 256G")
    return size


def _variable(text: str) -> str:
    if not text.partition("=")[0]:
        raise argparse.ArgumentTypeError(f"a variable without a name: {text!r}")
    return text


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}") from None
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("the time limit must be more than 0 and less than 1e9 s")
    return value


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1 << 30:
        raise argparse.ArgumentTypeError(f"not a number from 1 up: {text!r}")
    return int(text)
