"""Options of every command that runs a guest: its machine, its view of the host, its limits."""

from __future__ import annotations

import argparse
import os
import re

from emu.cli.support.option_values import (
    count,
    count_or_zero,
    memory_size,
    published_port,
    user_and_group,
)
from emu.errors import NO_CURRENT_DIRECTORY, CommandError
from emu.machine.pte import HUGE_SIZE
from emu.options import Options
from emu.sizes import UNITS
from kernel.mm.faults.fault_around import DEFAULT_SIZE, is_window
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.huge_policy import Thp, ThpCow

_WINDOW = re.compile(r"[0-9]{1,4}[kKmM]")


PROGRAM_OR_TRACE = "the program to run, or the trace (.jsonl) to read"


def add_guest_options(
    parser: argparse.ArgumentParser,
    *,
    policy: bool = True,
    required: bool = True,
    program_help: str = "the program to run",
) -> None:
    """Adds PROG and the groups of options that all runs share; call it after a command's own.

    ``required`` is false where PROG may be omitted. ``policy`` adds --fork-policy, and --lab, whose
    code may have a policy of its own.
    """
    parser.add_argument(
        "program", metavar="PROG", nargs=None if required else "?", help=program_help
    )
    _add_machine(parser.add_argument_group("machine"), policy)
    _add_view(parser.add_argument_group("guest's view of the host"))
    _add_limits(parser.add_argument_group("limits"))


def _add_machine(group: argparse._ArgumentGroup, policy: bool) -> None:
    group.add_argument(
        "--mem",
        type=memory_size,
        default=1 << 30,
        metavar="SIZE",
        help="physical memory, such as 64M or 2G (default 1G); host memory is used as the guest "
        "touches it",
    )
    if policy:
        group.add_argument(
            "--fork-policy",
            choices=tuple(POLICIES),
            default="cow",
            help="how fork copies or shares memory (default cow)",
        )
        group.add_argument(
            "--lab",
            metavar="DIR",
            help="replace kernel components with the student's code in DIR; implies --check",
        )
    else:
        group.set_defaults(lab=None)
    group.add_argument(
        "--fault-around",
        type=_window,
        default=DEFAULT_SIZE,
        metavar="SIZE",
        help="range around a read fault on a file or on shared memory in which cached pages are "
        "mapped too, from 4K, for the page alone, to 2M (default 64K; with --lab always 4K)",
    )
    group.add_argument(
        "--thp",
        choices=[mode.value for mode in Thp],
        default=Thp.MADVISE,
        help="memory that gets transparent huge pages of 2 MiB: none, that with MADV_HUGEPAGE, or "
        "all (default madvise; with --lab always never)",
    )
    group.add_argument(
        "--thp-cow",
        choices=[size.value for size in ThpCow],
        default=ThpCow.PAGE,
        help="what a store to a shared huge page copies: its page of 4 KiB, after a split, or the "
        "huge page, as Linux before 5.8 (default page)",
    )
    group.add_argument(
        "--hugetlb",
        type=count_or_zero,
        default=0,
        metavar="N",
        help="number of huge pages of 2 MiB in the pool for MAP_HUGETLB (default 0)",
    )
    group.add_argument(
        "--deterministic",
        action="store_true",
        help="fixed random seed and virtual clock: repeated runs are identical",
    )
    group.add_argument(
        "--expose-frames",
        action="store_true",
        help="show frame numbers in the guest's /proc/PID/pagemap, as Linux does to root",
    )
    group.add_argument(
        "--check",
        action="store_true",
        help="check the invariants of the kernel's memory at every return to the program",
    )
    group.add_argument(
        "--fail-alloc",
        type=count,
        default=0,
        metavar="N",
        help="make the Nth frame allocation fail, to test out-of-memory handling",
    )


def _add_view(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--env",
        action="append",
        type=_variable,
        default=[],
        metavar="NAME=VALUE",
        help="set a variable of the guest's environment; NAME alone copies it from yours",
    )
    group.add_argument(
        "--cwd",
        type=_directory,
        metavar="DIR",
        help="initial directory of the guest, which may read it; with --root a path in the root",
    )
    group.add_argument(
        "--root",
        type=_directory,
        metavar="DIR",
        help="directory to use as the guest's /, also when looking for PROG; writes stay in memory",
    )
    group.add_argument(
        "--ro",
        action="append",
        type=_grant,
        default=[],
        metavar="DIR[:GUEST]",
        help="file or directory that the guest may read, at its own path or at GUEST",
    )
    group.add_argument(
        "--rw",
        action="append",
        type=_grant,
        default=[],
        metavar="DIR[:GUEST]",
        help="directory that the guest may also write to, at its own path or at GUEST",
    )
    group.add_argument(
        "--user",
        type=user_and_group,
        metavar="UID[:GID]",
        help="user and group of the guest's first process (default: yours; GID as UID); files of "
        "the host remain as accessible as they are to you",
    )
    group.add_argument(
        "--publish",
        action="append",
        type=published_port,
        default=[],
        metavar="[ADDR:]PORT:GUESTPORT",
        help="let programs of the host connect to TCP port GUESTPORT of the guest at PORT (0: any "
        "that is free, which is reported) of ADDR (default 127.0.0.1)",
    )


def _add_limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="end all guests after this time, with status 124",
    )
    group.add_argument(
        "--exit-with-main",
        action="store_true",
        help="end all guests when PROG ends, instead of waiting for the processes that it left",
    )
    group.add_argument(
        "--max-procs",
        type=count,
        default=4096,
        metavar="N",
        help="maximum number of processes and threads, beyond which fork and clone fail "
        "(default 4096)",
    )
    group.add_argument(
        "--kernel-memory",
        type=memory_size,
        metavar="SIZE",
        help="maximum size of kernel data of the guests, which is not in frames: processes, "
        "mappings, open files, bytes in pipes and sockets (default a quarter of --mem, at least "
        "16M)",
    )


def guest_options(arguments: argparse.Namespace) -> Options:
    """Converts the command line's options to the machine's."""
    return Options(
        memory=arguments.mem,
        kernel_memory=arguments.kernel_memory,
        fork_policy=arguments.fork_policy,
        fault_around=arguments.fault_around,
        thp=arguments.thp,
        hugetlb=_pool_size(arguments),
        thp_cow=arguments.thp_cow,
        max_processes=arguments.max_procs,
        deterministic=arguments.deterministic,
        exit_with_main=arguments.exit_with_main,
        fail_allocation=arguments.fail_alloc,
        expose_frames=arguments.expose_frames,
        check=arguments.check or arguments.lab is not None,
        timeout=arguments.timeout,
        environment=_environment(arguments.env),
        cwd=arguments.cwd,
        user=arguments.user,
        publish=arguments.publish,
        root=arguments.root,
        read_only=arguments.ro,
        read_write=arguments.rw,
    )


def _pool_size(arguments: argparse.Namespace) -> int:
    """The number of huge pages of the pool, which must leave some memory for all else."""
    if arguments.hugetlb and arguments.lab is not None:
        raise CommandError("--hugetlb: not supported with --lab")
    if arguments.hugetlb and (arguments.hugetlb + 1) * HUGE_SIZE > arguments.mem:
        most = arguments.mem // HUGE_SIZE - 1
        raise CommandError(
            f"--hugetlb: {arguments.hugetlb} huge pages of 2 MiB do not fit in --mem "
            f"(expected at most {most})"
        )
    return int(arguments.hugetlb)


_INHERITED = ("TERM", "LANG", "LC_ALL", "TZ", "COLUMNS", "LINES", "NO_COLOR")
_DEFAULTS = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    "SHELL": "/bin/sh",
}


def _environment(given: list[str]) -> dict[str, str]:
    """A small environment that reveals nothing about the host, with the ``given`` variables."""
    environment = dict(_DEFAULTS)
    environment |= {name: os.environ[name] for name in _INHERITED if name in os.environ}
    for text in given:
        name, equals, value = text.partition("=")
        if equals:
            environment[name] = value
        elif name in os.environ:
            environment[name] = os.environ[name]
    return environment


def _directory(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("empty name of a directory")
    return text


def _grant(text: str) -> tuple[str, str]:
    host, _, guest = text.partition(":")
    if not host:
        raise argparse.ArgumentTypeError(f"{text!r}: no host path (expected DIR[:GUEST])")
    if guest and not guest.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r}: the guest's path must be absolute")
    try:
        return host, os.path.abspath(guest or host)
    except FileNotFoundError:
        raise argparse.ArgumentTypeError(f"{text!r}: {NO_CURRENT_DIRECTORY}") from None


def _window(text: str) -> int:
    size = int(text[:-1], 10) * UNITS[text[-1].lower()] if _WINDOW.fullmatch(text) else 0
    if not is_window(size):
        raise argparse.ArgumentTypeError(f"{text!r}: not a window (expected 4K, 8K … or 2M)")
    return size


def _variable(text: str) -> str:
    if not text.partition("=")[0]:
        raise argparse.ArgumentTypeError(f"{text!r}: missing variable name (expected NAME=VALUE)")
    return text


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: not a number of seconds") from None
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(
            f"{text!r}: out of range (expected more than 0 s, less than 1e9 s)"
        )
    return value
