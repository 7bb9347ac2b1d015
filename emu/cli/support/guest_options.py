"""The options of every command that runs a guest: its machine, and what it sees of the host."""

from __future__ import annotations

import argparse
import os
import re

from emu.options import Options
from kernel.mm.fork import POLICIES

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SMALLEST, _LARGEST = 1 << 20, 1 << 38


def add_guest_options(
    parser: argparse.ArgumentParser, *, policy: bool = True, needed: bool = True
) -> None:
    """PROG, which may be ``needed``, and the options of the machine that it runs on; ``policy``
    says whether fork's too, and labs that may bring their own.
    """
    parser.add_argument("program", metavar="PROG", nargs=None if needed else "?")
    parser.add_argument(
        "--mem",
        type=memory_size,
        default=1 << 30,
        metavar="SIZE",
        help="physical memory, such as 64M or 2G (default 1G; used only as it is touched)",
    )
    parser.add_argument(
        "--kernel-memory",
        type=memory_size,
        metavar="SIZE",
        help="limit of the kernel's memory for guests apart from pages: processes, mappings, open "
        "files, bytes in pipes and sockets (default a quarter of --mem, at least 16M)",
    )
    if policy:
        parser.add_argument(
            "--fork-policy",
            choices=tuple(POLICIES),
            default="cow",
            help="how fork gives a child its memory (default cow)",
        )
        parser.add_argument(
            "--lab",
            metavar="DIR",
            help="let the labs' files in DIR be the kernel's parts that they are about; the "
            "invariants of the kernel's memory are checked after each return from them",
        )
    else:
        parser.set_defaults(lab=None)
    parser.add_argument(
        "--env",
        action="append",
        type=_variable,
        default=[],
        metavar="NAME=VALUE",
        help="a variable of the guest's environment; NAME alone passes yours on",
    )
    parser.add_argument(
        "--cwd",
        type=_folder,
        metavar="DIR",
        help="initial directory of the guest, readable to it; with --root a directory of the root",
    )
    parser.add_argument(
        "--root",
        type=_folder,
        metavar="DIR",
        help="directory to use as the guest's /, also when looking for PROG; writes stay in memory",
    )
    parser.add_argument(
        "--ro",
        action="append",
        type=_grant,
        default=[],
        metavar="DIR[:GUEST]",
        help="file or directory that the guest may read, at its own path or at GUEST",
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
        "--max-procs",
        type=count,
        default=4096,
        metavar="N",
        help="maximum number of processes and threads; beyond it fork and clone fail",
    )
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="fixed seed and virtual clock: two runs are alike",
    )
    parser.add_argument(
        "--fail-alloc",
        type=count,
        default=0,
        metavar="N",
        help="make the Nth frame allocation fail, to see who survives",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="check the invariants of the kernel's memory before every return to the program",
    )


def guest_options(arguments: argparse.Namespace) -> Options:
    """The machine's options from the command line's."""
    return Options(
        memory=arguments.mem,
        kernel_memory=arguments.kernel_memory,
        fork_policy=arguments.fork_policy,
        max_processes=arguments.max_procs,
        deterministic=arguments.deterministic,
        fail_allocation=arguments.fail_alloc,
        check=arguments.check or arguments.lab is not None,
        timeout=arguments.timeout,
        environment=_environment(arguments.env),
        cwd=arguments.cwd,
        root=arguments.root,
        read_only=arguments.ro,
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


def _folder(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("a folder without a name")
    return text


def _grant(text: str) -> tuple[str, str]:
    host, _, guest = text.partition(":")
    if not host:
        raise argparse.ArgumentTypeError(f"no folder of the host: {text!r}")
    if guest and not guest.startswith("/"):
        raise argparse.ArgumentTypeError(f"the guest's path must be absolute: {text!r}")
    try:
        return host, os.path.abspath(guest or host)
    except FileNotFoundError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: the current directory does not exist any more"
        ) from None


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


def count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1 << 30:
        raise argparse.ArgumentTypeError(f"not a number from 1 up: {text!r}")
    return int(text)
