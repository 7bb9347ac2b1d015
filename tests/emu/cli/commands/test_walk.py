"""Does ``emu walk`` draw the requested page table walk, at the requested time?"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from functools import cache
from pathlib import Path

import pytest

from emu.machine.sv39 import Rule
from guest.manifest import FOLDER, GUESTS
from tests.emu.cli.walks import walk
from tests.emu.commands import EMU, SECONDS, Outcome, emu, environment, program
from tests.guest.running import built
from toolchain.build import build

EXIT = "exit"


@cache
def demo() -> Path:
    """Eight pages; a child writes pages 1, 2 and 5, then the parent 1 and 7."""
    return build([FOLDER / "demo_cow.c"])


def frame(text: str) -> str:
    (found,) = re.findall(r"frame (0x[0-9a-f]+), ", text)
    return str(found)


# At an instruction.


def test_a_page_is_shared_before_the_first_store_and_copied_by_it() -> None:
    first = walk(demo(), "--at", "write_page", "--access", "store", "pages+0x1004")
    assert "by pid 3 (demo_cow), before the instruction at 0x" in first
    assert "copy-on-write" in first and "writable" not in first
    assert (
        f"fault STORE_PAGE_FAULT, cause 15: the store fails because {Rule.NOT_WRITABLE.value}"
        in first
    )
    assert "private memory, count 2" in first and "mapped by pid 2, 3" in first
    second = walk(demo(), "--at", "write_page", "--hit", "2", "--access", "store", "pages+0x1004")
    assert "by pid 3 " in second and "W writable" in second and "copy-on-write" not in second
    assert "count 1" in second and second.rstrip().endswith("mapped by pid 3")
    assert frame(second) != frame(first)
    assert f"physical {int(frame(second), 16) << 12:#x} + 0x4 = " in second


def test_one_process_can_be_waited_for() -> None:
    text = walk(demo(), "--at", "write_page", "--pid", "2", "pages+0x7000")
    assert "by pid 2 " in text and "copy-on-write" in text and "count 1" in text


@pytest.mark.parametrize("options", [(), ("--deterministic", "--check")])
def test_the_nth_time(options: tuple[str, ...]) -> None:
    text = "long n; __attribute__((noinline)) void step(long at) { n = at; }\n"
    text += "int main(void) { for (long i = 1; i < 500; i++) step(i); }\n"
    words: list[str | Path] = [program("steps", text), "--at", "step", "--hit", "400", *options]
    assert "load of 0x190 by" in walk(*words, "a0"), "a0 has the number of the call"


def test_the_guests_output_goes_to_stderr_as_far_as_it_came() -> None:
    outcome = emu("walk", demo(), "--at", "write_page", "pages")
    assert outcome.stdout.startswith("access ") and "sees" not in outcome.stdout
    assert outcome.stderr == "parent sees  pppppppp\n"


def test_a_pc_in_hex_and_an_offset_into_a_function() -> None:
    there = re.search(r"instruction at (0x\w+)", walk(demo(), "--at", "write_page", "pc"))
    assert there is not None
    pc = int(there[1], 16)
    for at in (f"{pc:#x}", f"{pc:x}", f"{pc - 4:#x}+4", "write_page+0"):
        text = walk(demo(), "--at", at, "--access", "fetch", "pc")
        assert f"fetch of {pc:#x} by pid 3 " in text and "r-xp" in text
        assert "a page of a file" in text and "X executable" in text


@pytest.mark.parametrize("way", ["dynamic", "musl"])
def test_a_position_independent_programs_symbols_are_where_it_was_put(way: str) -> None:
    """Musl's is static."""
    (demo_guest,) = [guest for guest in GUESTS if guest.name == "demo_cow"]
    text = walk(built(demo_guest, way), "--at", "main", "main")
    assert re.search(
        r"load of (0x2a\w+) by pid 2 \(demo_cow\), before the instruction at \1 ", text
    )
    assert "r-xp" in text and "demo_cow" in text


@pytest.mark.parametrize("symbol, file", [("fork", "libc.so"), ("_dl_debug_state", "ld-linux")])
def test_a_library_and_the_interpreter_have_symbols_too(symbol: str, file: str) -> None:
    (demo_guest,) = [guest for guest in GUESTS if guest.name == "demo_cow"]
    guest = built(demo_guest, "dynamic")
    text = walk(guest, "--at", symbol, symbol)
    assert re.search(r"load of (0x\w+) by pid 2 \(demo_cow\), before the instruction\s+at \1", text)
    assert "r-xp" in text and file in text
    outcome = emu("walk", guest, "--at", "nowhere", "pages")
    assert outcome.status == 1 and len(outcome.messages) == 1
    assert ": no symbol 'nowhere'" in outcome.messages[0]
    outcome = emu("walk", guest, "--at", symbol, "nothing")
    assert outcome.status == 2 and ": no symbol 'nothing'" in outcome.messages[0]


def test_registers_and_what_lies_there() -> None:
    assert "rw-p [stack]" in walk(demo(), "--at", "main", "sp")
    assert "rw-p [stack]" in walk(demo(), "--at", "main", "--access", "store", "sp-64")
    nothing = walk(demo(), "--at", "main", "0x12345000")
    assert "not mapped" in nothing and Rule.INVALID.value in nothing
    assert "frame 0x" not in nothing
    beyond = walk(demo(), "--at", "main", "0x4000000000")
    assert Rule.NON_CANONICAL.value in beyond


def test_symbols_mean_something_only_where_the_program_itself_is_run(tmp_path: Path) -> None:
    """The other program is a copy, so both have the same symbols at the same addresses."""
    text = """
        #include <unistd.h>
        #include <sys/wait.h>
        int main(int argc, char **argv) {
            if (argc != 2) return 0;
            if (!fork()) return execl(argv[1], "other", NULL);
            wait(NULL);
            if (!fork()) return execl("/proc/self/exe", "itself", NULL);
            wait(NULL);
        }
    """
    prog, other = program("execs", text), tmp_path / "other"
    shutil.copy(prog, other)

    def drawn(at: str, pid: str, address: str) -> Outcome:
        words = ["--at", at, "--pid", pid, address, str(other)]
        return emu("walk", "--rw", tmp_path, prog, *words)

    outcome = drawn("_start", "3", "sp")
    assert (outcome.status, outcome.messages) == (
        1, ["emu: pid 3 never reached _start (it was reached by pid 2: 1, pid 4: 1)"]
    )  # fmt: skip
    start = re.search(r"instruction\s+at (0x\w+)", drawn("_start", "4", "main").stdout)
    assert start is not None, "the program itself, from its start on"
    assert drawn(start[1], "3", "main").status == 1
    assert "by pid 3 (other), " in drawn(start[1], "3", "sp").stdout


# At the end.


def test_at_the_exit_of_a_child_and_of_its_parent() -> None:
    child = walk(demo(), "--at", EXIT, "pages+0x3000")
    assert "by pid 3 (demo_cow), at its end" in child
    assert "copy-on-write" in child and "count 2" in child and "pid 2, 3" in child
    parent = walk(demo(), "--at", EXIT, "--pid", "2", "pages+0x3000")
    assert "by pid 2 " in parent and "copy-on-write" in parent and "count 1" in parent
    assert frame(child) == frame(parent)


def test_at_the_end_of_one_that_a_signal_kills() -> None:
    text = "int data = 1; int main(void) { *(volatile int *)8 = data; }\n"
    outcome = emu("walk", program("dies", text), "--at", EXIT, "8")
    assert outcome.status == 0 and Rule.INVALID.value in outcome.stdout


# Errors.


def test_a_place_that_is_never_reached() -> None:
    outcome = emu("walk", demo(), "--at", "0x10", "pages")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.messages == ["emu: no process reached 0x10"]
    outcome = emu("walk", demo(), "--at", "write_page", "--hit", "4", "pages")
    assert outcome.status == 1
    assert outcome.messages == [
        "emu: no process reached write_page 4 times (it was reached by pid 2: 2, pid 3: 3)"
    ]
    outcome = emu("walk", demo(), "--at", EXIT, "--pid", "9", "pages")
    assert outcome.status == 1 and "pid 9 never reached its exit" in outcome.messages[0]


@pytest.mark.parametrize(
    "words, reason",
    [
        (("--at", "nowhere", "pages"), ": no symbol 'nowhere'"),
        (("--at", "main", "nothing"), ": no symbol 'nothing'"),
        (("--at", "sp", "pages"), "--at sp: is a register (expected "),
        (("--at", EXIT, "sp"), "sp: registers are not available after exit"),
        (("--at", "main", "0xzz"), "not an address"),
        (("--at", "12zz", "pages"), "not an address"),
        (("--at", "main", "0x10000000000000000"), "not an address"),
        (("--at", "main", ""), "not an address"),
        (("--at", "main", "pages+"), "not an address"),
        (("--at", "main"), "missing argument (expected PROG, --at and ADDRESS"),
        (("pages",), "missing argument (expected PROG, --at and ADDRESS"),
        (("--at", "main", "--mem", "lots", "pages"), "not a size"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: tuple[str, ...], reason: str) -> None:
    outcome = emu("walk", demo(), *words)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert reason in outcome.stderr and outcome.stderr.count("\n") == 1


def test_a_program_without_symbols(tmp_path: Path) -> None:
    stripped = build([FOLDER / "demo_cow.c"], flags=["-s"])
    outcome = emu("walk", stripped, "--at", "main", "0")
    assert outcome.status == 2 and "no symbol table" in outcome.messages[0]
    assert "[stack]" in walk(stripped, "--at", EXIT, "0x3fffffe000")
    damaged = tmp_path / "damaged"
    data = bytearray(demo().read_bytes())
    (sections,) = struct.unpack_from("<Q", data, 0x28)
    data[sections:] = b"\xff" * (len(data) - sections)
    damaged.write_bytes(data)
    damaged.chmod(0o755)
    outcome = emu("walk", damaged, "--at", "main", "0")
    assert outcome.status == 2 and len(outcome.messages) == 1


def test_a_name_sends_no_control_characters_to_the_terminal(tmp_path: Path) -> None:
    odd = tmp_path / "a\x1b[31mred\nend"
    shutil.copy(demo(), odd)
    drawing = walk(odd, "--at", "main", "main")
    assert r"a\x1b[31mred\nend" in drawing.partition(" r-xp ")[2] and "\x1b" not in drawing
    outcome = emu("walk", odd, "--at", "nowhere", "0")
    assert outcome.status == 2 and len(outcome.messages) == 1 and "\x1b" not in outcome.stderr


def test_a_program_that_is_missing() -> None:
    outcome = emu("walk", "/no/such/program", "--at", "main", "0")
    assert outcome.status == 127 and outcome.stderr.count("\n") == 1


def test_the_programs_own_words_follow_the_address() -> None:
    text = '#include <stdio.h>\nint main(int c, char **v) { printf("%d %s", c, v[1]); }\n'
    outcome = emu("walk", program("words", text), "--at", EXIT, "main", "--", "--at")
    assert (outcome.status, outcome.stderr) == (0, "2 --at")


# Streams.


def test_a_reader_that_has_gone_is_not_a_defect() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*EMU, "walk", demo(), "--at", "main", "sp"],
        env=environment(), stdout=writer, stderr=subprocess.PIPE, timeout=SECONDS, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + 13, b"")


def test_help_says_where_the_programs_output_goes() -> None:
    outcome: Outcome = emu("walk", "--help")
    assert outcome.status == 0 and "standard error" in " ".join(outcome.stdout.split())
