"""Does ``emu root`` fill a folder in which programs run, and say in one line what it cannot do?"""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.emu.commands import EMU, Outcome, environment, ran
from tests.toolchain.debian.repository import NEEDS_APT, Package, Repository
from toolchain.build import build
from toolchain.debian.marks import UNFINISHED

pytestmark = NEEDS_APT


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("mirror")
    source = folder / "hello.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    program = build([source]).read_bytes()
    mirror = Repository(folder)
    mirror.publish(
        Package("libc-bin"),
        Package("hello", {"usr/bin/hello": program}, modes={"usr/bin/hello": 0o755}),
        Package("large", {"usr/share/large": "x" * 3_000_000}),
    )
    return mirror


@pytest.fixture
def command(mirror: Repository, tmp_path: Path) -> list[str]:
    return [*EMU, "root", "--mirror", mirror.uri, "--keyring", str(mirror.keyring)]


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {**environment(), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_does_a_program_of_a_package_run(
    command: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    folder = str(tmp_path / "root")
    outcome = ran([*command, folder, "hello"], environment=variables)
    assert outcome.status == 0 and outcome.stdout == ""
    assert outcome.messages[1:] == [
        "emu: downloading 2 packages, 1 MiB",
        "emu: unpacking 2 packages",
        "emu: writing accounts, alternatives and the cache of libraries",
        f"emu: {folder}: unpacked 2 packages of trixie",
    ]
    outcome = ran([*EMU, "run", "--root", folder, "/bin/hello"], environment=variables)
    assert (outcome.status, outcome.stdout) == (0, "hello\n")
    outcome = ran([*command, folder, "hello"], environment=variables)
    assert outcome == Outcome(0, "", f"emu: {folder}: has hello of trixie already\n")


def test_is_progress_on_a_terminal_one_line(
    command: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*command, str(tmp_path / "root"), "large"], stderr=theirs, env=variables
    )
    os.close(theirs)
    text = ""
    try:
        while more := os.read(ours, 4096):
            text += more.decode()
    except OSError:  # the terminal's other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    *renewed, last = text.strip().split("\x1b[K")
    assert last.endswith("unpacked 2 packages of trixie")
    assert all("\n" not in each for each in renewed)
    assert re.search(r"emu: \d+ s, unpacking large, [12] of 2\r", text)


def test_is_an_interruption_one_line_after_which_the_command_continues(
    command: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    real = shutil.which("dpkg-deb")
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin" / "dpkg-deb"
    # It is interrupted while the second package is read.
    slow.write_text(
        '#!/bin/sh\ncase "$*" in *fsys*libc-bin*) kill -INT $PPID; sleep 60;; esac\n'
        f'exec {real} "$@"\n'
    )
    slow.chmod(0o755)
    path = {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    folder = tmp_path / "root"
    outcome = ran([*command, str(folder), "hello"], environment={**variables, **path})
    assert outcome.status == 128 + signal.SIGINT
    assert outcome.messages[-1] == f"emu: {folder}: interrupted (the same command continues)"
    assert "Traceback" not in outcome.stderr
    assert (folder / UNFINISHED).exists()
    run = [*EMU, "run", "--root", str(folder), "/bin/hello"]
    outcome = ran(run, environment=variables)
    problem = "has packages missing (the same emu root command continues)"
    assert outcome == Outcome(2, "", f"emu: {folder}: {problem}\n")
    assert ran([*command, str(folder), "hello"], environment=variables).status == 0
    assert ran(run, environment=variables).stdout == "hello\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["root", "helo"], r"there is no package helo in trixie \(did you mean hello\?\)"),
        (["root", "hello", "--suite", "sid"], r"there is no suite sid on file:\S+ \(expected .*\)"),
        (["root", "hello", "--keyring", "none"], r"the keyring none cannot be read"),
        (["full", "hello"], r"has files, and was not filled by emu root \(expected a new folder\)"),
        (["full/file", "hello"], r"not a folder"),
        (["full/file/root", "hello"], r"not a folder|.*Not a directory"),
    ],
)
def test_is_an_error_one_line(
    words: list[str],
    message: str,
    command: list[str],
    variables: dict[str, str],
    tmp_path: Path,
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    outcome = ran([*command, *words], cwd=tmp_path, environment=variables)
    assert outcome.status == 2 and outcome.stdout == ""
    assert re.fullmatch(f"emu: {words[0]}: (?:{message})", outcome.messages[-1]), outcome.stderr
    assert [line for line in outcome.stderr.splitlines() if not line.startswith("emu: ")] == []
    assert not (tmp_path / "root").exists()


def test_is_a_system_without_apt_one_line(
    command: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    outcome = ran([*command, "root", "hello"], cwd=tmp_path, environment={**variables, "PATH": "/"})
    assert outcome.status == 2
    assert outcome.stderr.startswith("emu: root: apt-get is missing (expected Debian or Ubuntu;")
    assert outcome.stderr.count("\n") == 1
