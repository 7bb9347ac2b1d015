"""The initial stack of a new program (RISC-V ELF psABI; Linux's fs/binfmt_elf).

::

    sp → argc
         argv[0] … argv[argc-1], 0
         envp[0] …, 0
         auxiliary vector: (type, value) …, (AT_NULL, 0)
         … padding, 16 random bytes, the arguments, the environment, the program's name

Programs rely on the strings being adjacent and in order (setproctitle(3)).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from emu.machine.pte import PAGE_SIZE
from kernel.base.errno import E2BIG
from kernel.base.errors import Errno
from kernel.base.resource_limits import Resource
from kernel.mm.faults.user_memory import UserMemory
from kernel.process.process import Program, Words
from kernel.vfs.core.credentials import Credentials

if TYPE_CHECKING:
    from kernel.process.state import KernelState

_LONGEST_STRING = 128 * 1024
_MOST_STRINGS = 2 << 20
_LEAST_STRINGS = 128 << 10
"""MAX_ARG_STRLEN; and bounds of a quarter of RLIMIT_STACK. Beyond it execve fails with E2BIG."""

_AT_PHDR, _AT_PHENT, _AT_PHNUM, _AT_PAGESZ, _AT_BASE, _AT_FLAGS, _AT_ENTRY = 3, 4, 5, 6, 7, 8, 9
_AT_UID, _AT_EUID, _AT_GID, _AT_EGID = 11, 12, 13, 14
_AT_HWCAP, _AT_CLKTCK, _AT_SECURE, _AT_RANDOM, _AT_EXECFN = 16, 17, 23, 25, 31
_HWCAP = sum(1 << "ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(letter) for letter in "IMAFDC")


@dataclass(slots=True)
class Request:
    """Arguments of execve(2); a script puts its interpreter's words in front."""

    path: str
    arguments: list[bytes]
    environment: list[bytes]


class Layout(NamedTuple):
    """Addresses that the loader chose."""

    entry: int
    headers: int
    header_count: int
    linker_base: int
    file_name: str


def build(
    kernel: KernelState,
    memory: UserMemory,
    top: int,
    request: Request,
    layout: Layout,
    program: Program,
) -> tuple[int, int]:
    """Writes the stack below ``top``; returns sp, a multiple of 16, and where the strings begin."""
    _check_size(request, memory.space.limits.soft(Resource.STACK))
    strings = _Strings(top - 8)
    file_name = strings.add(layout.file_name.encode("utf-8", "surrogateescape"))
    environment = strings.add_all(request.environment)
    arguments = strings.add_all(request.arguments)
    arguments_start = strings.bottom
    strings.align(16)
    random = strings.add_raw(kernel.random(16))
    auxv = _auxiliary(layout, random, file_name)
    words = [len(arguments), *arguments, 0, *environment, 0, *auxv]
    sp = (strings.bottom - 8 * len(words)) & ~15
    try:
        memory.write(strings.bottom, strings.content())
        memory.write(sp, struct.pack(f"<{len(words)}Q", *words))
    except Errno:
        raise Errno(E2BIG) from None  # beyond the stack's limit
    program.words = Words(
        b"".join(text + b"\0" for text in request.arguments),
        b"".join(text + b"\0" for text in request.environment),
        kernel.budget,
    )
    program.auxv = struct.pack(f"<{len(auxv)}Q", *auxv)
    return sp, arguments_start


def _check_size(request: Request, stack: int) -> None:
    texts = [*request.arguments, *request.environment]
    if any(len(text) >= _LONGEST_STRING for text in texts):
        raise Errno(E2BIG)
    most = max(min(stack // 4, _MOST_STRINGS), _LEAST_STRINGS)
    if sum(len(text) + 9 for text in texts) > most:
        raise Errno(E2BIG)


def _auxiliary(layout: Layout, random: int, file_name: int) -> list[int]:
    who = Credentials.of_host()
    pairs = [
        (_AT_HWCAP, _HWCAP),
        (_AT_PAGESZ, PAGE_SIZE),
        (_AT_CLKTCK, 100),
        (_AT_PHDR, layout.headers),
        (_AT_PHENT, 56),
        (_AT_PHNUM, layout.header_count),
        (_AT_BASE, layout.linker_base),
        (_AT_FLAGS, 0),
        (_AT_ENTRY, layout.entry),
        (_AT_UID, who.uid),
        (_AT_EUID, who.uid),
        (_AT_GID, who.gid),
        (_AT_EGID, who.gid),
        (_AT_SECURE, 0),
        (_AT_RANDOM, random),
        (_AT_EXECFN, file_name),
        (0, 0),
    ]
    return [word for pair in pairs for word in pair]


class _Strings:
    """Bytes placed from the top of the stack towards lower addresses."""

    def __init__(self, top: int) -> None:
        self.bottom = top
        self._parts: list[bytes] = []

    def add(self, text: bytes) -> int:
        return self.add_raw(text + b"\0")

    def add_all(self, texts: list[bytes]) -> list[int]:
        """Places the texts in ascending order; returns their addresses."""
        return [self.add(text) for text in reversed(texts)][::-1]

    def add_raw(self, data: bytes) -> int:
        self.bottom -= len(data)
        self._parts.append(data)
        return self.bottom

    def align(self, size: int) -> None:
        self.add_raw(bytes(self.bottom % size))

    def content(self) -> bytes:
        return b"".join(reversed(self._parts))
