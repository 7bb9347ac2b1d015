"""Does a program under ``--root`` see only its root and the granted files of the host?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.emu.cli.commands.test_run import WRITE, hello
from tests.emu.commands import emu, program
from toolchain.find import find
from toolchain.variant import Variant

CAT = """
#include <fcntl.h>
#include <unistd.h>
int main(int c, char **v) {
    char b[100];
    int fd = open(v[1], O_RDONLY);
    if (fd < 0) return 1;
    write(1, b, read(fd, b, sizeof b));
    return open(v[1], O_WRONLY) >= 0 ? 2 : 0;
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system with a few programs in /bin."""
    folder = tmp_path / "root"
    (folder / "bin").mkdir(parents=True)
    for name, path in {
        "hello": hello(),
        "dynamic": hello(Variant.DYNAMIC),
        "write": program("write", WRITE),
        "cat": program("cat", CAT),
    }.items():
        shutil.copy(path, folder / "bin" / name)
    return folder


@pytest.mark.parametrize("name", ["/bin/hello", "hello", "bin/hello"])
def test_is_the_program_found_in_the_root(root: Path, name: str) -> None:
    outcome = emu("run", "--root", root, name)
    assert (outcome.status, outcome.stdout) == (7, "hello\n")


def test_is_a_program_of_the_host_not_found(root: Path) -> None:
    here = emu("run", "--root", root, hello())
    top = f"/{hello().parts[1]}"
    assert here.status == 127
    assert here.messages[0].startswith(f"emu: {hello()}: no {top} in the root {root} (--ro ")
    native = emu("run", "--root", root, "/bin/sh")
    assert native.status == 127
    assert native.messages[0].startswith(f"emu: /bin/sh: no /bin/sh in the root {root} (--ro ")


def test_does_the_error_for_a_name_not_in_path_show_path(root: Path) -> None:
    outcome = emu("run", "--root", root, "--env", "PATH=/bin:/sbin", "python3")
    assert outcome.status == 127
    assert outcome.messages == [f"emu: python3: not in the root {root} (PATH=/bin:/sbin)"]


def test_is_cwd_a_directory_of_the_root(root: Path, tmp_path: Path) -> None:
    outcome = emu("run", "--root", root, "--cwd", "/bin", "./hello")
    assert (outcome.status, outcome.stdout) == (7, "hello\n")
    host = emu("run", "--root", root, "--cwd", tmp_path, "/bin/hello")
    assert host.status == 2
    assert host.messages[0].startswith(f"emu: --cwd {tmp_path}: no /")
    assert f" in the root {root} (" in host.messages[0]


def test_does_the_deepest_folder_that_is_there_decide_which_is_missing(root: Path) -> None:
    (root / "opt").mkdir()
    outcome = emu("run", "--root", root, "/opt/tool/bin/prog")
    assert outcome.messages[0].startswith(
        f"emu: /opt/tool/bin/prog: no /opt/tool in the root {root}"
    )


def test_is_a_dangling_link_named(root: Path) -> None:
    (root / "bin" / "sh").symlink_to("/usr/bin/dash")
    outcome = emu("run", "--root", root, "/bin/sh")
    assert "/bin/sh links to /usr/bin/dash, which does not exist in the root" in outcome.messages[0]


def test_is_the_link_that_a_root_of_unpacked_packages_lacks_named(root: Path) -> None:
    sysroot = find().sysroot
    assert sysroot is not None
    (root / "usr").mkdir()
    shutil.copytree(sysroot / "lib", root / "usr" / "lib", symlinks=False)
    lacking = emu("run", "--root", root, "/bin/dynamic")
    assert lacking.status == 127
    assert f"no /lib in the root {root}, but /usr/lib/ld-" in lacking.messages[0]
    assert f"ln -s usr/lib {root}/lib" in lacking.messages[0]
    os.symlink("usr/lib", root / "lib")
    outcome = emu("run", "--root", root, "/bin/dynamic")
    assert (outcome.status, outcome.stdout) == (7, "hello\n")


def test_is_a_scripts_missing_interpreter_reported_likewise(root: Path) -> None:
    (root / "usr" / "sbin").mkdir(parents=True)
    shutil.copy(hello(), root / "usr" / "sbin" / "shell")
    script = root / "bin" / "script"
    script.write_text("#!/sbin/shell\n")
    script.chmod(0o755)
    outcome = emu("run", "--root", root, "script")
    assert outcome.status == 127
    assert f"ln -s usr/sbin {root}/sbin" in outcome.messages[0]


def test_are_writes_below_a_root_dropped(root: Path) -> None:
    (root / "etc").mkdir()
    assert emu("run", "--root", root, "write", "/etc/out").status == 0
    assert not (root / "etc" / "out").exists()


@pytest.mark.parametrize("one_file", [False, True])
def test_does_ro_show_a_script_without_granting_writes(
    root: Path, tmp_path: Path, one_file: bool
) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "script").write_text("text")
    (folder / "other").write_text("more")
    given = f"{folder}/script:/given/script" if one_file else f"{folder}:/given"
    outcome = emu("run", "--root", root, "--ro", given, "cat", "/given/script")
    assert (outcome.status, outcome.stdout) == (0, "text")
    other = emu("run", "--root", root, "--ro", given, "cat", "/given/other")
    assert other.stdout == ("" if one_file else "more")


@pytest.mark.parametrize("place", ["/bin/hello/below", "/bin/hello/far/below", "/"])
def test_is_a_grant_below_a_file_or_of_one_as_root_one_clear_line(root: Path, place: str) -> None:
    outcome = emu("run", "--root", root, "--ro", f"{hello()}:{place}", "hello")
    assert (outcome.status, outcome.stderr) == (2, f"emu: {place}: Not a directory in the guest\n")


def test_is_a_file_in_the_place_of_the_programs_folder_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "prog"
    path.parent.mkdir()
    shutil.copy(hello(), path)
    outcome = emu("run", "--ro", f"{hello()}:{path.parent}", path)
    assert (outcome.status, outcome.stderr) == (2, f"emu: {path}: Not a directory in the guest\n")


def test_may_the_guests_path_of_a_grant_go_up(root: Path, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("text")
    outcome = emu(
        "run", "--root", root, "--ro", f"{tmp_path}:/bin/../../given/", "cat", "/given/given"
    )
    assert (outcome.status, outcome.stdout) == (0, "text")


def test_is_a_read_only_folder_inside_a_writable_one_read_only(root: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "kept").mkdir(parents=True)
    grants = ("--ro", f"{work}/kept:/given/kept", "--rw", f"{work}:/given")
    assert emu("run", "--root", root, *grants, "write", "/given/out").status == 0
    refused = emu("run", "--root", root, *grants, "write", "/given/kept/out")
    assert refused.status == 30, "EROFS was expected"
    assert not list((work / "kept").iterdir())


def test_does_a_program_shown_by_ro_run_with_the_roots_libraries() -> None:
    sysroot = find().sysroot
    assert sysroot is not None
    path = hello(Variant.DYNAMIC)
    outcome = emu("run", "--root", sysroot, "--ro", f"{path.parent}:/shown", f"/shown/{path.name}")
    assert (outcome.status, outcome.stdout) == (7, "hello\n")


def test_is_a_file_granted_by_ro_refused_as_an_output(tmp_path: Path) -> None:
    path = tmp_path / "prog"
    shutil.copy(hello(), path)
    before = path.read_bytes()
    words = ("--ro", f"{tmp_path}:/shown", "--root", tmp_path, "-o", path, "/shown/prog")
    outcome = emu("cow", *words)
    assert outcome.status == 2 and "output would overwrite the input" in outcome.stderr
    assert path.read_bytes() == before
