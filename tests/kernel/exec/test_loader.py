"""Is a program loaded as in execve(2), and any other file refused with a reason?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from emu.machine.pte import PAGE_SIZE
from kernel.base.errors import Errno, OutOfMemory
from kernel.base.resource_limits import INFINITY, Limits, Resource
from kernel.config import Config
from kernel.exec.elf import NotExecutable
from kernel.exec.initial_stack import Request
from kernel.exec.loader import Image, load
from kernel.kernel import Kernel
from kernel.mm.mappings.vma import USER_END, Prot
from kernel.mm.physical.frames import Kind
from kernel.vfs.memfs.memfs import MemFs
from kernel.vfs.names.fs_context import FsContext
from kernel.vfs.names.namespace import Namespace
from tests.kernel import elves
from tests.kernel.elves import CODE, PT_INTERP, PT_PHDR, PT_STACK, File, Segment, W, X
from tests.kernel.fakes import ROOT
from tests.kernel.worlds import user_memory

P = PAGE_SIZE
HUGE = (1 << 64) - 1


class Loading:
    """A kernel without processes, and a file system in memory with programs."""

    def __init__(self) -> None:
        self.kernel = Kernel(Config(memory=4 << 20, deterministic=True), lambda line: None)
        self.root = MemFs(owner=ROOT).root
        self.fs = FsContext(namespace := Namespace(self.root), namespace.root, 0o022, ROOT)
        self.limits = Limits()

    def put(self, name: str, content: bytes | File, mode: int = 0o755) -> None:
        if isinstance(content, File):
            content = content.encode()
        with suppress(Errno):
            self.root.unlink(name)
        self.root.create(name, mode).write_file(0, content)

    def load(self, name: str = "/prog", *arguments: bytes, env: list[bytes] | None = None) -> Image:
        words = [name.encode(), *arguments]
        return load(self.kernel, self.fs, self.limits, Request(name, words, env or []))

    def leaks(self) -> int:
        """Frames in use beside the zero frame and the sigreturn page."""
        while self.kernel.cache.reclaim():
            pass
        return self.kernel.frames.used - 2


@pytest.fixture
def at() -> Iterator[Loading]:
    loading = Loading()
    yield loading
    assert loading.leaks() == 0


def refusal(at: Loading, file: File | bytes, name: str = "/prog") -> Errno:
    at.put("prog", file)
    with pytest.raises(Errno) as caught:
        at.load(name)
    return caught.value


# Refused files.


@pytest.mark.parametrize(
    "header, reason",
    [
        ({"ident": b"\x7fELG\x02\x01\x01".ljust(16, b"\0")}, "not an ELF file"),
        ({"ident": b"\x7fELF\x01\x01\x01".ljust(16, b"\0")}, "64-bit"),
        ({"ident": b"\x7fELF\x02\x02\x01".ljust(16, b"\0")}, "little-endian"),
        ({"ident": b"\x7fELF\x02\x01\x09".ljust(16, b"\0")}, "version"),
        ({"machine": 62}, "another architecture"),
        ({"type": 1}, "not an executable"),
        ({"type": 4}, "not an executable"),
        ({"flags": 8}, "RV64E"),
        ({"phentsize": 32}, "program headers have 32 bytes"),
        ({"phnum": 0}, "0 program headers"),
        ({"phnum": 65535}, "65535 program headers"),
        ({"phoff": 0x2FFF}, "beyond the end"),
        ({"phoff": 1 << 63}, "beyond the end"),
        ({"phoff": HUGE}, "beyond the end"),
    ],
)
def test_a_header_that_lies(at: Loading, header: dict[str, Any], reason: str) -> None:
    error = refusal(at, File(header=header))
    assert isinstance(error, NotExecutable) and reason in error.reason


@pytest.mark.parametrize(
    "segments",
    [
        [Segment(type=4)],
        [Segment(file_size=0x2000, size=0x1000)],
        [Segment(size=HUGE)],
        [Segment(address=HUGE & ~0xFFF)],
        [Segment(address=USER_END)],
        [Segment(address=USER_END - P, size=2 * P)],
        [Segment(address=USER_END - 34 * P, size=P)],
        [Segment(offset=HUGE & ~0xFFF)],
        [Segment(offset=(1 << 62) - P, file_size=1 << 62, size=1 << 62)],
        [Segment(offset=8)],
        [Segment(address=0)],
        [Segment(), Segment()],
        [Segment(size=0x2000, file_size=0x10)],
        [Segment(), Segment(address=CODE + 0x800, offset=0x800, file_size=16, size=16)],
        [Segment(flags=elves.R | W, offset=0x8000, size=0x2000, file_size=0x800)],
        [Segment(), Segment(PT_INTERP, file_size=0, offset=0x900)],
        [Segment(), Segment(PT_INTERP, file_size=1 << 40, offset=0x900)],
        [Segment(), Segment(PT_INTERP, file_size=5, offset=HUGE)],
        [Segment(), Segment(PT_INTERP, file_size=5, offset=0x7FFFFF)],
        [Segment(), Segment(PT_INTERP, file_size=5, offset=0x800)],
    ],
    ids=lambda segments: str(segments)[-60:],
)
@pytest.mark.parametrize("kind", [2, 3])
def test_segments_that_lie(at: Loading, segments: list[Segment], kind: int) -> None:
    if kind == 3 and segments[0].address in (0, USER_END - 34 * P):
        return  # a position-independent program is moved to where it fits
    refusal(at, File(segments, header={"type": kind}))


def test_a_position_independent_program_of_any_address_is_moved(at: Loading) -> None:
    for address in (0, CODE, 1 << 37):
        at.put("prog", File([Segment(address=address)], header={"type": 3, "entry": address}))
        image = at.load()
        assert image.entry & 0xFFF == 0 and image.space.find(image.entry)
        image.space.leave()


@pytest.mark.parametrize("entry", [0, 1, USER_END, 1 << 63, HUGE])
@pytest.mark.parametrize("kind", [2, 3])
def test_an_entry_outside_is_the_programs_own_fault(at: Loading, entry: int, kind: int) -> None:
    at.put(
        "prog",
        File([Segment(), Segment(PT_PHDR, address=HUGE)], header={"type": kind, "entry": entry}),
    )
    image = at.load()
    assert 0 <= image.entry < 1 << 64
    image.space.leave()


def test_a_truncated_file_at_every_length(at: Loading) -> None:
    whole = File().encode()
    for length in [*range(130), 0x7FF, 0x1000]:
        at.put("prog", whole[:length])
        try:
            at.load().space.leave()
            assert length >= 120
        except Errno:
            assert length < 120


# Scripts.


@pytest.mark.parametrize(
    "line, words",
    [
        (b"#!/prog\n", [b"/prog", b"/script", b"x"]),
        (b"#! /prog\t one  two \nbody", [b"/prog", b"one  two", b"/script", b"x"]),
        (b"#!/prog", [b"/prog", b"/script", b"x"]),
        (b"#!/prog\r\n", [b"/prog", b"/script", b"x"]),
        (b"#!/prog\0/x\n", [b"/prog", b"/script", b"x"]),
    ],
)
def test_scripts(at: Loading, line: bytes, words: list[bytes]) -> None:
    at.put("prog", File())
    at.put("script", line)
    request = Request("/script", [b"given", b"x"], [])
    load(at.kernel, at.fs, at.limits, request).space.leave()
    assert request.arguments == words


@pytest.mark.parametrize("line", [b"#!\n", b"#!", b"#!   \n", b"#!" + b"x" * 300, b"#!/none\n",
                                  b"#!/\n", b"#!.\n", b"#!\0\n", b"#!\xff\xfe\n",
                                  b"#!/script\n"])  # fmt: skip
def test_scripts_that_lead_nowhere(at: Loading, line: bytes) -> None:
    refusal(at, line)
    at.put("script", line)
    with pytest.raises(Errno):
        at.load("/script")


def test_scripts_of_scripts_have_an_end(at: Loading) -> None:
    at.put("prog", File())
    at.put("s0", b"#!/prog\n")
    for n in range(1, 6):
        at.put(f"s{n}", b"#!/s%d\n" % (n - 1))
    at.load("/s3").space.leave()
    with pytest.raises(Errno, match="ELOOP"):
        at.load("/s5")


def test_an_interpreter_that_is_missing_or_no_program_is_named(at: Loading) -> None:
    text = bytearray(File([Segment(), Segment(PT_INTERP, offset=0x900, file_size=8)]).encode())
    text[0x900:0x908] = b"/linker\0"
    error = refusal(at, bytes(text))
    assert error.errno == 2 and "/linker" in str(error)
    at.put("linker", b"text")
    error = refusal(at, bytes(text))
    assert "/linker" in str(error) and "not an ELF file" in str(error)
    at.put("linker", File(header={"type": 3}))
    image = at.load()
    assert image.entry > 1 << 33
    image.space.leave()


# Loaded segments.


def test_rights_and_contents_of_segments(at: Loading) -> None:
    at.put("prog", File([
        Segment(),
        Segment(flags=elves.R | W, address=CODE + 0x2800, offset=0x800, file_size=12, size=0x2000),
    ]))  # fmt: skip
    image = at.load()
    space, mem = image.space, user_memory(image.space)
    assert space.find(CODE).prot == Prot.READ | Prot.EXEC
    assert space.find(CODE + 0x2800).prot == Prot.READ | Prot.WRITE
    assert mem.read(image.entry, 12) == elves.EXIT_7
    assert mem.read(CODE + 0x2800, 12) == elves.EXIT_7
    assert not any(mem.read(CODE + 0x280C, 0x1FF4))
    assert space.brk == space.brk_start == CODE + 0x5000
    with pytest.raises(Errno):
        mem.write(CODE, b"x")
    space.leave()


@pytest.mark.parametrize("flags, executable", [(6, False), (7, True)])
def test_the_stack_is_executable_only_on_request(at: Loading, flags: int, executable: bool) -> None:
    at.put("prog", File([Segment(), Segment(PT_STACK, flags=flags)]))
    image = at.load()
    stack = image.space.find(image.sp)
    assert stack is not None and bool(stack.prot & Prot.EXEC) is executable and stack.grows_down
    image.space.leave()


def test_a_program_without_headers_in_memory_runs_all_the_same(at: Loading) -> None:
    at.put("prog", File([Segment(offset=0x1000, flags=elves.R | X)]))
    at.load().space.leave()


# The first words on the stack.


def words_on_stack(image: Image) -> tuple[list[bytes], list[bytes], dict[int, int]]:
    mem, sp = user_memory(image.space), image.sp
    count = mem.read_u64(sp)
    sp += 8

    def strings() -> list[bytes]:
        nonlocal sp
        found = []
        while address := mem.read_u64(sp):
            found.append(mem.read_cstr(address, 1 << 17))
            sp += 8
        sp += 8
        return found

    arguments, environment = strings(), strings()
    assert len(arguments) == count
    auxv: dict[int, int] = {}
    while True:
        kind, value = mem.read_u64(sp), mem.read_u64(sp + 8)
        if not kind:
            return arguments, environment, auxv
        auxv[kind] = value
        sp += 16


@pytest.mark.parametrize("count", range(5))
def test_arguments_environment_and_auxiliary_vector(at: Loading, count: int) -> None:
    at.put("prog", File())
    given = [b"argument %d" % n for n in range(count)]
    image = at.load("/prog", *given, env=[b"A=1", b"", b"\xff\xfe"])
    assert image.sp % 16 == 0
    arguments, environment, auxv = words_on_stack(image)
    assert arguments == [b"/prog", *given] and environment == [b"A=1", b"", b"\xff\xfe"]
    mem = user_memory(image.space)
    assert auxv[6] == P and auxv[9] == image.entry
    assert (auxv[3], auxv[4], auxv[5]) == (CODE + 64, 56, 1)
    assert auxv[11] == auxv[12] == os.getuid() and auxv[23] == 0
    assert len(mem.read(auxv[25], 16)) == 16
    assert mem.read_cstr(auxv[31]) == b"/prog"
    assert auxv[7] == 0, "no linker"
    image.space.leave()


@pytest.mark.parametrize(
    "arguments, fits",
    [
        ([b"x" * (131_072 - 1)], True),
        ([b"x" * 131_072], False),
        ([b"x" * 100_000] * 20, True),
        ([b"x" * 100_000] * 21, False),
        ([b""] * 200_000, True),
        ([b""] * 240_000, False),
    ],
)
def test_how_much_fits(at: Loading, arguments: list[bytes], fits: bool) -> None:
    at.put("prog", File())
    if not fits:
        with pytest.raises(Errno, match="E2BIG"):
            at.load("/prog", *arguments)
        return
    image = at.load("/prog", *arguments)
    assert user_memory(image.space).read_u64(image.sp) == 1 + len(arguments)
    image.space.leave()


def test_a_small_stack_takes_fewer_arguments(at: Loading) -> None:
    at.put("prog", File())
    at.limits[Resource.STACK] = (200 << 10, INFINITY)
    with pytest.raises(Errno, match="E2BIG"):
        at.load("/prog", *[b"x" * 100_000] * 5)


@pytest.mark.parametrize("soft", [0, 1, P, 1 << 36, 1 << 63, INFINITY])
def test_any_stack_limit(at: Loading, soft: int) -> None:
    at.put("prog", File())
    at.limits[Resource.STACK] = (soft, INFINITY)
    at.load().space.leave()


def test_memory_that_runs_out_while_loading_leaves_nothing() -> None:
    for pages in range(8, 60):
        at = Loading()
        at.put("prog", File([Segment(), Segment(flags=6, address=CODE + 0x2800, offset=0x800,
                                                file_size=12, size=0x2000)]))  # fmt: skip
        frames = at.kernel.frames
        while frames.total - frames.used > pages - 8:
            frames.allocate(Kind.PRIVATE)
        used = frames.used
        try:
            image = at.load()
        except OutOfMemory:
            while at.kernel.cache.reclaim():
                pass
            assert frames.used == used
        else:
            image.space.leave()
            return
    pytest.fail("it never loads")


def test_it_runs(tmp_path: Path) -> None:
    from emu import Machine

    path = tmp_path / "prog"
    path.write_bytes(File().encode())
    path.chmod(0o755)
    assert Machine().run([path]).status == 7
