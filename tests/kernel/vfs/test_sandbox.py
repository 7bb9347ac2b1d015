"""Does any path, link, descriptor or race lead outside of the granted folders?"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kernel.base.errno import EACCES, EISDIR, ENOENT, ENOTDIR, EPERM, EROFS, ESTALE, EXDEV
from kernel.base.errors import Errno
from kernel.syscalls.files import attributes, directories, openat
from kernel.vfs.build_tree import Grants, Services, build_namespace, first_context
from kernel.vfs.core.linux_abi import (
    AT_FDCWD,
    AT_SYMLINK_FOLLOW,
    O_CREAT,
    O_DIRECTORY,
    O_NOFOLLOW,
    O_PATH,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
)
from kernel.vfs.hostfs.directory import HostDir
from tests.kernel.fakes import ROOT, FakeThread, new_thread
from tests.kernel.syscalls.calls import (
    fails,
    get_file,
    getcwd,
    link,
    listed,
    mkdir,
    open_,
    put_file,
    read,
    rename,
    stat_,
    symlink,
)

SECRET = b"the host's secret"


class World:
    """A host with a secret beside the granted folders, and a guest."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.cwd, self.rw = base / "cwd", base / "rw"
        for folder in (self.cwd, self.rw, base / "outside"):
            folder.mkdir()
        self.secret = base / "outside" / "secret"
        self.secret.write_bytes(SECRET)
        (self.cwd / "file").write_bytes(b"mine")
        (self.cwd / "sub").mkdir()
        (self.rw / "sub").mkdir()
        (self.rw / "sub" / "f").write_bytes(b"inside")

    def guest(self) -> FakeThread:
        grants = Grants(cwd=str(self.cwd), rw=[(str(self.rw), str(self.rw))])
        namespace = build_namespace(grants, Services(credentials=ROOT))
        t = new_thread(namespace)
        t.fs = first_context(namespace, grants, Services(credentials=ROOT))
        t.process.fs = t.fs
        return t

    def untouched(self) -> bool:
        outside = self.base / "outside"
        return self.secret.read_bytes() == SECRET and os.listdir(outside) == ["secret"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def t(world: World) -> FakeThread:
    return world.guest()


def test_does_the_guest_start_in_its_folder(t: FakeThread, world: World) -> None:
    assert getcwd(t) == str(world.cwd)
    assert get_file(t, "file") == b"mine"


@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret",
        "sub/../../outside/secret",
        "{base}/outside/secret",
        "/../../../../../../{base}/outside/secret",
        "/proc/self/root/{base}/outside/secret",
        "/proc/self/cwd/../outside/secret",
        "/proc/1/root/../..{base}/outside/secret",
        "/proc/thread-self/cwd/../outside/secret",
        "/dev/fd/../../../..{base}/outside/secret",
        "{rw}/../outside/secret",
        "/etc/shadow",
        "/root/.ssh/id_rsa",
        "/usr/bin/env",
        "/sys/kernel/debug",
        "/sys/devices",
        "/proc/kcore",
        "/proc/self/mem",
        "/proc/sysrq-trigger",
        "/dev/mem",
        "/dev/sda",
    ],
)
def test_does_a_path_lead_out(t: FakeThread, world: World, path: str) -> None:
    path = path.format(base=world.base, rw=world.rw)
    assert fails(lambda: open_(t, path)) in (ENOENT, ENOTDIR, EACCES)


@pytest.mark.parametrize("target", ["{secret}", "../outside/secret", "/proc/self/root{secret}"])
def test_does_a_link_the_host_has_lead_out(world: World, target: str) -> None:
    os.symlink(target.format(secret=world.secret), world.cwd / "link")
    os.symlink(target.format(secret=world.secret), world.rw / "link")
    t = world.guest()
    assert fails(lambda: open_(t, "link")) == ENOENT
    for flags in (O_WRONLY, O_CREAT | O_WRONLY, O_CREAT | O_TRUNC | O_RDWR):
        assert fails(lambda flags=flags: open_(t, f"{world.rw}/link", flags)) in (ENOENT, EROFS)
    assert world.untouched()


@pytest.mark.parametrize(
    "target", ["{base}/outside", "../outside", "..", "/", "/".join([".."] * 40)]
)
def test_does_a_link_the_guest_makes_lead_out(t: FakeThread, world: World, target: str) -> None:
    at = f"{world.rw}/out"
    symlink(t, target.format(base=world.base), at)
    for path in (f"{at}/secret", f"{at}/outside/secret", f"{at}{world.secret}"):
        assert fails(lambda path=path: open_(t, path)) in (ENOENT, ENOTDIR)
        assert fails(lambda path=path: put_file(t, path)) in (ENOENT, EROFS, ENOTDIR)
        assert fails(lambda path=path: mkdir(t, path)) in (ENOENT, EROFS, ENOTDIR)
    assert world.untouched()


def test_does_a_folder_mounted_over_a_link_follow_it(world: World) -> None:
    os.symlink("../outside", world.cwd / "sub" / "door")
    t = world.guest()
    assert fails(lambda: listed(t, "sub/door")) == ENOENT
    assert fails(lambda: open_(t, "sub/door/secret", O_PATH)) == ENOENT


def test_does_a_directory_descriptor_lead_up_and_out(t: FakeThread, world: World) -> None:
    for flags in (O_DIRECTORY, O_PATH, O_PATH | O_DIRECTORY | O_NOFOLLOW):
        fd = open_(t, str(world.rw), flags)
        for path in ("../outside/secret", f"/proc/self/fd/{fd}/../outside/secret"):
            assert fails(lambda p=path, fd=fd: open_(t, p, dirfd=fd)) == ENOENT
        assert listed(t, f"/proc/self/fd/{fd}/..") == {"cwd", "rw"}


def test_does_a_descriptor_of_a_read_only_file_become_writable(t: FakeThread) -> None:
    fd = open_(t, "file")
    for path in (f"/proc/self/fd/{fd}", f"/dev/fd/{fd}", "file"):
        assert fails(lambda path=path: open_(t, path, O_RDWR)) == EROFS
        assert fails(lambda path=path: open_(t, path, O_TRUNC)) == EROFS
        text = t.mem.text(path)
        assert fails(lambda text=text: attributes.truncate(t, text, 0)) == EROFS
        assert fails(lambda x=text: attributes.fchmodat(t, AT_FDCWD, x, 0o777)) == EROFS
        assert fails(lambda x=text: attributes.utimensat(t, AT_FDCWD, x, 0, 0)) == EROFS
    assert fails(lambda: attributes.fchmod(t, fd, 0o777)) == EROFS
    assert fails(lambda: attributes.fchown(t, fd, 1, 1)) == EROFS
    assert get_file(t, "file") == b"mine"


def test_are_refused_writes_remembered(t: FakeThread, world: World) -> None:
    attempts = (
        lambda: put_file(t, "new"),
        lambda: mkdir(t, "newdir"),
        lambda: directories.unlinkat(t, AT_FDCWD, t.mem.text("file"), 0),
        lambda: put_file(t, "/top"),
        lambda: rename(t, "file", "other"),
    )
    for attempt in attempts:
        assert fails(attempt) == EROFS
    assert t.fs.namespace.refused_writes == [
        f"{world.cwd}/{name}" for name in ("new", "newdir", "file")
    ] + ["/top"]


def test_does_a_hard_link_or_rename_cross_a_border(t: FakeThread, world: World) -> None:
    assert fails(lambda: link(t, "file", f"{world.rw}/stolen")) == EXDEV
    assert fails(lambda: rename(t, f"{world.rw}/sub", "here")) == EXDEV
    assert fails(lambda: rename(t, f"{world.rw}/sub", "/tmp/sub")) == EXDEV
    assert fails(lambda: link(t, str(world.secret), f"{world.rw}/stolen")) == ENOENT
    symlink(t, str(world.secret), f"{world.rw}/ln")
    assert fails(lambda: link(t, f"{world.rw}/ln", f"{world.rw}/x", AT_SYMLINK_FOLLOW)) == ENOENT


def test_where_is_one_when_ones_directory_moves(t: FakeThread, world: World) -> None:
    mkdir(t, f"{world.rw}/a")
    mkdir(t, f"{world.rw}/a/b")
    fd = open_(t, f"{world.rw}/a/b", O_PATH)
    rename(t, f"{world.rw}/a/b", f"{world.rw}/b")
    for up in ("..", "../..", "../../..", "../../../../.."):
        assert fails(lambda up=up: open_(t, up + "/outside/secret", dirfd=fd)) == ENOENT


def test_what_if_the_host_moves_a_directory_out_meanwhile(t: FakeThread, world: World) -> None:
    fd = open_(t, f"{world.rw}/sub", O_PATH)
    os.rename(world.rw / "sub", world.base / "outside" / "sub")
    assert fails(lambda: open_(t, "../secret", dirfd=fd)) in (ENOENT, ESTALE)
    assert fails(lambda: open_(t, "../../outside/secret", dirfd=fd)) in (ENOENT, ESTALE)


def _between(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]) -> None:
    """Calls ``act`` between the lookup of ``name`` and its use."""
    lookup = HostDir.lookup

    def swapped(self: HostDir, looked: str) -> object:
        node = lookup(self, looked)
        if looked == name:
            monkeypatch.setattr(HostDir, "lookup", lookup)
            act()
        return node

    monkeypatch.setattr(HostDir, "lookup", swapped)


def test_is_a_file_swapped_for_a_link_noticed(
    t: FakeThread, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = world.cwd / "file"

    def swap() -> None:
        victim.unlink()
        os.symlink(world.secret, victim)

    _between(monkeypatch, "file", swap)
    assert fails(lambda: open_(t, "file")) in (ENOENT, ESTALE, 40)


def test_is_a_directory_swapped_for_a_link_noticed(
    t: FakeThread, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap() -> None:
        os.rename(world.rw / "sub", world.rw / "old")
        os.symlink(world.base / "outside", world.rw / "sub")

    _between(monkeypatch, "sub", swap)
    answer = fails(lambda: open_(t, f"{world.rw}/sub/secret"))
    assert answer in (ENOENT, ENOTDIR, ESTALE)
    assert fails(lambda: put_file(t, f"{world.rw}/sub/new")) != 0
    assert world.untouched()


def test_is_a_file_swapped_for_another_or_a_fifo_noticed(
    t: FakeThread, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap() -> None:
        (world.cwd / "file").unlink()
        os.mkfifo(world.cwd / "file")

    _between(monkeypatch, "file", swap)
    assert fails(lambda: open_(t, "file")) in (EACCES, ESTALE)


def test_does_a_race_of_two_ever_win(t: FakeThread, world: World) -> None:
    """A thread of the host swaps a directory and a link to the outside as fast as it can."""
    place, aside, door = world.rw / "race", world.rw / "aside", world.rw / "door"
    place.mkdir()
    (place / "secret").write_bytes(b"inside")
    os.symlink(world.base / "outside", door)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(place, aside)
            os.rename(door, place)
            os.rename(place, door)
            os.rename(aside, place)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(1500):
            try:
                fd = open_(t, f"{world.rw}/race/secret")
            except Errno:
                continue
            assert read(t, fd) == b"inside"
            t.files.close(fd)
            try:
                fd = open_(t, f"{world.rw}/race/secret", O_WRONLY | O_TRUNC | O_CREAT)
                t.files.get_writable(fd).write(b"inside")
                t.files.close(fd)
            except Errno:
                continue
            t.mem._next = 0x10000
    finally:
        stop.set()
        swapper.join()
    assert world.untouched()


def test_are_the_hosts_devices_fifos_and_sockets_out_of_reach(world: World) -> None:
    os.mkfifo(world.cwd / "fifo")
    t = world.guest()
    assert stat.S_ISFIFO(stat_(t, "fifo")["mode"])
    for flags in (0, O_WRONLY, O_RDWR):
        assert fails(lambda flags=flags: open_(t, "fifo", flags)) in (EACCES, EROFS)
    if os.getuid() == 0:
        os.mknod(world.rw / "zero", 0o020666, os.makedev(1, 5))
        assert fails(lambda: open_(t, f"{world.rw}/zero")) == EACCES
    fifo = t.mem.text(f"{world.rw}/made")
    assert fails(lambda: directories.mknodat(t, AT_FDCWD, fifo, 0o010666, 0)) == EPERM


def test_does_a_programs_grant_show_its_directory(world: World) -> None:
    program = world.base / "outside" / "prog"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    grants = Grants(cwd=str(world.cwd), program=str(program))
    t = new_thread(build_namespace(grants, Services(credentials=ROOT)))
    assert listed(t, str(world.base / "outside")) == {"prog"}
    assert get_file(t, str(program)) == b"\x7fELF"
    assert fails(lambda: open_(t, str(world.secret))) == ENOENT
    assert fails(lambda: open_(t, str(program), O_RDWR)) == EROFS


def test_can_mounts_be_undone_or_moved(t: FakeThread, world: World) -> None:
    for path in (str(world.rw), str(world.cwd), "/tmp", "/dev", "/proc"):
        text = t.mem.text(path)
        assert fails(lambda x=text: directories.unlinkat(t, AT_FDCWD, x, 0x200)) in (
            16,
            EROFS,
            EACCES,
        )
        assert fails(lambda p=path: rename(t, p, "/elsewhere")) in (16, EXDEV, EROFS)
    assert fails(lambda: directories.chroot(t, t.mem.text("/tmp"))) == EPERM


def test_do_wild_strings_stay_strings(t: FakeThread) -> None:
    for raw in (b"\xff\xfe/../..", b"a\nb", b"%s%n", b"~root", b"$HOME", b"\\..\\..", b"C:"):
        assert fails(lambda raw=raw: openat.openat(t, AT_FDCWD, t.mem.text(raw), 0, 0)) in (
            ENOENT, EISDIR,
        )  # fmt: skip
