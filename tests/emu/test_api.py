"""Can a notebook or a test run a program?"""

from __future__ import annotations

import ast
import sys
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

import emu
from emu import CannotRun, Machine, Options
from emu.options import OptionValues
from kernel.mm.forking.fork import POLICIES
from kernel.mm.outcome import Outcome
from kernel.process.observer import Fault, Observer
from tests.emu.commands import environment, machine, program, ran

PACKAGES = ("emu", "guest", "kernel", "toolchain")

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
        Machine(colour="red")  # type: ignore[call-arg]


def test_does_the_time_limit_leave_a_note() -> None:
    endless = program("endless", "int main(void) { for (;;) ; }\n")
    result = machine(timeout=0.3).run([endless])
    assert result.status == 124
    assert "time limit" in result.notes[0]


@pytest.mark.parametrize(
    "option", [{"fork_policy": "x"}, {"memory": "much"}, {"memory": 5}, {"timeout": "1"}]
)
def test_is_a_wrong_option_reported_when_the_machine_is_made(option: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Machine(**option)


@pytest.mark.parametrize("size", ["64M", "64MiB", "0.0625g", "65536K", 64 << 20])
def test_is_a_size_what_the_command_line_takes(size: str | int) -> None:
    assert Machine(memory=size, kernel_memory=size).options == Options(
        memory=64 << 20, kernel_memory=64 << 20
    )


def test_does_a_wrong_size_name_its_option() -> None:
    with pytest.raises(ValueError, match="kernel_memory: 'lots': not a size"):
        Machine(kernel_memory="lots")
    with pytest.raises(ValueError, match="fault_around must be a power of two"):
        Machine(fault_around="12K")


def test_are_paths_of_any_kind_taken(tmp_path: Path) -> None:
    options = Machine(cwd=tmp_path, read_only=[tmp_path, (tmp_path, "/x")]).options
    assert options.cwd == str(tmp_path)
    assert options.read_only == [(str(tmp_path), str(tmp_path)), (str(tmp_path), "/x")]
    with pytest.raises(TypeError, match="read_write must be a sequence of paths"):
        Machine(read_write="/tmp")


def test_do_keywords_change_given_options() -> None:
    given = Options(deterministic=True, memory=32 << 20)
    assert Machine(given, memory="64M").options == Options(deterministic=True, memory=64 << 20)
    assert repr(Machine(given)) == "Machine(memory=33554432, deterministic=True)"


def test_are_the_keywords_those_of_the_options() -> None:
    names = [each.name for each in fields(Options)]
    assert sorted(OptionValues.__annotations__) == sorted(names)
    parameters = signature(Machine).parameters
    assert list(parameters) == ["options", "components", *names]
    assert all(parameters[name].default == getattr(Options(), name) for name in names)


def test_does_completion_show_the_public_names() -> None:
    assert set(emu.__all__) <= set(dir(emu))
    for name in emu.__all__:
        found = getattr(emu, name)
        assert found.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'Machin'"):
        _ = emu.Machin  # type: ignore[attr-defined]


def test_do_type_checkers_find_the_same_names() -> None:
    tree = ast.parse(Path(emu.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: home if ":" in home else f"{home}:{name}" for name, home in emu._HOMES.items()}
    assert imported == homes and sorted(homes) == sorted(emu.__all__)
    assert all((Path(emu.__file__).parent.parent / p / "py.typed").exists() for p in PACKAGES)


def test_does_the_import_load_nothing() -> None:
    code = "import sys; before = set(sys.modules); import emu; print(set(sys.modules) - before)"
    assert ran([sys.executable, "-c", code], environment=environment()).stdout == "{'emu'}\n"


def test_does_a_run_of_the_command_load_no_results() -> None:
    code = (
        "import sys; from emu.cli.main import main; "
        f"main(['run', {str(program('cat', CAT))!r}]); "
        "print([m for m in sys.modules if m.startswith(('emu.api', 'emu.results', 'emu.break'))])"
    )
    done = ran([sys.executable, "-c", code], environment=environment())
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_may_the_input_be_text() -> None:
    assert machine().run([program("cat", CAT)], stdin="tëxt").stdout == "tëxt".encode()


@pytest.mark.parametrize("command", [[], "./demo", Path("./demo")])
def test_is_a_command_that_is_not_a_sequence_of_words_refused(command: Any) -> None:
    with pytest.raises(TypeError):
        machine().run(command)


def test_can_a_guest_not_forge_our_messages() -> None:
    text = '#include <sys/stat.h>\nint main(void) { mkdir("/\\033[31mred\\nemu: x", 0755); }\n'
    notes = machine().run([program("forge", text)]).notes
    assert len(notes) == 1 and notes[0].isprintable() and "red" in notes[0]
