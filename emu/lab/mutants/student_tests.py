"""Tests that students write: sequences of operations in text files, never code.

A file ``NAME.ops`` is one test, as :mod:`emu.lab.simulation.script_format` has it. Behind ``->`` a
line may say what is to come of it, which the reference has to agree with: ``ok``, ``copied``,
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
from emu.lab.simulation.script_format import BadScript, parse
from emu.lab.workspace.catalogue import Lab
from kernel.mm.fork import POLICIES

_MOST_OPERATIONS = 2000
_LONGEST = 1 << 18

_WORDS = {
    "copied": ("copied",),
    "reused": ("reused",),
    "killed": ("segv_maperr", "segv_accerr", "out_of_memory"),
    "efault": ("EFAULT",),
    "no-memory": ("no memory", "out_of_memory"),
}


@dataclass(frozen=True, slots=True)
class Written:
    """One file: its test, or why it is none."""

    name: str
    test: Script | None
    invalid: str = ""


class NoOperations(CommandError):
    """The lab's tests play no operations, or the folder has no tests; the message says which."""


def policy_of(lab: Lab) -> str:
    """The fork policy that the lab's own sequences are compared with."""
    for test in lab.tests:
        if isinstance(test, Script):
            return test.policy
    raise NoOperations(f"the lab {lab.name} plays no operations: no tests can be written for it")


def read_folder(folder: Path, lab: Lab) -> list[Written]:
    """Every ``.ops`` file. Raises :class:`NoOperations`."""
    policy = policy_of(lab)
    paths = sorted(folder.glob("*.ops"))
    if not paths:
        raise NoOperations(f"{folder} has no test: a file NAME.ops with operations")
    return [_read(path, lab, policy) for path in paths]


def _read(path: Path, lab: Lab, policy: str) -> Written:
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode()
        operations, expected = _parsed(text)
        _agree(operations, expected, policy)
    except BadScript as error:
        return Written(path.stem, None, str(error))
    except (OSError, UnicodeDecodeError) as error:
        return Written(path.stem, None, f"can't be read: {error}")
    test = Script(path.stem, _question(text), policy, operations, points=1)
    failure = test.run(reference(lab))
    if failure is not None:
        return Written(path.stem, None, f"the reference fails it: {failure.name}, {failure.when}")
    return Written(path.stem, test)


def reference(lab: Lab) -> Submission:
    return lab.submission([LabFile(lab.name, lab.file, lab.solution)])


def _question(text: str) -> str:
    """The first comment."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first.strip().lstrip("#").strip() if first.strip().startswith("#") else ""


def _parsed(text: str) -> tuple[list[Operation], dict[int, tuple[int, str]]]:
    """The operations, and what is said of some, by their index: (line, word)."""
    lines, expected, index = [], {}, 0
    for number, line in enumerate(text.splitlines(), 1):
        operation, arrow, word = line.partition("#")[0].partition("->")
        lines.append(operation)
        if arrow:
            if not operation.split():
                raise BadScript(number, "-> stands behind an operation")
            expected[index] = number, word.strip()
        index += bool(operation.split())
    operations = parse("\n".join(lines))
    if not 0 < len(operations) <= _MOST_OPERATIONS:
        raise BadScript(1, f"{len(operations)} operations are not 1 to {_MOST_OPERATIONS}")
    return operations, expected


def _agree(operations: list[Operation], expected: dict[int, tuple[int, str]], policy: str) -> None:
    """Raises :class:`BadScript` where the reference does something else than is expected."""
    world = SimulatedMachine(MACHINE_FRAMES, POLICIES[policy])
    for index, operation in enumerate(operations):
        try:
            seen = world.do(operation)
        except EndlessFault:
            raise BadScript(1, f"{operation}: it never ends") from None
        if index in expected:
            line, word = expected[index]
            if not _holds(word, seen, line):
                value = f", value {seen.value:#x}" if seen.value is not None else ""
                said = f"expected {word}; the reference: {seen.outcome}{value}"
                raise BadScript(line, f"{operation}: {said}")


def _holds(word: str, seen: OperationResult, line: int) -> bool:
    if word == "ok":
        return not any(each in seen.outcome for words in _FAILURES for each in words)
    if word in _WORDS:
        return any(each in seen.outcome for each in _WORDS[word])
    try:
        return seen.value == int(word, 0)
    except ValueError:
        words = ", ".join(["ok", *_WORDS])
        raise BadScript(line, f"{word!r} is none of {words}, and no byte") from None


_FAILURES = (_WORDS["killed"], _WORDS["efault"], _WORDS["no-memory"])


def valid(written: list[Written]) -> list[Test]:
    return [each.test for each in written if each.test is not None]
