"""``emu walk``: draws how an address is translated, in a program or in an image of memory."""

from __future__ import annotations

import argparse
import os
from typing import Any

from emu.cli.support.guest_options import add_guest_options, count, memory_size
from emu.cli.support.guest_run import CommandFailed, open_session, run_session
from emu.cli.support.message_stream import Lines
from emu.machine.cause import Access
from emu.machine.pte import MODE_BARE, MODE_SV39, PAGE_MASK, PAGE_SHIFT, VA_MASK, make_satp
from emu.machine.ram import BASE, NoHostMemory, Ram
from emu.machine.sv39 import Mmu, Privilege
from emu.observe.symbols.address_expression import parse_address, parse_number
from emu.observe.walk.drawing import draw_walk, take_walk

_NOT_REACHED = 1
_USAGE = 2
_ACCESSES = {access.name.lower(): access for access in Access}


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "walk",
        allow_abbrev=False,
        conflict_handler="resolve",
        help="draw the page-table walk of an address",
        description="Runs a program to a place and draws how an address is translated there: satp, "
        "the indices, each page-table entry, and the physical address or the rule that was broken. "
        "The drawing goes to standard output; what the program writes to its own goes to standard "
        "error. The run ends with the drawing: status 0, or 1 when the place was never reached. "
        "Without PROG it reads an image of physical memory instead.",
        epilog="ADDRESS is a number (0x... or decimal), a register (sp, a0, pc, as it is then) or "
        "a symbol of PROG, or of its interpreter and libraries once they are loaded; the last two "
        "may have an offset: sp+16, table+0x1000.",
    )
    parser.usage = (
        "emu walk [OPTIONS] PROG --at SYMBOL|PC|exit ADDRESS [ARGS...]\n"
        "       emu walk (--satp VALUE | --root PPN) --mem FILE [OPTIONS] ADDRESS"
    )
    parser.add_argument(
        "--access",
        choices=tuple(_ACCESSES),
        default="load",
        help="the access that is to be translated (default load)",
    )
    add_guest_options(parser, needed=False)
    parser.add_argument("address", metavar="ADDRESS", nargs="?")
    _add_place(parser.add_argument_group("in a program"))
    _add_image(parser.add_argument_group("in an image of physical memory"))
    _add_shared_names(parser)
    parser.set_defaults(function=walk, guest=2, trailing=True)


def _add_place(group: Any) -> None:
    group.add_argument(
        "--at",
        metavar="PLACE",
        help="where to draw: before the instruction at a symbol (or symbol+OFFSET) or at a "
        "pc in hex; or at the exit of a process, while its memory is still there",
    )
    group.add_argument(
        "--pid", type=count, metavar="N", help="the process (default: the first that is there)"
    )
    group.add_argument(
        "--hit", type=count, default=1, metavar="N", help="the Nth time that it is there"
    )


def _add_image(group: Any) -> None:
    group.add_argument("--satp", metavar="VALUE", help="the whole register, mode and all")
    group.add_argument(
        "--base", metavar="ADDRESS", help="of the file's first byte (default 0x80000000)"
    )
    group.add_argument(
        "--supervisor", action="store_true", help="translate for S-mode instead of U-mode"
    )
    group.add_argument("--sum", action="store_true", help="sstatus.SUM: S-mode may use U pages")
    group.add_argument("--mxr", action="store_true", help="sstatus.MXR: X pages are readable")
    group.add_argument(
        "--svade", action="store_true", help="a clear A or D bit is a fault instead of being set"
    )


def _add_shared_names(parser: argparse.ArgumentParser) -> None:
    """Options that mean one thing with PROG and another with an image."""
    parser.add_argument(
        "--mem",
        metavar="SIZE|FILE",
        help="with PROG its physical memory (default 1G), without it the image",
    )
    parser.add_argument(
        "--root",
        metavar="DIR|PPN",
        help="with PROG the guest's /, without it the root table: its page number or address",
    )


def walk(arguments: argparse.Namespace) -> int:
    """Draws; the status of the command."""
    lines = Lines()
    access = _ACCESSES[arguments.access]
    in_image = arguments.satp is not None or (arguments.root is not None and arguments.at is None)
    ended = 0
    try:
        if in_image:
            drawing = draw_in_image(arguments, access)
        else:
            drawing, ended = _draw_in_program(arguments, access, lines)
    except ValueError as error:
        lines.message(str(error))
        return _USAGE
    except CommandFailed as failure:
        return failure.status
    for line in drawing:
        print(line)
    return ended


def _draw_in_program(
    arguments: argparse.Namespace, access: Access, lines: Lines
) -> tuple[list[str], int]:
    """Returns the drawing, and the exit status of a run that the user ended, else 0.

    Raises ValueError for an invalid address and NotRun when there is nothing to draw.
    """
    from emu.observe.walk.at_breakpoint import WalkAt

    if arguments.program is None or arguments.address is None or arguments.at is None:
        raise ValueError("walk wants PROG, --at PLACE and ADDRESS (see emu walk --help)")
    arguments.mem = _memory(arguments.mem)
    at = None if arguments.at == "exit" else parse_address(arguments.at, hexadecimal=True)
    address = parse_address(arguments.address)
    if at is not None and at.register is not None:
        raise ValueError(f"--at {at.text} is a register, not a place in the program")
    if at is None and address.register is not None:
        raise ValueError(f"{address.text} is a register, which a process that exits has no more")
    session = open_session(arguments, lines)
    observer = WalkAt(at, address, access, arguments.pid, arguments.hit, session.kernel)
    session.console.use_host(1, 2)
    status = run_session(session, [observer], lines)
    if observer.refused:
        raise CommandFailed(status)
    ended = status if session.ended_by and status == 128 + session.ended_by else 0
    if ended and not observer.lines:
        raise CommandFailed(ended)
    if not observer.lines:
        if observer.missing and not observer.hits:
            lines.message(f"{observer.missing}, and it was not come to in what it loaded")
        else:
            lines.message(_not_reached(arguments, observer.hits))
        raise CommandFailed(_NOT_REACHED)
    return observer.lines, ended


def _memory(text: str | None) -> int:
    try:
        return memory_size(text or "1G")
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"--mem: {error}") from None


def _not_reached(arguments: argparse.Namespace, hits: dict[int, int]) -> str:
    who = "no process" if arguments.pid is None else f"pid {arguments.pid} never"
    what = "came to its exit" if arguments.at == "exit" else f"came to {arguments.at}"
    times = f" {arguments.hit} times" if arguments.hit > 1 else ""
    seen = ", ".join(f"pid {pid}: {n}" for pid, n in sorted(hits.items()))
    return f"{who} {what}{times}" + (f" (it was reached by {seen})" if seen else "")


_RSW0 = "(the supervisor's own)"


def draw_in_image(arguments: argparse.Namespace, access: Access) -> list[str]:
    """The drawing for ``--satp``, ``--root``, ``--base`` and so on. ValueError when it can't be."""
    if arguments.address is not None:
        raise ValueError("--satp and --root draw in an image: ADDRESS is all there is to name")
    if arguments.program is None or arguments.mem is None:
        missing = "ADDRESS" if arguments.program is None else "--mem FILE"
        raise ValueError(f"a walk in an image wants {missing} (see emu walk --help)")
    if arguments.satp is not None and arguments.root is not None:
        raise ValueError("--satp and --root: one of them says where the root table is")
    va = parse_number(arguments.program)
    base = BASE if arguments.base is None else parse_number(arguments.base)
    if base & PAGE_MASK:
        raise ValueError(f"--base {base:#x} is not a multiple of 4096")
    mmu = Mmu(_read_image(arguments.mem, base))
    mmu.satp = _satp(arguments, mmu.ram)
    mmu.privilege = Privilege.SUPERVISOR if arguments.supervisor else Privilege.USER
    mmu.sum, mmu.mxr, mmu.svade = arguments.sum, arguments.mxr, arguments.svade
    who = f"in {'S' if arguments.supervisor else 'U'}-mode"
    return draw_walk(take_walk(mmu, va, access), who=who, rsw0=_RSW0)


def _read_image(path: str, base: int) -> Ram:
    """Physical memory that is the file's bytes and no more."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size or size % 8:
                raise ValueError(f"{path} has {size} bytes, which is no number of 8-byte words")
            if base + size > VA_MASK:
                raise ValueError(f"{path} would reach beyond the last address")
            ram = Ram((size + PAGE_MASK) & ~PAGE_MASK, base)
            file.readinto(ram.bytes)
            ram.end = base + size
            return ram
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except NoHostMemory as error:
        raise ValueError(str(error)) from None


def _satp(arguments: argparse.Namespace, ram: Ram) -> int:
    if arguments.satp is not None:
        satp = parse_number(arguments.satp)
        if satp >> 60 not in (MODE_BARE, MODE_SV39):
            raise ValueError(f"--satp {satp:#x} has mode {satp >> 60}; only 8 (Sv39) and 0 (Bare)")
        return satp
    root = parse_number(arguments.root)
    if not root & PAGE_MASK and ram.holds(root):
        root >>= PAGE_SHIFT
    if not ram.holds(root << PAGE_SHIFT):
        raise ValueError(f"--root {root:#x} is no page of the image, by number or by address")
    return make_satp(root)
