"""Do errors of the host, and defects of emu, end a run with a message and status?"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emu.commands import RUN, SECONDS, emu, environment, program

WRITER = """
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
    static char block[4096];
    int fd = open(argv[1], O_CREAT | O_WRONLY, 0644);
    for (int i = 0; i < 4096; i++)
        if (write(fd, block, sizeof block) < 0) { puts(strerror(errno)); return 3; }
    return 0;
}
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("no mount(8) on this machine")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_is_a_full_disk_the_guests_errno(small_disk: Path) -> None:
    outcome = emu("run", "--rw", small_disk, program("writer", WRITER), small_disk / "file")
    assert (outcome.status, outcome.stdout) == (3, "No space left on device\n")
    assert outcome.stderr == ""


def test_is_a_limit_on_the_size_of_files_the_guests_errno(tmp_path: Path) -> None:
    done = subprocess.run(
        [*RUN, "--rw", str(tmp_path), str(program("writer", WRITER)), f"{tmp_path}/file"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16)),
    )
    assert (done.returncode, done.stdout) == (3, "File too large\n")


def test_is_a_trace_that_can_not_be_written_given_up_with_a_line() -> None:
    hello = program("hi", '#include <stdio.h>\nint main(void) { puts("hi"); }\n')
    outcome = emu("run", "--trace", "faults", "--trace-file", "/dev/full", hello)
    assert (outcome.status, outcome.stdout) == (0, "hi\n")
    assert outcome.messages == ["emu: /dev/full: No space left on device; the trace ends here"]


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_does_a_closed_standard_stream_stay_closed_for_the_guest(closed: int) -> None:
    text = "#include <fcntl.h>\nint main(void) { int bad = 0;"
    text += (
        "for (int fd = 0; fd < 3; fd++) if (fcntl(fd, F_GETFD) < 0) bad |= 1 << fd; return bad; }\n"
    )
    done = subprocess.run(
        [*RUN, str(program("streams", text))],
        env=environment(),
        capture_output=True,
        timeout=SECONDS,
        check=False,
        preexec_fn=lambda: os.close(closed),
    )
    assert done.returncode == 1 << closed
    assert done.stderr == b""


def test_is_a_defect_of_ours_never_the_guests_crash(tmp_path: Path) -> None:
    """A kernel that raises an exception in a system call, as with a defect of emu."""
    (tmp_path / "sitecustomize.py").write_text(
        "from kernel.process.process import Program\n"
        "def broken(*arguments):\n    raise ZeroDivisionError('our own mistake')\n"
        "Program.renamed = broken\n"
    )
    guest = program("hi", '#include <stdio.h>\nint main(void) { puts("hi"); }\n')
    done = subprocess.run(
        [*RUN, str(guest)],
        env={**environment(), "PYTHONPATH": f"{tmp_path}:{environment()['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 70
    assert "our own mistake" in done.stderr
    assert "defect of emu, not of the program" in done.stderr.splitlines()[-1]
