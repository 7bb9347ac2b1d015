"""Is a fault on a file's page major when the host must read its disk, and minor otherwise?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emu import Machine
from tests.kernel.syscalls.guests import compiled

_PAGES = 64
_READ_ALL = r"""
int main(int argc, char **argv)
{
    struct rusage before, after;
    long in_stat;
    int fd = open(argv[1], O_RDONLY);
    volatile char *page = mmap(NULL, 64 * 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    getrusage(RUSAGE_SELF, &before);
    for (int n = 0; n < 64; n++)
        page[n * 4096];
    getrusage(RUSAGE_SELF, &after);
    FILE *stat = fopen("/proc/self/stat", "r");
    for (int n = 0; n < 11; n++)
        fscanf(stat, "%*s");
    fscanf(stat, "%ld", &in_stat);
    say("%ld %ld %d", after.ru_majflt - before.ru_majflt, after.ru_minflt - before.ru_minflt,
        in_stat == after.ru_majflt);
    return 0;
}
"""


@pytest.fixture
def cold(tmp_path: Path) -> Path:
    """A file on a disk, whose pages are not in the host's page cache."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4096 * _PAGES)
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return path
    finally:
        os.close(fd)
    pytest.skip("this file system keeps its pages in memory")


def read_all(path: Path, *, deterministic: bool = False) -> tuple[int, int]:
    """Numbers of major and minor faults of a program that reads the mapped file."""
    files = [(str(path.parent), "/files")]
    machine = Machine(read_only=files, deterministic=deterministic, check=True, timeout=60)
    result = machine.run([compiled(_READ_ALL), f"/files/{path.name}"])
    major, minor, agrees = map(int, result.stdout.split())
    assert agrees, "/proc/PID/stat and getrusage(2) differ"
    return major, minor


def test_is_the_first_fault_of_a_cold_file_major_and_none_of_a_warm_one(cold: Path) -> None:
    major, minor = read_all(cold)
    assert major > 0
    assert read_all(cold) == (0, major + minor)


def test_does_a_deterministic_machine_not_depend_on_the_host_s_cache(cold: Path) -> None:
    major, minor = read_all(cold, deterministic=True)
    assert major == 0 < minor
