"""Can a notebook or a test run a program?"""

from __future__ import annotations

from typing import Any

import pytest

from emu import CannotRun, Machine, Options
from kernel.mm.forking.fork import POLICIES
from kernel.mm.outcome import Outcome
from kernel.process.observer import Fault, Observer
from tests.emu.commands import machine, program

CAT = """
#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>
static char page[4096] __attribute__((aligned(4096)));
int main(int c, char **v) {
    page[0] = 1;
    if (!fork()) { page[0] = 2; _exit(0); }
    wait(0);
    int b;
    while ((b = getchar()) != EOF) putchar(b);
    fprintf(stderr, "%d args", c);
    return 3;
}
"""


def test_does_a_result_carry_everything() -> None:
    result = machine().run([program("cat", CAT), "one"], stdin=b"text")
    assert (result.status, result.stdout, result.stderr) == (3, b"text", b"2 args")
    assert result.summary["forks"] == 1
    assert result.summary["frames_leaked"] == 0
    assert result.notes == []


def test_is_each_run_on_a_fresh_machine() -> None:
    fresh = Machine(Options(deterministic=True, check=True))
    runs = [fresh.run([program("cat", CAT)]) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("policy", POLICIES)
def test_do_fork_policies_give_the_same_output(policy: str) -> None:
    result = machine(fork_policy=policy).run([program("cat", CAT)], stdin=b"x")
    assert (result.status, result.stdout) == (3, b"x")
    copied = result.summary["frames_copied"] == result.summary["eager_frames_copied"]
    assert copied == (policy == "eager")


def test_can_an_observer_see_the_faults() -> None:
    class Copies(Observer):
        def __init__(self) -> None:
            self.faults: list[Fault] = []

        def fault(self, event: Fault) -> None:
            if event.resolution.outcome is Outcome.COPIED:
                self.faults.append(event)

    copies = Copies()
    result = machine().run([program("cat", CAT)], observers=[copies])
    assert len(copies.faults) == result.summary["frames_copied"] > 0


def test_is_a_program_that_cannot_run_an_exception_with_a_reason() -> None:
    with pytest.raises(CannotRun, match="No such file") as caught:
        Machine().run(["/no/such/program"])
    assert caught.value.status == 127


def test_is_an_unknown_option_refused() -> None:
    with pytest.raises(TypeError):
        Machine(colour="red")


def test_does_the_time_limit_leave_a_note() -> None:
    endless = program("endless", "int main(void) { for (;;) ; }\n")
    result = machine(timeout=0.3).run([endless])
    assert result.status == 124
    assert "time limit" in result.notes[0]


@pytest.mark.parametrize(
    "option", [{"fork_policy": "x"}, {"memory": "1G"}, {"memory": 5}, {"timeout": "1"}]
)
def test_is_a_wrong_option_reported_when_the_machine_is_made(option: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Machine(**option)


@pytest.mark.parametrize("command", [[], "./demo"])
def test_is_a_command_that_is_not_a_sequence_of_words_refused(command: str) -> None:
    with pytest.raises(TypeError):
        machine().run(command)


def test_can_a_guest_not_forge_our_messages() -> None:
    text = '#include <sys/stat.h>\nint main(void) { mkdir("/\\033[31mred\\nemu: x", 0755); }\n'
    notes = machine().run([program("forge", text)]).notes
    assert len(notes) == 1 and notes[0].isprintable() and "red" in notes[0]
