"""Options of a machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypedDict

from emu.machine.pte import HUGE_SIZE
from emu.sizes import parse_size
from kernel.config import Config
from kernel.mm.faults.fault_around import is_window
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.huge_policy import Thp, ThpCow

Size: TypeAlias = int | str
"""Bytes, or a text such as ``64M``."""
Path: TypeAlias = str | os.PathLike[str]
Grant: TypeAlias = Path | tuple[Path, str]
"""A path of the host, which the guest sees under the same name; or also that in the guest."""


class OptionValues(TypedDict, total=False):
    """The options as keywords of :class:`emu.Machine`; :class:`Options` says what each means."""

    memory: Size
    kernel_memory: Size | None
    fork_policy: str
    fault_around: Size
    thp: str
    thp_cow: str
    hugetlb: int
    max_processes: int
    deterministic: bool
    exit_with_main: bool
    fail_allocation: int
    expose_frames: bool
    check: bool
    timeout: float | None
    environment: Mapping[str, str]
    cwd: Path | None
    root: Path | None
    read_only: Sequence[Grant]
    read_write: Sequence[Grant]
    user: tuple[int, int] | None
    publish: Sequence[tuple[str, int, int]]


def plain(values: OptionValues) -> dict[str, Any]:
    """The same values as :class:`Options` has them. Raises TypeError or ValueError."""
    result: dict[str, Any] = dict(values)
    for name in ("memory", "kernel_memory", "fault_around"):
        if isinstance(size := result.get(name), str):
            result[name] = _size(name, size)
    for name in ("cwd", "root"):
        if result.get(name) is not None:
            result[name] = os.fspath(result[name])
    for name in ("read_only", "read_write"):
        if name in result:
            result[name] = _grants(name, result[name])
    return result


def _size(name: str, text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _grants(name: str, grants: Sequence[Grant]) -> list[tuple[str, str]]:
    if isinstance(grants, str | os.PathLike):
        raise TypeError(f"{name} must be a sequence of paths, not {grants!r}")
    pairs = (each if isinstance(each, tuple) else (each, "") for each in grants)
    return [(os.fspath(host), guest or os.path.abspath(os.fspath(host))) for host, guest in pairs]


@dataclass(frozen=True, slots=True)
class Options(Config):
    """The command line's options in Python: the kernel's configuration and the view of the host.

    Raises TypeError or ValueError for an invalid option.
    """

    timeout: float | None = None
    """Time limit in seconds, after which all guests are ended; None for no limit."""
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    """Initial directory of the guest: by default the host's current directory; with ``root`` a
    directory in the root, by default ``/``."""
    root: str | None = None
    """Host directory that is the guest's ``/``."""
    read_only: Sequence[tuple[str, str]] = ()
    """Pairs of a host directory or file and its path in the guest."""
    read_write: Sequence[tuple[str, str]] = ()
    """Pairs of a host directory and its path in the guest."""

    user: tuple[int, int] | None = None
    """User and group ID of the guest's first process; None for those of the host's user."""
    publish: Sequence[tuple[str, int, int]] = ()
    """TCP ports of the guest at which programs of the host connect: the address and the port of the
    host, 0 for any, and the port of the guest."""

    def __post_init__(self) -> None:
        for name in ("memory", "fault_around", "hugetlb", "max_processes", "fail_allocation"):
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name} must be a number, not {getattr(self, name)!r}")
        if self.kernel_memory is not None and not isinstance(self.kernel_memory, int):
            raise TypeError(f"kernel_memory must be a number, not {self.kernel_memory!r}")
        if self.timeout is not None and not isinstance(self.timeout, int | float):
            raise TypeError(f"timeout must be a number of seconds, not {self.timeout!r}")
        if self.fork_policy not in POLICIES:
            raise ValueError(f"fork_policy must be one of {', '.join(POLICIES)}")
        if self.memory <= 0 or self.memory % 4096:
            raise ValueError("memory must be a positive multiple of 4,096 bytes")
        for name, kind in (("thp", Thp), ("thp_cow", ThpCow)):
            if getattr(self, name) not in list(kind):
                raise ValueError(f"{name} must be one of {', '.join(kind)}")
        if not is_window(self.fault_around):
            raise ValueError("fault_around must be a power of two from 4,096 to 2,097,152 bytes")
        if self.hugetlb < 0 or (self.hugetlb and (self.hugetlb + 1) * HUGE_SIZE > self.memory):
            raise ValueError("hugetlb: the huge pages, of 2 MiB each, do not fit in the memory")
        if self.kernel_memory is not None and self.kernel_memory <= 0:
            raise ValueError("kernel_memory must be a positive number of bytes")
