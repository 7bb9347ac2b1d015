"""The walk in an image of physical memory, such as a debugger or QEMU's ``pmemsave`` writes."""

from __future__ import annotations

import argparse
import os

from emu.machine.pte import MODE_BARE, MODE_SV39, PAGE_MASK, PAGE_SHIFT, VA_MASK, make_satp
from emu.machine.ram import BASE, NoHostMemory, Ram
from emu.machine.sv39 import Mmu, Privilege
from emu.machine.trap import Access
from emu.observe.addresses import parse_number
from emu.observe.walk_drawing import draw_walk, take_walk

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
