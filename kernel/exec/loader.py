"""Loading a program: the new image of execve(2).

Segments become VMAs backed by the page cache, so pages are read on first access and all processes
that run a program share its text. The image is complete before the old one is released, so that a
failing execve leaves its caller unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from emu.machine.pte import PAGE_SIZE, VA_MASK
from kernel.base.errno import ELIBBAD, ELOOP
from kernel.base.errors import Errno
from kernel.base.resource_limits import Resource
from kernel.exec import elf, initial_stack
from kernel.exec.elf import PF_R, PF_W, PF_X, Elf, InterpreterMissing, NotExecutable
from kernel.exec.initial_stack import Request
from kernel.mm.address_space import UNOBSERVED, AddressSpace
from kernel.mm.faults.user_memory import UserMemory
from kernel.mm.mappings.huge_policy import HugePages, Thp, ThpCow
from kernel.mm.mappings.image_layout import ImageLayout
from kernel.mm.mappings.vma import LOWEST, USER_END, Prot, Vma, page_down, page_up
from kernel.process.process import Program
from kernel.vfs.core.inode import Inode
from kernel.vfs.names.open import open_for_exec

if TYPE_CHECKING:
    from kernel.base.resource_limits import Limits
    from kernel.config import Config
    from kernel.process.state import KernelState
    from kernel.vfs.names.fs_context import FsContext

PIE_BASE = 0x2A_AAAA_A000
"""Base of position-independent programs: two thirds up, as in Linux without randomisation."""
STACK_TOP = USER_END - PAGE_SIZE
_INITIAL_STACK = 33 * PAGE_SIZE
_LARGEST_STACK_GAP = 1 << 36
_MOST_SCRIPTS = 5
_HEAD = 256


@dataclass(slots=True)
class Image:
    """A new address space, with the initial pc and sp."""

    space: AddressSpace
    entry: int
    sp: int
    sigreturn: int
    program: Program

    def discard(self) -> None:
        """Releases an image that is not run."""
        self.space.leave()
        self.program.words.release()


class _Placed(NamedTuple):
    base: int
    end: int


def load(kernel: KernelState, fs: FsContext, limits: Limits, request: Request) -> Image:
    """Loads the program of ``request``; raises Errno or OutOfMemory."""
    name = request.path
    inode, path, program = _find(fs, request)
    interpreter = _find_interpreter(fs, program) if program.interpreter else None
    space = kernel.parts.space(kernel.frames, kernel.new_asid(), kernel.hart.flush_tlb)
    space.observer = kernel.observer or UNOBSERVED
    if kernel.parts.pager is not None:
        space.pager = kernel.parts.pager
    space.inherits_all = kernel.parts.by_single_page
    if not kernel.parts.by_single_page:
        space.fault_around = kernel.config.fault_around
        space.set_huge_pages(_huge_pages(kernel.config))
    try:
        memory = kernel.parts.user_memory(space, kernel.record_fault)
        space.limits = limits
        space.stack_limit = min(limits.soft(Resource.STACK), _LARGEST_STACK_GAP)
        _add_stack(space, program.executable_stack)
        sigreturn = _add_sigreturn_page(kernel, space)
        placed = _place(kernel, space, memory, inode, path, program)
        entry = program.entry + placed.base & VA_MASK
        linker = None
        if interpreter is not None:
            linker_inode, linker_path, linker_elf = interpreter
            linker = _place(kernel, space, memory, linker_inode, linker_path, linker_elf)
            entry = linker_elf.entry + linker.base & VA_MASK
        space.brk_start = space.brk = page_up(placed.end)
        layout = initial_stack.Layout(
            entry=program.entry + placed.base & VA_MASK,
            headers=program.header_address + placed.base & VA_MASK if program.header_address else 0,
            header_count=program.header_count,
            linker_base=linker.base if linker else 0,
            file_name=name,
        )
        described = Program(inode, path).renamed(name.rpartition("/")[2][:15])
        sp, strings = initial_stack.build(kernel, memory, STACK_TOP, request, layout, described)
        space.image = _layout_of(program, placed.base, sp, strings, described)
    except BaseException:
        space.leave()
        raise
    return Image(space, entry, sp, sigreturn, described)


def _huge_pages(config: Config) -> HugePages:
    return HugePages(True, Thp(config.thp), ThpCow(config.thp_cow))


def _layout_of(
    elf_file: Elf, base: int, sp: int, arguments: int, described: Program
) -> ImageLayout:
    """The addresses that /proc/PID/stat shows, as Linux's ELF loader computes them."""
    parts = [(s.address + base, s.file_size, s.flags) for s in elf_file.segments]
    code = [(start, size) for start, size, flags in parts if flags & PF_X]
    environment = arguments + len(described.arguments)
    return ImageLayout(
        code_start=min((start for start, _ in code), default=0),
        code_end=max((start + size for start, size in code), default=0),
        data_start=max((start for start, _, _ in parts), default=0),
        data_end=max((start + size for start, size, _ in parts), default=0),
        stack_start=sp,
        arguments_start=arguments,
        arguments_end=environment,
        environment_start=environment,
        environment_end=environment + len(described.environment),
    )


def _find(fs: FsContext, request: Request) -> tuple[Inode, str, Elf]:
    """Follows ``#!`` lines until an ELF file is found."""
    for depth in range(_MOST_SCRIPTS):
        try:
            inode, path = open_for_exec(fs, request.path)
        except Errno as error:
            if depth == 0:
                raise
            raise InterpreterMissing(request.path, error.errno) from None
        head = inode.read_at(0, _HEAD)
        if not head.startswith(b"#!"):
            return inode, path, elf.parse(inode, head)
        line = head[2:].split(b"\n")[0].split(b"\0")[0]
        if len(line) == _HEAD - 2 and not line.strip(b" \t").count(b" "):
            raise NotExecutable("the name of its interpreter is too long")
        words = line.strip(b" \t\r").split(None, 1)
        if not words:
            raise NotExecutable("it begins with #! but names no interpreter")
        option = [words[1].strip(b" \t")] if len(words) > 1 else []
        given = request.path.encode("utf-8", "surrogateescape")
        request.arguments[:1] = [words[0], *option, given]
        request.path = words[0].decode("utf-8", "surrogateescape")
    raise Errno(ELOOP)


def _find_interpreter(fs: FsContext, program: Elf) -> tuple[Inode, str, Elf]:
    name = program.interpreter
    assert name is not None
    try:
        inode, path = open_for_exec(fs, name)
    except Errno as error:
        raise InterpreterMissing(name, error.errno) from None
    try:
        return inode, path, elf.parse(inode, inode.read_at(0, _HEAD))
    except NotExecutable as error:
        raise NotExecutable(f"its interpreter {name}: {error}", ELIBBAD) from None


def _place(
    kernel: KernelState,
    space: AddressSpace,
    memory: UserMemory,
    inode: Inode,
    path: str,
    program: Elf,
) -> _Placed:
    """Maps the segments, and returns their place."""
    length = page_up(program.end) - page_down(program.start)
    if not program.position_independent:
        base = 0
    elif program.interpreter is not None or not space.overlapping(PIE_BASE, PIE_BASE + length):
        base = PIE_BASE - page_down(program.start)
    else:
        base = space.find_gap(length) - page_down(program.start)
    for segment in sorted(program.segments, key=lambda s: s.address):
        _map_segment(kernel, space, memory, inode, path, segment, base)
    return _Placed(base, program.end + base)


def _map_segment(
    kernel: KernelState,
    space: AddressSpace,
    memory: UserMemory,
    inode: Inode,
    path: str,
    segment: elf.Segment,
    base: int,
) -> None:
    if not segment.size:
        return
    prot = _prot(segment.flags)
    address = segment.address + base
    start, end = page_down(address), page_up(address + segment.size)
    file_end = page_up(address + segment.file_size) if segment.file_size else start
    if start < LOWEST or end > USER_END - PAGE_SIZE or space.overlapping(start, end):
        raise NotExecutable("its segments overlap or lie outside the user's addresses")
    if file_end > start:
        pages = kernel.cache.pages_of(inode)
        offset = page_down(segment.offset)
        space.add(Vma(start, file_end, prot, backing=pages, offset=offset, name=path))
    if end > file_end:
        space.add(Vma(file_end, end, prot))
    tail = address + segment.file_size
    if segment.size > segment.file_size and tail < file_end:
        if not prot & Prot.WRITE:
            raise NotExecutable("a read-only segment has bytes that the file does not hold")
        try:
            memory.write(tail, bytes(file_end - tail))
        except Errno:
            raise NotExecutable("a segment lies beyond the end of the file") from None


def _prot(flags: int) -> Prot:
    prot = Prot.NONE
    if flags & PF_R:
        prot |= Prot.READ
    if flags & PF_W:
        prot |= Prot.WRITE
    if flags & PF_X:
        prot |= Prot.EXEC
    return prot


def _add_stack(space: AddressSpace, executable: bool) -> None:
    prot = Prot.READ | Prot.WRITE | (Prot.EXEC if executable else Prot.NONE)
    start = STACK_TOP - _INITIAL_STACK
    space.add(Vma(start, STACK_TOP, prot, name="[stack]", grows_down=True))
    gap = max(space.stack_limit, 128 << 20)
    space.mmap_top = page_down(STACK_TOP - min(gap, _LARGEST_STACK_GAP))


def _add_sigreturn_page(kernel: KernelState, space: AddressSpace) -> int:
    """Maps the code that a signal handler returns to; riscv64 has no SA_RESTORER."""
    start = space.mmap_top - PAGE_SIZE
    prot = Prot.READ | Prot.EXEC
    space.add(Vma(start, start + PAGE_SIZE, prot, backing=kernel.sigreturn_page, name="[vdso]"))
    space.mmap_top = start
    return start
