"""Do calls with random arguments always return a result or an errno?"""

from __future__ import annotations

import inspect
import os
import random
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from kernel.base.errors import Errno, Interrupted
from kernel.syscalls.files import (
    attributes,
    copy_file,
    descriptors,
    directories,
    file_locks,
    mounts,
    openat,
    read_write,
    splice,
    stat,
    sync,
)
from kernel.syscalls.ipc import event_fds, poll
from kernel.syscalls.net import connections, options, receive, send
from kernel.vfs.build_tree import Grants, Services, build_namespace, first_context
from kernel.vfs.console import Console
from tests.kernel.fakes import BASE, ROOT, FakeThread, new_thread

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "3"))
MODULES = (
    attributes, copy_file, descriptors, directories, event_fds, file_locks, mounts, openat,
    connections, options, poll, read_write, receive, send, splice, stat, sync,
)  # fmt: skip
CALLS: list[Callable[..., object]] = [
    function
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__
    and not name.startswith("_")
    and inspect.signature(function).return_annotation == "Result"
    and all(
        parameter.annotation == "int"
        for parameter in list(inspect.signature(function).parameters.values())[1:]
    )
]
WORDS = ["", ".", "..", "/", "a", "b", "d", "d/x", "../..", "/proc/self/fd/3", "/proc/self/exe",
         "/dev/null", "/dev/stdin", "/tmp/a", "/tmp/d", "/tmp/d/e", "x" * 300, "a/", "/etc/passwd",
         "/proc/self/cwd/..", "\udcff", "/proc/self/fd", "/proc/1/task/1/fd/0"]  # fmt: skip


def number(rng: random.Random, texts: list[int]) -> int:
    return rng.choice([
        rng.randrange(-2, 24), rng.randrange(24), rng.choice(texts), BASE + rng.randrange(1 << 16),
        1 << rng.randrange(64), (1 << 64) - 1 - rng.randrange(16), -100, 0, rng.getrandbits(64),
        -(1 << 63), (1 << 63) - 1, 0o100 | 2, 0x7FFFF000, rng.randrange(1 << 14),
    ])  # fmt: skip


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def argument(name: str, value: int) -> int:
    """``value`` as the table of calls converts it (kernel/syscalls/table.py)."""
    if name.endswith("fd") or name in ("whence", "timeout", "uid", "gid", "command", "domain"):
        return signed(value, 32)
    if name in ("offset", "length"):
        return signed(value, 64)
    return value & ((1 << 64) - 1)


@pytest.mark.parametrize("seed", range(4))
def test_do_wild_calls_end_in_an_answer(tmp_path: Path, seed: int) -> None:
    for folder in ("cwd", "rw", "outside"):
        (tmp_path / folder).mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (tmp_path / "cwd" / "a").write_bytes(b"a" * 5000)
    os.symlink("../outside", tmp_path / "cwd" / "d")
    rw = str(tmp_path / "rw")
    grants = Grants(cwd=str(tmp_path / "cwd"), rw=[(rw, rw)], memory_limit=4 << 20)
    services = Services(credentials=ROOT)
    namespace = build_namespace(grants, services)
    t = new_thread(namespace)
    t.fs = t.process.fs = first_context(namespace, grants, services)
    console = Console(namespace)
    console.feed(b"input" * 1000)
    console.capture(1)
    console.install(t.files)
    words = [*WORDS, f"{rw}/a", f"{rw}/b", f"{rw}/../outside/secret"]
    texts = [t.mem.text(word) for word in words]
    rng, end, count = random.Random(seed), time.monotonic() + SECONDS / 4, 0
    while time.monotonic() < end:
        count += 1
        one_call(t, rng, texts)
        if count % 500 == 0:
            for fd, _ in list(t.files.items()):
                t.files.close(fd)
            t.mem.write(BASE + (1 << 16), rng.randbytes(1 << 14))
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"
    assert os.listdir(tmp_path / "outside") == ["secret"]
    assert count > 100


def one_call(t: FakeThread, rng: random.Random, texts: list[int]) -> None:
    call = rng.choice(CALLS)
    names = list(inspect.signature(call).parameters)[1:]
    arguments = [argument(name, number(rng, texts)) for name in names]
    if "arguments" in names:
        arguments = [number(rng, texts) for _ in range(6)]
    try:
        result = call(t, *arguments)
        if isinstance(result, Generator):
            for _ in range(3):
                next(result)
            result.throw(Interrupted())
        else:
            assert isinstance(result, int) and -(1 << 63) <= result < 1 << 63
    except (Errno, Interrupted, StopIteration):
        pass
    except Exception as error:
        raise AssertionError(f"{call.__name__}{tuple(map(hex, arguments))}") from error
