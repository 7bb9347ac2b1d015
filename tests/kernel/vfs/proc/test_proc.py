"""Does /proc have the files that programs use, with links only to their own objects?"""

from __future__ import annotations

import pytest

from kernel.base.errno import EACCES, ENOENT, ENOTDIR
from kernel.vfs.core.linux_abi import O_CREAT, O_RDWR, O_WRONLY
from tests.kernel.fakes import FakeThread, new_thread
from tests.kernel.syscalls.calls import (
    chdir,
    fails,
    get_file,
    getcwd,
    listed,
    mkdir,
    open_,
    put_file,
    read,
    readlink,
    stat_,
    unlink,
)


@pytest.fixture
def t() -> FakeThread:
    return new_thread()


def test_who_is_self(t: FakeThread) -> None:
    child = t.fork(12)
    assert readlink(child, "/proc/self") == "12"
    t.kernel.caller = t
    assert readlink(t, "/proc/self") == "1"
    assert listed(t, "/proc") >= {"1", "12", "self", "meminfo", "cpuinfo", "sys"}
    assert readlink(t, "/proc/thread-self") == "1/task/1"
    assert listed(t, "/proc/1/task") == {"1"}
    assert get_file(t, "/proc/1/task/1/children") == b"12 "
    assert get_file(t, "/proc/12/task/12/children") == b""
    assert "children" not in listed(t, "/proc/1")


def test_does_a_process_show_itself(t: FakeThread) -> None:
    assert get_file(t, "/proc/self/cmdline") == b"prog\0-x\0"
    assert get_file(t, "/proc/self/comm") == b"prog\n"
    assert get_file(t, "/proc/self/environ") == b"A=1\0"
    assert b"r-xp" in get_file(t, "/proc/self/maps")
    assert get_file(t, "/proc/self/statm").split()[:2] == [b"7", b"3"]
    fields = get_file(t, "/proc/self/stat").split()
    assert len(fields) == 52 and fields[:5] == [b"1", b"(prog)", b"R", b"1", b"1"]
    status = dict(line.split(b":", 1) for line in get_file(t, "/proc/self/status").splitlines())
    assert status[b"State"].strip() == b"R (running)" and status[b"VmRSS"].split()[0] == b"12"
    assert readlink(t, "/proc/self/exe") == "/bin/prog"


def test_what_is_left_of_a_zombie(t: FakeThread) -> None:
    child = t.fork(9)
    child.process.alive = False
    child.files.close_all()
    assert get_file(t, "/proc/9/cmdline") == b""
    assert get_file(t, "/proc/9/stat").split()[2] == b"Z"
    assert fails(lambda: readlink(t, "/proc/9/exe")) == ENOENT
    assert listed(t, "/proc/9/fd") == set()


def test_are_descriptors_listed(t: FakeThread) -> None:
    put_file(t, "/f", b"x")
    fd = open_(t, "/f")
    assert listed(t, "/proc/self/fd") >= {str(fd)}
    assert b"pos:\t0" in get_file(t, f"/proc/self/fdinfo/{fd}")
    unlink(t, "/f")
    assert read(t, open_(t, f"/proc/self/fd/{fd}")) == b"x"
    for name in ("999", "-1", "x", "0x0", "٣", "9" * 40):
        assert fails(lambda name=name: open_(t, f"/proc/self/fd/{name}")) == ENOENT


def test_can_one_go_into_proc(t: FakeThread) -> None:
    chdir(t, "/proc/self/fd")
    assert getcwd(t) == "/proc/1/fd"
    chdir(t, "../../..")
    assert getcwd(t) == "/"
    mkdir(t, "/d")
    chdir(t, "/d")
    assert stat_(t, "/proc/self/cwd")["ino"] == stat_(t, "/d")["ino"]
    assert listed(t, "/proc/self/root") >= {"d", "proc"}


def test_can_proc_be_changed(t: FakeThread) -> None:
    assert fails(lambda: open_(t, "/proc/new", O_CREAT | O_WRONLY)) == EACCES
    assert fails(lambda: mkdir(t, "/proc/self/x")) == EACCES
    assert fails(lambda: unlink(t, "/proc/meminfo")) == EACCES
    assert fails(lambda: open_(t, "/proc/sys/kernel/hostname", O_RDWR)) == EACCES
    assert fails(lambda: open_(t, "/proc/meminfo/x")) == ENOTDIR


@pytest.mark.parametrize(
    "name",
    ["cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "stat", "uptime", "version",
     "sys/kernel/osrelease", "sys/kernel/random/uuid", "sys/vm/overcommit_memory", "self/limits",
     "self/mounts", "self/auxv"],
)  # fmt: skip
def test_are_the_usual_texts_there(t: FakeThread, name: str) -> None:
    text = get_file(t, f"/proc/{name}")
    assert text or name == "self/auxv"


def test_is_a_text_one_snapshot_until_read_again(t: FakeThread) -> None:
    fd = open_(t, "/proc/uptime")
    first = read(t, fd, 2)
    t.kernel.clock.now += 10**12
    rest = read(t, fd)
    assert (first + rest).startswith(b"1.00")
    t.files.get(fd).seek(0, 0)
    assert read(t, fd).startswith(b"1001.00")


THP = "/sys/kernel/mm/transparent_hugepage/"


@pytest.mark.parametrize("mode", ["always", "madvise", "never"])
def test_what_is_read_of_transparent_huge_pages(t: FakeThread, mode: str) -> None:
    t.kernel.huge_mode = mode
    values = "always madvise never".replace(mode, f"[{mode}]")
    assert get_file(t, THP + "enabled") == f"{values}\n".encode()
    assert get_file(t, THP + "hpage_pmd_size") == b"2097152\n"
    assert get_file(t, THP + "use_zero_page") == b"1\n"
    assert b"[never]" in get_file(t, THP + "shmem_enabled")
    assert b"[never]" in get_file(t, THP + "defrag")


def test_has_sys_nothing_else_and_nothing_to_set(t: FakeThread) -> None:
    assert listed(t, "/sys") == {"kernel"} and listed(t, "/sys/kernel") == {"mm"}
    assert listed(t, THP) == {
        "enabled",
        "defrag",
        "hpage_pmd_size",
        "use_zero_page",
        "shmem_enabled",
    }
    assert fails(lambda: open_(t, THP + "enabled", O_WRONLY)) == EACCES
    assert fails(lambda: open_(t, THP + "khugepaged/defrag")) == ENOENT
    assert fails(lambda: mkdir(t, "/sys/x")) == EACCES
    assert any(
        line.split()[1:3] == [b"/sys", b"sysfs"]
        for line in get_file(t, "/proc/mounts").splitlines()
    )
