"""``emu walk``: draws how an address is translated, in a program or in an image of memory."""

from __future__ import annotations

import argparse
import os
from typing import Any, TypeVar

from emu.cli.support.guest_options import add_guest_options
from emu.cli.support.guest_run import open_session, run_session
from emu.cli.support.message_stream import MessageStream, as_command_error
from emu.cli.support.option_values import count, memory_size
from emu.errors import CannotRun, CommandError
from emu.machine.cause import Access
from emu.machine.pte import MODE_BARE, MODE_SV39, PAGE_MASK, PAGE_SHIFT, VA_MASK, make_satp
from emu.machine.ram import BASE, NoHostMemory, Ram
from emu.machine.sv39 import Mmu, Privilege
from emu.observe.symbols.address_expression import NamedAddress, parse_address, parse_number
from emu.observe.walk.drawing import draw_walk, take_walk

Parsed = TypeVar("Parsed")
_NOT_REACHED = 1
_ACCESSES = {access.name.lower(): access for access in Access}
_SEE_HELP = "see emu walk --help"


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "walk",
        allow_abbrev=False,
        conflict_handler="resolve",
        help="draw the page-table walk of an address",
        description="Runs a program to a given instruction and draws how an address is translated "
        "there: satp, the indices, each page-table entry, and the physical address or the rule "
        "that the access breaks. The drawing goes to standard output, the program's standard "
        "output to standard error. The run ends with the drawing: status 0, or 1 when the "
        "instruction was never reached. Without PROG the tables are read from an image of physical "
        "memory.",
        epilog="ADDRESS is a number (0x... or decimal), a register (sp, a0, pc: its value at that "
        "instruction) or a symbol of PROG, or of its interpreter and libraries once they are "
        "loaded; a register or symbol may have an offset: sp+16, table+0x1000.",
    )
    parser.usage = (
        "emu walk [OPTIONS] PROG --at SYMBOL|PC|exit ADDRESS [ARGS...]\n"
        "       emu walk (--satp VALUE | --root PPN) --mem FILE [OPTIONS] ADDRESS"
    )
    parser.add_argument(
        "--access",
        choices=tuple(_ACCESSES),
        default="load",
        help="the access to translate (default load)",
    )
    _add_place(parser.add_argument_group("in a program"))
    _add_image(parser.add_argument_group("in an image of physical memory"))
    add_guest_options(parser, required=False)
    parser.add_argument("address", metavar="ADDRESS", nargs="?", help="the address to translate")
    _add_shared_names(parser)
    parser.set_defaults(function=walk, guest=2, trailing=True)


def _add_place(group: Any) -> None:
    group.add_argument(
        "--at",
        metavar="PLACE",
        help="where to stop: before the instruction at a symbol (or symbol+OFFSET) or at a "
        "pc in hexadecimal; or at the exit of a process, while its memory still exists",
    )
    group.add_argument(
        "--pid", type=count, metavar="N", help="the process (default: the first that gets there)"
    )
    group.add_argument(
        "--hit", type=count, default=1, metavar="N", help="stop at the Nth time (default 1)"
    )


def _add_image(group: Any) -> None:
    group.add_argument("--satp", metavar="VALUE", help="the value of satp, with its mode")
    group.add_argument(
        "--base",
        metavar="ADDRESS",
        help="physical address of the first byte of the file (default 0x80000000)",
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
    """Redefines options whose meaning with an image differs from that with PROG."""
    parser.add_argument(
        "--mem",
        metavar="SIZE|FILE",
        help="with PROG the size of physical memory (default 1G), without it the image",
    )
    parser.add_argument(
        "--root",
        metavar="DIR|PPN",
        help="with PROG the guest's /, without it the root table: its page number or address",
    )


def walk(arguments: argparse.Namespace) -> int:
    """Prints the drawing; returns the exit status."""
    access = _ACCESSES[arguments.access]
    in_image = arguments.satp is not None or (arguments.root is not None and arguments.at is None)
    if in_image:
        drawing, status = draw_in_image(arguments, access), 0
    else:
        drawing, status = _draw_in_program(arguments, access, MessageStream())
    for line in drawing:
        print(line)
    return status


def _draw_in_program(
    arguments: argparse.Namespace, access: Access, messages: MessageStream
) -> tuple[list[str], int]:
    """The drawing and the exit status. Raises :class:`CommandError` if it was never drawn."""
    from emu.observe.walk.at_breakpoint import WalkAt

    at, address = _parse_place(arguments)
    session = open_session(arguments, messages)
    observer = WalkAt(at, address, access, arguments.pid, arguments.hit, session.kernel)
    session.console.use_host(1, 2)
    status = run_session(session, [observer], messages)
    ended = bool(session.ended_by) and status == 128 + session.ended_by
    if ended or observer.refused:
        return observer.lines, status
    if observer.lines:
        return observer.lines, 0
    if observer.missing and not observer.hits:
        raise CannotRun(
            f"{observer.missing}; files mapped later do not have it either", _NOT_REACHED
        )
    raise CommandError(_not_reached(arguments, observer.hits), _NOT_REACHED)


def _parse_place(arguments: argparse.Namespace) -> tuple[NamedAddress | None, NamedAddress]:
    """The place to stop, None for an exit, and the address to translate. Raises CommandError."""
    if arguments.program is None or arguments.address is None or arguments.at is None:
        raise CommandError(f"walk: missing argument (expected PROG, --at and ADDRESS; {_SEE_HELP})")
    arguments.mem = _memory(arguments.mem)
    at_exit = arguments.at == "exit"
    at = None if at_exit else parse_address(arguments.at, hexadecimal=True)
    address = parse_address(arguments.address)
    if at is not None and at.register is not None:
        raise CommandError(f"--at {at.text}: is a register (expected a symbol, a pc or exit)")
    if at_exit and address.register is not None:
        raise CommandError(f"{address.text}: registers are not available after exit")
    return at, address


def _memory(text: str | None) -> int:
    try:
        return memory_size(text or "1G")
    except argparse.ArgumentTypeError as error:
        raise CommandError(f"--mem: {error}") from None


def _not_reached(arguments: argparse.Namespace, hits: dict[int, int]) -> str:
    subject = "no process" if arguments.pid is None else f"pid {arguments.pid} never"
    place = "its exit" if arguments.at == "exit" else arguments.at
    times = f" {arguments.hit} times" if arguments.hit > 1 else ""
    counts = ", ".join(f"pid {pid}: {n}" for pid, n in sorted(hits.items()))
    return f"{subject} reached {place}{times}" + (
        f" (it was reached by {counts})" if counts else ""
    )


_RSW0 = "(the supervisor's own)"


def draw_in_image(arguments: argparse.Namespace, access: Access) -> list[str]:
    """The drawing for ``--satp``, ``--root``, ``--base`` and so on. Raises CommandError."""
    if arguments.address is not None:
        raise CommandError(
            f"{arguments.address}: unexpected argument (a walk in an image takes ADDRESS only)"
        )
    if arguments.program is None or arguments.mem is None:
        missing = "ADDRESS" if arguments.program is None else "--mem FILE"
        raise CommandError(f"walk in an image: missing argument (expected {missing}; {_SEE_HELP})")
    if arguments.satp is not None and arguments.root is not None:
        raise CommandError("--satp: not allowed with --root")
    va = parse_number(arguments.program)
    base = BASE if arguments.base is None else parse_number(arguments.base)
    if base & PAGE_MASK:
        raise CommandError(f"--base {base:#x}: not a multiple of 4096")
    mmu = Mmu(_read_image(arguments.mem, base))
    mmu.satp = _satp(arguments, mmu.ram)
    mmu.privilege = Privilege.SUPERVISOR if arguments.supervisor else Privilege.USER
    mmu.sum, mmu.mxr, mmu.svade = arguments.sum, arguments.mxr, arguments.svade
    who = f"in {'S' if arguments.supervisor else 'U'}-mode"
    return draw_walk(take_walk(mmu, va, access), who=who, rsw0=_RSW0)


def _read_image(path: str, base: int) -> Ram:
    """Physical memory that consists of the file's bytes."""
    with as_command_error(path), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size or size % 8:
            raise CommandError(f"{path}: size is not a positive multiple of 8 ({size} bytes)")
        if base + size > VA_MASK:
            raise CommandError(f"{path}: image ends beyond the last address")
        try:
            ram = Ram((size + PAGE_MASK) & ~PAGE_MASK, base)
        except NoHostMemory as error:
            raise CommandError(str(error)) from None
        file.readinto(ram.bytes)
        ram.end = base + size
        return ram


def _satp(arguments: argparse.Namespace, ram: Ram) -> int:
    if arguments.satp is not None:
        satp = parse_number(arguments.satp)
        if satp >> 60 not in (MODE_BARE, MODE_SV39):
            raise CommandError(
                f"--satp {satp:#x}: unsupported mode {satp >> 60} (expected 8, Sv39, or 0, Bare)"
            )
        return satp
    root = parse_number(arguments.root)
    if not root & PAGE_MASK and ram.holds(root):
        root >>= PAGE_SHIFT
    if not ram.holds(root << PAGE_SHIFT):
        raise CommandError(
            f"--root {root:#x}: not in the image (expected a page number or an address)"
        )
    return make_satp(root)
