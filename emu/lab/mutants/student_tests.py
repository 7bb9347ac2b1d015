"""Tests that students write: text files with sequences of operations, never code.

A file ``NAME.ops`` is one test in the format of :mod:`emu.lab.simulation.script_format`. ``->``
after an operation gives its expected result, which must be the reference's: ``ok``, ``copied``,
``reused``, ``killed``, ``efault``, ``no-memory``, or for a load the byte::

    # the child's store leaves the parent's page as it was
    fork 1
    store 2 data+8 0x5a   -> copied
    load 1 data+8         -> 0x13
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from emu.errors import CommandError
from emu.lab.graded.submission import Submission, Test
from emu.lab.graded.test_kinds import Script
from emu.lab.host.student import LabFile
from emu.lab.simulation.cpu import EndlessFault
from emu.lab.simulation.differential import MACHINE_FRAMES
from emu.lab.simulation.machine import OperationResult, SimulatedMachine
from emu.lab.simulation.operations import Operation
from emu.lab.simulation.policies import POLICIES
from emu.lab.simulation.script_format import BadScript, parse
from emu.lab.workspace.catalogue import Lab
from kernel.mm.outcome import Outcome

_MOST_OPERATIONS = 2000
_MAX_BYTES = 1 << 18

_OUTCOME_NAMES: dict[str, tuple[str, ...]] = {
    "copied": (Outcome.COPIED,),
    "reused": (Outcome.REUSED,),
    "killed": (Outcome.SEGV_MAPERR, Outcome.SEGV_ACCERR, Outcome.OUT_OF_MEMORY),
    "efault": ("EFAULT",),
    "no-memory": ("no memory", Outcome.OUT_OF_MEMORY),
}


@dataclass(frozen=True, slots=True)
class StudentTest:
    """One file: its test, or the reason why it is invalid."""

    name: str
    test: Script | None
    invalid: str = ""


class NoOperations(CommandError):
    """The lab's tests play no operations, or the folder has no tests."""


def policy_of(lab: Lab) -> str:
    """Fork policy of the reference kernel in the lab's own sequences."""
    for test in lab.tests:
        if isinstance(test, Script):
            return test.policy
    raise NoOperations(f"lab {lab.name}: no test plays operations, so students cannot write tests")


def read_folder(folder: Path, lab: Lab) -> list[StudentTest]:
    """Reads every ``.ops`` file. Raises :class:`NoOperations`."""
    policy = policy_of(lab)
    paths = sorted(folder.glob("*.ops"))
    if not paths:
        raise NoOperations(f"{folder}: no tests (expected files NAME.ops with operations)")
    return [_read(path, lab, policy) for path in paths]


def _read(path: Path, lab: Lab, policy: str) -> StudentTest:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES).decode()
        operations, expected = _parse(text)
        _check_expected(operations, expected, policy)
    except BadScript as error:
        return StudentTest(path.stem, None, str(error))
    except (OSError, UnicodeDecodeError) as error:
        return StudentTest(path.stem, None, f"cannot be read: {error}")
    test = Script(path.stem, _question(text), policy, operations, points=1)
    failure = test.run(reference(lab))
    if failure is not None:
        return StudentTest(
            path.stem, None, f"the reference fails it: {failure.name}, {failure.when}"
        )
    return StudentTest(path.stem, test)


def reference(lab: Lab) -> Submission:
    return lab.submission([LabFile(lab.name, lab.file, lab.solution)])


def _question(text: str) -> str:
    """Text of a comment in the first line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first.strip().lstrip("#").strip() if first.strip().startswith("#") else ""


def _parse(text: str) -> tuple[list[Operation], dict[int, tuple[int, str]]]:
    """Operations, and the expected results by the operation's index: (line, word)."""
    lines, expected, index = [], {}, 0
    for number, line in enumerate(text.splitlines(), 1):
        operation, arrow, word = line.partition("#")[0].partition("->")
        lines.append(operation)
        if arrow:
            if not operation.split():
                raise BadScript(number, "-> without an operation (expected OPERATION -> RESULT)")
            expected[index] = number, word.strip()
        index += bool(operation.split())
    operations = parse("\n".join(lines))
    if not 0 < len(operations) <= _MOST_OPERATIONS:
        raise BadScript(1, f"{len(operations)} operations (expected 1 to {_MOST_OPERATIONS})")
    return operations, expected


def _check_expected(
    operations: list[Operation], expected: dict[int, tuple[int, str]], policy: str
) -> None:
    """Raises :class:`BadScript` when a result of the reference is not the expected one."""
    machine = SimulatedMachine(MACHINE_FRAMES, POLICIES[policy])
    for index, operation in enumerate(operations):
        try:
            result = machine.do(operation)
        except EndlessFault:
            raise BadScript(1, f"{operation}: does not end") from None
        if index in expected:
            line, word = expected[index]
            if not _matches(word, result, line):
                value = f", value {result.value:#x}" if result.value is not None else ""
                problem = f"expected {word}; the reference: {result.outcome}{value}"
                raise BadScript(line, f"{operation}: {problem}")


def _matches(word: str, result: OperationResult, line: int) -> bool:
    if word == "ok":
        return not any(each in result.outcome for names in _FAILURES for each in names)
    if word in _OUTCOME_NAMES:
        return any(each in result.outcome for each in _OUTCOME_NAMES[word])
    try:
        return result.value == int(word, 0)
    except ValueError:
        names = ", ".join(["ok", *_OUTCOME_NAMES])
        raise BadScript(line, f"{word!r} is not a result (expected {names} or a byte)") from None


_FAILURES = (_OUTCOME_NAMES["killed"], _OUTCOME_NAMES["efault"], _OUTCOME_NAMES["no-memory"])


def valid_tests(tests: list[StudentTest]) -> list[Test]:
    return [each.test for each in tests if each.test is not None]
