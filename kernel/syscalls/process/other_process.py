"""The right to look into another process, as ptrace(2) has it ("Ptrace access mode checking")."""

from __future__ import annotations

from kernel.base.errno import EPERM
from kernel.base.errors import Errno
from kernel.process.process import Process
from kernel.syscalls.context import SyscallContext


def check_access(t: SyscallContext, process: Process) -> None:
    """EPERM unless the caller may read the memory and the descriptors of ``process``."""
    if process is t.process or t.fs.credentials.is_privileged:
        return
    dumpable = process.attributes.dumpable == 1
    if not dumpable or not t.fs.credentials.may_inspect(process.fs.credentials):
        raise Errno(EPERM)
