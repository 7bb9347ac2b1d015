"""Does a command end when it is signalled, in any state, and leave no process behind?"""

from __future__ import annotations

import os
import pty
import select
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kernel.config import Config
from kernel.kernel import Kernel
from tests.emu.cli.sessions import shell_status, start, wait_for, wait_until_alone
from tests.emu.commands import SECONDS, emu
from tests.guest.running import needs_terminals
from tests.kernel.syscalls.guests import compiled, output

ENDINGS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGQUIT: 131}
ENDLESS = r"""
    setvbuf(stdout, NULL, _IONBF, 0);
    close(open("/given/running", O_CREAT | O_WRONLY, 0600));
    for (;;) if (argc > 1) sleep(1000);
"""
CHANGES_ITS_CODE = r"""
    uint32_t *code = mmap(NULL, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    code[0] = 0x00000297;                    /* auipc t0, 0 */
    code[1] = 16 << 25 | 5 << 15 | 3 << 12 | 0x23; /* sd zero, 512(t0) */
    code[2] = 0xffdff06f;                    /* j to the store */
    __builtin___clear_cache((char *)code, (char *)code + 4096);
    say("ready\n");
    ((void (*)(void))code)();
"""
PRINTS = r"""
    static char text[5000];
    memset(text, 'y', sizeof text);
    for (;;) write(1, text, sizeof text);
"""
FAULTS = r"""
    for (;;) {
        char *memory = mmap(NULL, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(memory, 1, 1 << 20);
        munmap(memory, 1 << 20);
    }
"""


# Several runs in one command.


@pytest.mark.parametrize("number", ENDINGS)
@pytest.mark.parametrize("how", [(), ("sleeps",)], ids=["computes", "sleeps"])
def test_compare_runs_no_other_policy_when_it_is_ended(
    number: signal.Signals, how: tuple[str, ...], tmp_path: Path
) -> None:
    guest = compiled(ENDLESS)
    command: tuple[str | Path, ...] = ("compare", "--rw", f"{tmp_path}:/given", guest, *how)
    process = start(*command)
    wait_for(process, (tmp_path / "running").exists)
    process.send_signal(number)
    assert shell_status(process) == ENDINGS[number]
    assert process.stderr is not None
    errors = process.stderr.read().splitlines()
    assert errors[-1] == "emu: ended by the user under cow: nothing to compare"


def test_compare_is_not_ended_by_a_signal_that_the_program_sends_itself() -> None:
    process = start("compare", compiled("raise(SIGINT);"))
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "nothing to compare" not in errors and "shared-tables" in errors


# One run.

COMMANDS = {
    "run": ["run"],
    "run with a report": ["run", "--report", "{tmp}/page.html"],
    "trace": ["trace"],
    "trace to a file": ["trace", "-o", "{tmp}/t.jsonl"],
    "cow": ["cow"],
    "why": ["why", "--at", "main"],
    "walk": ["walk", "--at", "exit"],
    "report": ["report", "-o", "{tmp}/page.html"],
}


@pytest.mark.parametrize("number", ENDINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_and_leaves_no_process(
    command: str, number: signal.Signals, tmp_path: Path
) -> None:
    words = [word.format(tmp=tmp_path) for word in COMMANDS[command]]
    address = ["0x10000"] if command == "walk" else []
    process = start(*words, "--rw", f"{tmp_path}:/given", compiled(ENDLESS), *address)
    wait_for(process, (tmp_path / "running").exists)
    process.send_signal(number)
    assert shell_status(process) == ENDINGS[number]
    wait_until_alone(process)


# States in which a signal could be lost.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("mode", ["--deterministic", "--check"])
def test_self_modifying_code_is_ended_by_a_signal(number: signal.Signals, mode: str) -> None:
    process = start("run", mode, compiled(CHANGES_ITS_CODE))
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert shell_status(process) == ENDINGS[number]


def test_self_modifying_code_ends_at_the_time_limit() -> None:
    process = start("run", "--deterministic", "--timeout", "1", compiled(CHANGES_ITS_CODE))
    assert shell_status(process) == 124


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_terminal_does_not_block_the_end_of_a_run(number: signal.Signals) -> None:
    needs_terminals()
    terminal, theirs = pty.openpty()
    process = start("run", compiled(PRINTS), stdin=theirs, stdout=theirs)
    room = select.poll()
    room.register(theirs, select.POLLOUT)
    wait_for(process, lambda: not room.poll(0))
    process.send_signal(number)
    assert shell_status(process) == ENDINGS[number]
    os.close(theirs)
    os.close(terminal)


def test_a_resized_window_does_not_hide_ctrl_c() -> None:
    kernel = Kernel(Config(memory=1 << 20), print)
    received: list[str] = []
    kernel.call_soon(lambda: received.append("ctrl-c"))
    kernel.call_soon(lambda: received.append("resized"))
    kernel.run_requests()
    assert received == ["ctrl-c", "resized"] and not kernel.requests


# Files that accept no data.


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A FIFO whose reader does not read."""
    fifo = tmp_path / "trace.jsonl"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    yield fifo
    os.close(reader)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_an_unread_trace_does_not_block_the_end_of_a_run(
    number: signal.Signals, full: Path, tmp_path: Path
) -> None:
    process = start("trace", "-o", full, compiled(FAULTS))
    writer = os.open(full, os.O_WRONLY | os.O_NONBLOCK)
    room = select.poll()
    room.register(writer, select.POLLOUT)
    wait_for(process, lambda: not room.poll(0))
    os.close(writer)
    process.send_signal(number)
    assert shell_status(process) == 128 + number
    if number != signal.SIGKILL:
        assert process.stderr is not None
        cut = "emu: trace incomplete: writing to its file failed or blocked\n"
        assert cut in process.stderr.read()
    wait_until_alone(process)


def test_the_time_limit_holds_while_the_trace_is_not_read(full: Path) -> None:
    process = start("trace", "-o", full, "--timeout", "2", compiled(FAULTS))
    assert shell_status(process) == 124
    wait_until_alone(process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_unread_output_does_not_block_the_end_of_a_run(number: signal.Signals) -> None:
    reader, writer = os.pipe()
    process = start("trace", compiled(FAULTS), stderr=writer)
    room = select.poll()
    room.register(writer, select.POLLOUT)
    wait_for(process, lambda: not room.poll(0))
    process.send_signal(number)
    assert shell_status(process) == ENDINGS[number]
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("command", [("run",), ("run", "--summary"), ("trace",), ("compare",)])
def test_unread_messages_do_not_block_the_end_of_a_run(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(512))
    os.set_blocking(writer, True)
    process = start(*command, "--rw", f"{tmp_path}:/given", compiled(ENDLESS), stderr=writer)
    if command == ("trace",):  # it blocks at the first page fault
        signal.sigtimedwait([], 2)
    else:
        wait_for(process, (tmp_path / "running").exists)
    process.send_signal(signal.SIGTERM)
    assert shell_status(process) == ENDINGS[signal.SIGTERM]
    os.close(reader)
    os.close(writer)


# Long calls.


def test_a_long_call_is_interrupted() -> None:
    done = emu(
        *("run", "--mem", "2G", "--timeout", "1", "--summary=json"),
        compiled(r"""
            char *memory = mmap(NULL, 1 << 30, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            read(open("/dev/urandom", O_RDONLY), memory, 1 << 30);
            return 0;
        """),
    )
    assert done.status == 124
    assert done.summary["faults"]["zero_filled"] < 1 << 18, "not every page was filled"


def test_a_signal_interrupts_the_transfer_of_a_device_not_of_a_file() -> None:
    lines = output(
        r"""
        static volatile int got;
        static void on(int signo) { got++; }
        int main(void)
        {
            long size = 64 << 20;
            char *memory = mmap(NULL, size, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            int file = open("/tmp/file", O_RDWR | O_CREAT, 0600);
            ftruncate(file, size);
            catch(SIGALRM, on, SA_RESTART);
            struct itimerval often = {{0, 10000}, {0, 10000}};
            setitimer(ITIMER_REAL, &often, NULL);
            long random = read(open("/dev/urandom", O_RDONLY), memory, size);
            say("a part of the device: %d\n", 0 < random && random < size);
            long zero = read(open("/dev/zero", O_RDONLY), memory, size);
            say("a part of the device: %d\n", 0 < zero && zero < size);
            say("all of the file: %d\n", pread(file, memory, size, 0) == size);
            say("all to the file: %d\n", pwrite(file, memory, size, 0) == size);
            say("signals: %d\n", got > 1);
            return 0;
        }
        """,
        deterministic=False,
    )
    assert lines == [
        *["a part of the device: 1"] * 2,
        *("all of the file: 1", "all to the file: 1", "signals: 1"),
    ]
