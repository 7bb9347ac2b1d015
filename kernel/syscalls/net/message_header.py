"""struct msghdr (recv(2)), and struct mmsghdr, which has the number of bytes after it."""

from __future__ import annotations

import struct
from typing import NamedTuple

from kernel.syscalls.context import SyscallContext

_MSGHDR = struct.Struct("<QI4xQQQQi4x")
MSGHDR_SIZE = _MSGHDR.size
MMSGHDR_SIZE = MSGHDR_SIZE + 8
NAME_SIZE_AT, CONTROL_SIZE_AT = 8, 40


class Header(NamedTuple):
    name: int
    name_size: int
    iov: int
    iov_count: int
    control: int
    control_size: int
    flags: int


def read_header(t: SyscallContext, address: int) -> Header:
    return Header(*_MSGHDR.unpack(t.mem.read(address, MSGHDR_SIZE)))
