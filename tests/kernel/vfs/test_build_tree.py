"""Does the guest's tree show what was granted, and nothing more?"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kernel.base.budget import Budget
from kernel.base.errno import EACCES, ENFILE, ENOENT, ENOSPC, EROFS
from kernel.syscalls.files import openat
from kernel.vfs.build_tree import Grants, Services, build_namespace, first_context
from kernel.vfs.core.linux_abi import AT_REMOVEDIR, O_CREAT, O_RDWR, O_WRONLY
from kernel.vfs.names.open import open_for_exec
from tests.kernel.fakes import ROOT, FakeThread, new_thread
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
    rename,
    stat_,
    unlink,
    write,
)


def guest(grants: Grants, budget: int = 256 << 20) -> FakeThread:
    services = Services(credentials=ROOT, budget=Budget(budget))
    namespace = build_namespace(grants, services)
    t = new_thread(namespace)
    t.fs = t.process.fs = first_context(namespace, grants, services)
    return t


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "notes").write_text("hello")
    return tmp_path / "home"


def test_what_is_there_by_default(home: Path) -> None:
    t = guest(Grants(cwd=str(home)))
    assert listed(t, "/") >= {"dev", "etc", "proc", "tmp"}
    assert listed(t, "/etc") == {"passwd", "group", "hosts", "nsswitch.conf", "mtab"}
    assert getcwd(t) == str(home)
    assert get_file(t, "notes") == b"hello"
    assert b"root:x:0:0" in get_file(t, "/etc/passwd")
    assert fails(lambda: put_file(t, "new")) == EROFS


@pytest.mark.parametrize("path", ["/new", "/etc/new", "/no/such/folder/new", "/usr/lib/new"])
def test_is_a_write_elsewhere_read_only_and_remembered(home: Path, path: str) -> None:
    t = guest(Grants(cwd=str(home)))
    assert fails(lambda: put_file(t, path)) == EROFS
    assert fails(lambda: mkdir(t, f"{path}-folder")) == EROFS
    assert t.fs.namespace.refused_writes == [path, f"{path}-folder"]
    assert fails(lambda: get_file(t, path)) == ENOENT


def test_is_a_missing_folder_in_a_granted_one_just_missing(home: Path) -> None:
    t = guest(Grants(cwd=str(home), rw=[(str(home), str(home))]))
    assert fails(lambda: put_file(t, f"{home}/none/new")) == ENOENT
    assert t.fs.namespace.refused_writes == []


def test_is_tmp_the_guests_own(home: Path) -> None:
    t = guest(Grants(cwd=str(home)))
    name = "surely-not-on-the-host"
    put_file(t, f"/tmp/{name}", b"x")
    assert stat_(t, "/tmp")["mode"] & 0o7777 == 0o1777
    assert get_file(t, f"/tmp/{name}") == b"x"
    assert not (Path("/tmp") / name).exists()


def test_is_memory_bounded(home: Path) -> None:
    t = guest(Grants(cwd=str(home), memory_limit=1 << 20))
    fd = open_(t, "/tmp/big", O_CREAT | O_RDWR)
    total = 0
    while (code := fails(lambda: write(t, fd, bytes(1 << 16)))) == 0:
        total += 1 << 16
        t.mem._next = 0x10000
    assert code == ENOSPC and total == 1 << 20
    unlink(t, "/tmp/big")
    t.files.close(fd)
    put_file(t, "/tmp/small", bytes(1 << 19))
    for i in range(2000):
        if fails(lambda i=i: put_file(t, f"/tmp/{i}")) == ENOSPC:
            break
        t.mem._next = 0x10000
    else:
        pytest.fail("empty files cost nothing")


def test_how_many_links_has_a_directory(home: Path) -> None:
    t = guest(Grants(cwd=str(home)))

    def links() -> int:
        return stat_(t, "/tmp/d")["nlink"]

    mkdir(t, "/tmp/d")
    put_file(t, "/tmp/d/file")
    assert links() == 2, "its name and its own ."
    mkdir(t, "/tmp/d/a")
    mkdir(t, "/tmp/d/b")
    assert links() == 4, "and the .. of each directory in it"
    rename(t, "/tmp/d/a", "/tmp/d/b")
    assert links() == 3
    rename(t, "/tmp/d/b", "/tmp/b")
    assert links() == 2
    rename(t, "/tmp/b", "/tmp/d/b")
    unlink(t, "/tmp/d/b", AT_REMOVEDIR)
    assert links() == 2


def test_do_writes_to_a_granted_folder_happen(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    t = guest(Grants(cwd=str(home), rw=[(str(out), str(out)), (str(out), "/else/where")]))
    put_file(t, f"{out}/result", b"42")
    assert (out / "result").read_bytes() == b"42"
    put_file(t, "/else/where/other", b"43")
    assert (out / "other").read_bytes() == b"43"
    assert listed(t, "/else") == {"where"}


def test_is_the_current_folder_seen_below_a_granted_one(home: Path, tmp_path: Path) -> None:
    granted = tmp_path / "granted"
    granted.mkdir()
    t = guest(Grants(cwd=str(home), rw=[(str(granted), str(home.parent))]))
    assert get_file(t, f"{home}/notes") == b"hello"
    put_file(t, f"{home.parent}/new", b"data")
    assert (granted / "new").read_bytes() == b"data"


def test_is_the_current_folder_writable_when_granted(home: Path) -> None:
    t = guest(Grants(cwd=str(home), rw=[(str(home), str(home))]))
    put_file(t, "new", b"x")
    assert (home / "new").exists()


def test_are_changes_below_a_root_dropped(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("etc", "bin", "old"):
        (root / name).mkdir(parents=True)
    (root / "etc" / "motd").write_text("original")
    (root / "old" / "f").write_text("f")
    t = guest(Grants(cwd="/etc", root=str(root)))
    assert getcwd(t) == "/etc"
    fd = open_(t, "motd", O_RDWR)
    assert write(t, fd, b"O") == 1
    assert read(t, fd) == b"riginal"
    assert get_file(t, "/etc/motd") == b"Original"
    unlink(t, "/old/f")
    assert listed(t, "/old") == set()
    unlink(t, "/old", 0x200)
    mkdir(t, "/old")
    assert listed(t, "/old") == set()
    rename(t, "/etc", "/etc2")
    assert getcwd(t) == "/etc2"
    assert listed(t, "/") >= {"bin", "etc2", "old", "tmp", "dev", "proc"}
    assert "etc" not in listed(t, "/")
    assert (root / "etc" / "motd").read_text() == "original"
    assert (root / "old" / "f").exists()


def test_do_libraries_appear(home: Path, tmp_path: Path) -> None:
    (tmp_path / "sysroot" / "lib").mkdir(parents=True)
    (tmp_path / "sysroot" / "lib" / "libc.so.6").write_bytes(b"lib")
    t = guest(Grants(cwd=str(home), lib_root=str(tmp_path / "sysroot")))
    assert get_file(t, "/lib/libc.so.6") == b"lib"
    assert fails(lambda: put_file(t, "/lib/x")) == EROFS


def test_what_may_be_executed(home: Path) -> None:
    program = home / "prog"
    program.write_bytes(b"#!")
    t = guest(Grants(cwd=str(home)))
    program.chmod(0o644)
    assert fails(lambda: open_for_exec(t.fs, "prog")) == EACCES
    assert fails(lambda: open_for_exec(t.fs, "/")) == EACCES
    program.chmod(0o755)
    inode, path = open_for_exec(t.fs, "./prog")
    assert inode.read_at(0, 2) == b"#!" and path == str(program)


@pytest.mark.parametrize("name", ["null", "zero", "full", "random", "urandom"])
def test_what_do_devices_do(home: Path, name: str) -> None:
    t = guest(Grants(cwd=str(home)))
    fd = open_(t, f"/dev/{name}", O_RDWR)
    data = read(t, fd, 8)
    assert len(data) == (0 if name == "null" else 8)
    assert (data == bytes(len(data))) == (name in ("null", "zero", "full"))
    if name == "full":
        assert fails(lambda: write(t, fd, b"x")) == ENOSPC
    else:
        assert write(t, fd, b"xyz") == 3


def test_is_the_cwd_at_tmp_both_seen_and_writable() -> None:
    t = guest(Grants(cwd="/tmp"))
    put_file(t, "/tmp/surely-not-on-the-host", b"x")
    assert not os.path.exists("/tmp/surely-not-on-the-host")


def test_what_if_the_whole_host_is_granted() -> None:
    t = guest(Grants(cwd="/"))
    assert "usr" in listed(t, "/")
    assert listed(t, "/etc") == {"passwd", "group", "hosts", "nsswitch.conf", "mtab"}
    assert fails(lambda: open_(t, "/usr/x", O_CREAT | O_WRONLY)) == EROFS


def test_is_another_program_of_one_name_shown_as_typed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "busybox").write_bytes(b"bb")
    os.symlink(tmp_path / "busybox", tmp_path / "ls")
    t = guest(Grants(cwd=str(home), program=str(tmp_path / "ls")))
    assert get_file(t, str(tmp_path / "ls")) == b"bb"


@pytest.mark.parametrize("where", ["memory", "host"])
def test_are_very_deep_trees_just_deep(home: Path, tmp_path: Path, where: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    t = guest(Grants(cwd=str(home), rw=[(str(out), str(out))]))
    chdir(t, "/tmp" if where == "memory" else str(out))
    for _ in range(1500):
        mkdir(t, "d")
        chdir(t, "d")
    put_file(t, "leaf", b"x")
    for i in range(300):  # so that the deep directory's descriptor is closed meanwhile
        mkdir(t, f"{out}/{i}")
        listed(t, f"{out}/{i}")
        t.mem._next = 0x10000
    assert get_file(t, "leaf") == b"x"
    assert len(getcwd(t)) > 3000
    for _ in range(1500):
        chdir(t, "..")
    # pytest's own clean-up is recursive, and fails on such a tree.
    subprocess.run(["rm", "-rf", out], check=True)


def test_are_pipes_bounded(home: Path) -> None:
    t = guest(Grants(cwd=str(home)), 1 << 20)
    before = t.fs.namespace.budget.used
    t.files.limit = 1 << 16
    code, count = 0, 0
    while code == 0:
        code = fails(lambda: openat.pipe2(t, 0x10000, 0))
        count += 1
        assert count < 10_000
    assert code == ENFILE
    t.files.close_all()
    assert t.fs.namespace.budget.used == before
