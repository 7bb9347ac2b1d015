"""Does ``emu compare`` report equal results under all policies, and each difference?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guest.manifest import BY_NAME
from tests.emu.commands import EMU, emu, environment, program
from tests.guest.running import built

ECHO = """
#include <stdio.h>
int main(void) { int c; while ((c = getchar()) != EOF) putchar(c); fputs("end", stderr); return 7; }
"""
DIFFERS = """
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(int c, char **v) {
    char b[9] = "";
    int fd = open(v[1], O_RDWR | O_CREAT, 0600), n = read(fd, b, 8);
    write(fd, "x", 1);
    printf("same\\nrun %d\\n", n);
    return n;
}
"""


def compared(*words: str | Path) -> dict[str, Any]:
    outcome = emu("compare", "--check", "--json", *words)
    return {"status_of_emu": outcome.status, **json.loads(outcome.stdout)}


def test_is_the_output_printed_once_and_the_table_on_stderr() -> None:
    outcome = emu("compare", "--check", built(BY_NAME["demo_cow"], "static"))
    assert outcome.status == 0
    assert outcome.stdout.splitlines() == [
        "parent sees  pppppppp",
        " child sees  pCCppCpp",
        "parent sees  pPpppppP",
    ]
    rows = [line.rsplit(maxsplit=3) for line in outcome.stderr.splitlines()]
    comparison = compared(built(BY_NAME["demo_cow"], "static"))
    copied = [run["summary"]["frames_copied"] for run in comparison["runs"]]
    assert ["frames copied", *map(str, copied)] in rows
    assert 3 <= copied[0] < copied[1] and copied[0] == copied[2]
    assert max(map(len, outcome.stderr.splitlines())) <= 80


@pytest.mark.parametrize("name", ["exact_child", "exact_parent", "exact_chain", "exact_kernel"])
def test_are_the_counts_those_of_the_manifest(name: str) -> None:
    guest = BY_NAME[name]
    assert guest.total is not None
    comparison = compared(built(guest, "static"))
    assert comparison["identical"] and comparison["differences"] == []
    cow, eager, tables = (run["summary"] for run in comparison["runs"])
    assert cow["frames_copied"] == tables["frames_copied"] == guest.total.copied
    assert cow["frames_reused"] == tables["frames_reused"] == guest.total.reused
    assert eager["frames_copied"] == cow["eager_frames_copied"]
    assert [run["policy"] for run in comparison["runs"]] == ["cow", "eager", "shared-tables"]


def test_is_standard_input_given_to_each_run() -> None:
    outcome = emu("compare", program("compare_echo", ECHO), stdin="line\n")
    assert (outcome.status, outcome.stdout) == (7, "line\n")
    assert outcome.stderr.startswith("end") and "identical: 5 bytes of stdout" in outcome.stderr


def test_is_a_program_that_differs_status_1_with_the_place(tmp_path: Path) -> None:
    words = ("--rw", tmp_path, program("compare_differs", DIFFERS), tmp_path / "count")
    outcome = emu("compare", *words)
    assert (outcome.status, outcome.stdout) == (1, "same\nrun 0\n")
    assert outcome.messages == [
        "emu: the exit status is 0 under cow and 1 under eager",
        "emu: stdout differs in line 2 (byte 9): 'run 0\\n' under cow, 'run 1\\n' under eager",
        "emu: the exit status is 0 under cow and 2 under shared-tables",
        "emu: stdout differs in line 2 (byte 9): "
        "'run 0\\n' under cow, 'run 2\\n' under shared-tables",
    ]
    assert "identical" not in outcome.stderr


SNAPSHOT = """
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define HUGE (2UL << 20)
#define SIZE (8 * HUGE)
int main(void) {
    char *around = mmap(0, SIZE + HUGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *data = (char *)(((unsigned long)around + HUGE - 1) & -HUGE);
    for (char *at = data; at < data + SIZE; at += 4096) *at = 1;
    if (!fork()) {
        for (char *at = data; at < data + SIZE; at += 65536) *at = 2;
        _exit(0);
    }
    return wait(0) < 0;
}
"""
"""16 MiB; a child stores a byte in each 64 KiB of it."""


def test_what_it_copies_with_huge_pages() -> None:
    comparison = compared("--page-sizes", program("compare_snapshot", SNAPSHOT))
    assert (comparison["status_of_emu"], comparison["differences"]) == (0, [])
    assert [run["pages"] for run in comparison["runs"]] == [
        "4 KiB pages",
        "huge pages",
        "huge copies",
    ]
    small, huge, whole = (run["summary"] for run in comparison["runs"])
    # The C library's own pages are copied too, equally in all runs.
    other = small["frames_copied"] - 256
    assert 0 < other < 20
    assert huge["frames_copied"] == 256 + other
    assert whole["frames_copied"] == 8 * 512 + other
    assert [run["faults"]["copied"] - other for run in (small, huge, whole)] == [256, 256, 8]
    assert [run["huge_mapped"] for run in (small, huge, whole)] == [0, 8, 16]
    assert [run["huge_split"] for run in (small, huge, whole)] == [0, 8, 0]
    zero_filled = [run["faults"]["zero_filled"] for run in (small, huge, whole)]
    assert zero_filled[0] - zero_filled[1] == 8 * 512 - 8 and zero_filled[1] == zero_filled[2]
    assert whole["frames_peak"] - huge["frames_peak"] == 8 * 512 - 256


def test_is_the_table_of_page_sizes_readable() -> None:
    outcome = emu("compare", "--page-sizes", program("compare_snapshot", SNAPSHOT))
    lines = outcome.stderr.splitlines()
    assert lines[0].split() == ["4", "KiB", "pages", "huge", "pages", "huge", "copies"]
    assert ["huge pages mapped", "0", "8", "16"] in [line.rsplit(maxsplit=3) for line in lines]
    assert max(map(len, lines)) <= 80


def test_is_the_page_size_not_given_twice() -> None:
    for option in (
        ("--thp", "never"),
        ("--thp", "madvise"),
        ("--thp-cow", "huge"),
        ("--thp-cow", "page"),
    ):
        outcome = emu("compare", "--page-sizes", *option, "x")
        assert (outcome.status, outcome.messages) == (
            2,
            [f"emu: {option[0]}: not possible with --page-sizes, which sets it"],
        )


def test_are_two_deterministic_runs_alike() -> None:
    guest = built(BY_NAME["fork_chain"], "static")
    assert compared("--deterministic", guest) == compared("--deterministic", guest)


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", "0<&- 2>&-", "0<&- 1>&- 2>&-"])
def test_is_the_status_the_guests_where_the_table_is_not_read(streams: str) -> None:
    words = [*EMU, "compare", str(program("compare_echo", ECHO))]
    command = ["sh", "-c", f'"$@" {streams}', "sh", *words]
    done = subprocess.run(command, env=environment(), input=b"", check=False)
    assert done.returncode == 7


def test_does_the_first_run_import_no_more_than_the_others() -> None:
    script = """if True:
        import sys
        from emu.cli import main
        from emu.cli.commands import compare
        run = compare.run_session
        def watched(*given):
            before = set(sys.modules)
            status = run(*given)
            print("more:", *sorted(set(sys.modules) - before), file=sys.stderr)
            return status
        compare.run_session = watched
        main.main(sys.argv[1:])
    """
    words = [sys.executable, "-c", script, "compare", str(built(BY_NAME["demo_cow"], "static"))]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("more:")]
    assert lines == ["more:"] * 3


def test_is_a_program_that_cannot_run_one_clear_line() -> None:
    outcome = emu("compare", "/no/such/program")
    assert outcome.status == 127 and outcome.stderr.count("\n") == 1
    outcome = emu("compare", "--fork-policy", "eager", "x")
    assert outcome.status == 2 and "Traceback" not in outcome.stderr
    outcome = emu("compare", "-o", "/no/such/folder/file", "x")
    assert outcome.status == 2 and outcome.stderr.count("\n") == 1
