"""Do names resolve, change and vanish as path_resolution(7) and rename(2) say, on every file
system that can be written?"""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel.base.errno import (
    EACCES,
    EBADF,
    EBUSY,
    EEXIST,
    EINVAL,
    EISDIR,
    ELOOP,
    ENAMETOOLONG,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    EOPNOTSUPP,
    EPERM,
    EROFS,
    EXDEV,
)
from kernel.syscalls.files import descriptors, directories, openat, stat
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import (
    AT_FDCWD,
    AT_REMOVEDIR,
    AT_SYMLINK_NOFOLLOW,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_PATH,
    O_RDWR,
    O_TMPFILE,
    O_WRONLY,
)
from kernel.vfs.hostfs.descriptors import HostFds
from kernel.vfs.hostfs.directory import open_folder
from kernel.vfs.hostfs.overlay import OverlayFs
from kernel.vfs.memfs.memfs import MemFs
from kernel.vfs.names.namespace import Namespace
from tests.kernel.fakes import ROOT, FakeThread, done, new_thread
from tests.kernel.syscalls.calls import (
    chdir,
    fails,
    get_file,
    getcwd,
    link,
    listed,
    mkdir,
    open_,
    put_file,
    read,
    readlink,
    rename,
    stat_,
    symlink,
    unlink,
    write,
)


@pytest.fixture(params=["memory", "host", "overlay"])
def t(request: pytest.FixtureRequest, tmp_path: Path) -> FakeThread:
    """A caller whose /w can be written, in /w."""
    (tmp_path / "w").mkdir()
    root = MemFs(number=9, owner=ROOT).root
    namespace = Namespace(root)
    writable: Inode
    if request.param == "memory":
        writable = MemFs(number=10, owner=ROOT).root
    else:
        read_only = request.param == "overlay"
        # So few descriptors stay open that they are closed and reopened often.
        folder = open_folder(str(tmp_path / "w"), read_only=read_only, fds=HostFds(2)).root
        writable = OverlayFs(folder, now=lambda: 1, owner=ROOT).root if read_only else folder
    namespace.mount("/w", writable)
    caller = new_thread(namespace)
    chdir(caller, "/w")
    return caller


def test_are_made_names_there(t: FakeThread) -> None:
    put_file(t, "a", b"1")
    mkdir(t, "d")
    put_file(t, "d/b", b"2")
    assert listed(t, ".") == {"a", "d"}
    assert listed(t, "/w/d") == {"b"}
    assert get_file(t, "/w/../w/./d//b") == b"2"


@pytest.mark.parametrize(
    "path, errno",
    [
        ("", ENOENT),
        ("nothing", ENOENT),
        ("nothing/x", ENOENT),
        ("file/x", ENOTDIR),
        ("file/", ENOTDIR),
        ("file/.", ENOTDIR),
        ("file/..", ENOTDIR),
        ("x" * 256, ENAMETOOLONG),
        ("ü" * 128, ENAMETOOLONG),
        ("x/" * 2048, ENAMETOOLONG),
        ("loop", ELOOP),
        ("loop/x", ELOOP),
    ],
)
def test_what_do_bad_paths_fail_with(t: FakeThread, path: str, errno: int) -> None:
    put_file(t, "file")
    symlink(t, "loop", "loop")
    assert fails(lambda: stat_(t, path)) == errno


def test_does_a_chain_of_forty_links_end(t: FakeThread) -> None:
    put_file(t, "l0", b"x")
    for i in range(41):
        symlink(t, f"l{i}", f"l{i + 1}")
    assert get_file(t, "l40") == b"x"
    assert fails(lambda: open_(t, "l41")) == ELOOP


def test_are_links_followed_where_they_should_be(t: FakeThread) -> None:
    mkdir(t, "d")
    put_file(t, "d/f", b"x")
    symlink(t, "d", "to_d")
    symlink(t, "/w/d/f", "to_f")
    assert get_file(t, "to_d/f") == get_file(t, "to_f") == b"x"
    assert readlink(t, "to_f") == "/w/d/f"
    assert stat_(t, "to_d", AT_SYMLINK_NOFOLLOW)["mode"] >> 12 == 0o12
    assert stat_(t, "to_d/", AT_SYMLINK_NOFOLLOW)["mode"] >> 12 == 0o04
    assert fails(lambda: open_(t, "to_f", O_NOFOLLOW)) == ELOOP
    assert fails(lambda: open_(t, "to_d", O_NOFOLLOW | O_DIRECTORY)) == ENOTDIR
    assert fails(lambda: readlink(t, "d/f")) == EINVAL


def test_does_creating_through_a_dangling_link_make_its_target(t: FakeThread) -> None:
    symlink(t, "target", "dangling")
    assert fails(lambda: open_(t, "dangling", O_CREAT | O_EXCL | O_WRONLY)) == EEXIST
    put_file(t, "dangling", b"made")
    assert get_file(t, "target") == b"made"


def test_do_the_flags_of_open_mean_what_they_say(t: FakeThread) -> None:
    put_file(t, "f", b"x")
    mkdir(t, "d")
    assert fails(lambda: open_(t, "f", O_CREAT | O_EXCL)) == EEXIST
    assert fails(lambda: open_(t, "f", O_DIRECTORY)) == ENOTDIR
    assert fails(lambda: open_(t, "d", O_WRONLY)) == EISDIR
    assert fails(lambda: open_(t, "d", O_CREAT)) == EISDIR
    assert fails(lambda: open_(t, "new/", O_CREAT)) == EISDIR
    assert fails(lambda: open_(t, "new")) == ENOENT


def test_is_a_path_descriptor_good_for_names_only(t: FakeThread) -> None:
    mkdir(t, "d")
    put_file(t, "d/f", b"x")
    place = open_(t, "d", O_PATH)
    assert read(t, open_(t, "f", dirfd=place)) == b"x"
    file = open_(t, "d/f", O_PATH)
    assert fails(lambda: read(t, file)) == EBADF
    assert fails(lambda: open_(t, "x", dirfd=file)) == ENOTDIR
    buffer = t.mem.alloc(128)
    assert done(stat.fstat(t, file, buffer)) == 0
    assert done(descriptors.fcntl(t, file, 3, 0)) == O_PATH


def test_where_is_one_after_a_rename_and_after_a_removal(t: FakeThread) -> None:
    mkdir(t, "a")
    mkdir(t, "a/b")
    chdir(t, "a/b")
    assert getcwd(t) == "/w/a/b"
    rename(t, "/w/a", "/w/c")
    assert getcwd(t) == "/w/c/b"
    chdir(t, "..")
    assert getcwd(t) == "/w/c"
    unlink(t, "b", AT_REMOVEDIR)
    chdir(t, "/w")
    mkdir(t, "gone")
    chdir(t, "gone")
    unlink(t, "/w/gone", AT_REMOVEDIR)
    assert fails(lambda: getcwd(t)) == ENOENT
    assert fails(lambda: put_file(t, "x")) == ENOENT
    assert fails(lambda: mkdir(t, "x")) == ENOENT


def test_does_rename_replace_what_it_may(t: FakeThread) -> None:
    put_file(t, "a", b"a")
    put_file(t, "b", b"b")
    rename(t, "a", "b")
    assert listed(t, ".") == {"b"} and get_file(t, "b") == b"a"
    for name in ("d", "e", "e/full"):
        mkdir(t, name)
    assert fails(lambda: rename(t, "d", "e")) == ENOTEMPTY
    assert fails(lambda: rename(t, "d", "b")) == ENOTDIR
    assert fails(lambda: rename(t, "b", "d")) == EISDIR
    assert fails(lambda: rename(t, "e", "e/full/x")) == EINVAL
    assert fails(lambda: rename(t, "b", "d/")) in (ENOTDIR, EISDIR)
    assert fails(lambda: rename(t, "b", "e", 1)) == EEXIST
    rename(t, "e", "d")
    assert listed(t, "d") == {"full"}


def test_does_a_file_live_on_without_its_name(t: FakeThread) -> None:
    put_file(t, "f", b"still here")
    fd = open_(t, "f", O_RDWR)
    unlink(t, "f")
    assert listed(t, ".") == set()
    assert read(t, fd) == b"still here"
    assert write(t, fd, b"!") == 1


def test_do_hard_links_share_content_and_count(t: FakeThread) -> None:
    put_file(t, "f", b"1")
    link(t, "f", "g")
    put_file(t, "g", b"2")
    assert get_file(t, "f") == b"2"
    assert stat_(t, "f")["nlink"] == 2
    assert stat_(t, "f")["ino"] == stat_(t, "g")["ino"]
    unlink(t, "f")
    assert stat_(t, "g")["nlink"] == 1
    mkdir(t, "d")
    assert fails(lambda: link(t, "d", "d2")) == EPERM
    assert fails(lambda: link(t, "g", "g")) == EEXIST


def test_what_can_not_be_removed(t: FakeThread) -> None:
    mkdir(t, "d")
    put_file(t, "d/f")
    assert fails(lambda: unlink(t, "d")) == EISDIR
    assert fails(lambda: unlink(t, "d", AT_REMOVEDIR)) == ENOTEMPTY
    assert fails(lambda: unlink(t, "d/f", AT_REMOVEDIR)) == ENOTDIR
    assert fails(lambda: unlink(t, "d/.", AT_REMOVEDIR)) == EINVAL
    assert fails(lambda: unlink(t, "d/..", AT_REMOVEDIR)) == ENOTEMPTY
    assert fails(lambda: unlink(t, "/w", AT_REMOVEDIR)) == EBUSY
    assert fails(lambda: unlink(t, "/", AT_REMOVEDIR)) == EBUSY
    assert fails(lambda: unlink(t, "d/f/")) == ENOTDIR


def test_is_a_mount_in_the_way_of_moving(t: FakeThread) -> None:
    assert fails(lambda: rename(t, "/w", "/v")) == EBUSY
    put_file(t, "f")
    assert fails(lambda: rename(t, "f", "/f")) == EXDEV
    assert fails(lambda: link(t, "f", "/f")) == EXDEV


def test_is_mkdir_of_what_exists_eexist(t: FakeThread) -> None:
    for path in ("/", ".", "..", "/w", "/proc"):
        assert fails(lambda path=path: mkdir(t, path)) == EEXIST
    mkdir(t, "d/")
    assert fails(lambda: mkdir(t, "d")) == EEXIST


def test_are_device_nodes_refused(t: FakeThread) -> None:
    path = t.mem.text("dev")
    assert fails(lambda: directories.mknodat(t, AT_FDCWD, path, 0o020666, 0x103)) == EPERM
    assert fails(lambda: directories.mknodat(t, AT_FDCWD, path, 0o060666, 0x801)) == EPERM


def test_does_umask_apply_and_set_uid_stay_off_the_host(t: FakeThread, tmp_path: Path) -> None:
    put_file(t, "f", b"", 0o6777)
    assert stat_(t, "f")["mode"] & 0o777 == 0o755
    from kernel.syscalls.files import attributes

    done(attributes.fchmodat(t, AT_FDCWD, t.mem.text("f"), 0o6711))
    assert stat_(t, "f")["mode"] & 0o777 == 0o711
    for path in tmp_path.rglob("*"):
        assert not path.stat().st_mode & 0o6000


def test_is_everything_listed_in_small_pieces(t: FakeThread) -> None:
    names = {f"name{i:03}" for i in range(300)}
    for name in names:
        put_file(t, name)
    assert listed(t, ".") == names
    fd = open_(t, ".")
    assert fails(lambda: directories.getdents64(t, fd, t.mem.alloc(16), 16)) == EINVAL


def test_can_a_file_be_made_without_a_name(t: FakeThread) -> None:
    answer = fails(lambda: open_(t, ".", O_TMPFILE | O_RDWR))
    assert answer in (0, EROFS, EOPNOTSUPP)


def test_are_descriptors_found_through_proc(t: FakeThread) -> None:
    put_file(t, "f", b"x")
    fd = open_(t, "f")
    assert readlink(t, f"/proc/self/fd/{fd}") == "/w/f"
    assert get_file(t, f"/proc/self/fd/{fd}") == b"x"
    assert readlink(t, "/proc/self/cwd") == "/w"
    assert get_file(t, "/proc/self/cwd/f") == b"x"


def test_does_a_link_into_openat2_restrictions_fail_safely(t: FakeThread) -> None:
    how = t.mem.put((0).to_bytes(8, "little") * 2 + (8).to_bytes(8, "little"))
    assert fails(lambda: openat.openat2(t, AT_FDCWD, t.mem.text("."), how, 24)) == EINVAL


def test_who_may_do_what_without_being_root(tmp_path: Path) -> None:
    from kernel.vfs.core.credentials import Credentials

    root = MemFs(number=9, owner=Credentials(1000, 1000)).root
    t = new_thread(Namespace(root), Credentials(1000, 1000))
    put_file(t, "/f", b"x", 0o200)
    assert fails(lambda: open_(t, "/f")) == EACCES
    mkdir(t, "/d", 0o500)
    assert fails(lambda: put_file(t, "/d/x")) == EACCES
    mkdir(t, "/e", 0o600)
    assert fails(lambda: stat_(t, "/e/x")) == EACCES
