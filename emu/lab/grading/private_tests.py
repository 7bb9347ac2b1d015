"""What an instructor keeps from students: a TOML file of seeds, operations and guest programs.

::

    lab = "cow-fork"

    [random]                 # the lab's random operations again, from these seeds
    seeds = [8675309, 42]
    points = 5               # for each; else those of the lab's own test

    [[script]]
    name = "grandchild"
    question = "is a page that three share copied once for each that stores?"
    points = 4
    operations = '''
    fork 1
    fork 2
    store 3 data+8 0x5a      # as emu.lab.simulation.script_format has it
    '''

    [[guest]]                # a program that checks itself, on the student's kernel
    name = "secret-tree"
    file = "tree.c"          # beside the TOML file
    status = 0
    points = 6
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from emu.errors import CommandError
from emu.lab.graded.submission import Submission, Test
from emu.lab.graded.test_kinds import Script
from emu.lab.simulation.differential import MACHINE_FRAMES, Failure
from emu.lab.simulation.script_format import BadScript, parse
from emu.lab.workspace.catalogue import Lab, NoSuchLab, find
from toolchain.errors import BuildError, ToolchainError


class BadPrivate(CommandError):
    """The file is not as it has to be; the message is one line, with its name."""


class _Random(msgspec.Struct, forbid_unknown_fields=True):
    seeds: list[int]
    points: int | None = None


class _Script(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    operations: str
    points: int
    question: str = ""
    frames: int = MACHINE_FRAMES


class _Guest(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    file: str
    points: int
    question: str = ""
    status: int = 0


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    lab: str
    random: _Random | None = None
    script: list[_Script] = []
    guest: list[_Guest] = []


@dataclass(frozen=True, slots=True)
class Private:
    """The tests of one file, all checked: its scripts can be played, its guests are built."""

    lab: Lab
    tests: Sequence[Test]
    digest: str
    """Of the file and of the guests' sources."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """A lab's own random test from another seed."""

    test: Test
    name: str
    seed: int
    points: int

    @property
    def question(self) -> str:
        return self.test.question

    def run(self, submission: Submission) -> Failure | None:
        return self.test.run(replace(submission, seed=self.seed, found={}))


def load(path: Path) -> Private:
    """Raises :class:`BadPrivate`."""
    try:
        return _loaded(path)
    except OSError as error:
        raise BadPrivate(f"{error.filename or path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadPrivate(f"{path}: {error}") from None
    except msgspec.ValidationError as error:
        raise BadPrivate(f"{path}: {_plain(str(error))}") from None
    except NoSuchLab as error:
        raise BadPrivate(f"{path}: {error}") from None
    except ValueError as error:
        raise BadPrivate(f"{path}: {error}") from None


def _plain(message: str) -> str:
    """Msgspec's message, with the place as it is in the file."""
    return message.replace(" - at `$.", " at `").replace("`$`", "the top")


def _loaded(path: Path) -> Private:
    data = path.read_bytes()
    content = msgspec.convert(tomllib.loads(data.decode()), _Content)
    lab = find(content.lab)
    digest = hashlib.sha256(data)
    tests: list[Test] = []
    if content.random is not None:
        tests += _seeded(lab, content.random)
    policy = _policy(lab)
    for script in content.script:
        tests.append(_script(script, policy, lab))
    for guest in content.guest:
        source = path.parent / guest.file
        digest.update(source.read_bytes())
        tests.append(_guest(guest, source))
    _check(tests, {test.name for test in lab.tests})
    return Private(lab, tests, digest.hexdigest())


def _seeded(lab: Lab, given: _Random) -> list[Test]:
    """Each random test of the lab, from each seed; the seeds are not told by the names."""
    own = [test for test in lab.tests if _is_random(test)]
    if not own:
        raise ValueError(f"[random]: the lab {lab.name} has no random tests")
    tests: list[Test] = []
    for test in own:
        for number, seed in enumerate(given.seeds, 1):
            points = test.points if given.points is None else given.points
            tests.append(Seeded(test, f"private-{test.name}-{number}", seed, points))
    return tests


def _is_random(test: Test) -> bool:
    """Whether the seed of the submission makes a difference to it."""
    return bool(getattr(test, "seeded", False))


def _policy(lab: Lab) -> str | None:
    """The fork policy that the lab's own scripts are compared with."""
    return next((test.policy for test in lab.tests if isinstance(test, Script)), None)


def _script(given: _Script, policy: str | None, lab: Lab) -> Test:
    if policy is None:
        raise ValueError(f"script {given.name!r}: the lab {lab.name} plays no operations")
    if not 40 <= given.frames <= 4096:
        raise ValueError(f"script {given.name!r}: frames is not in 40 to 4096")
    try:
        operations = parse(given.operations)
    except BadScript as error:
        raise ValueError(f"script {given.name!r}, {error}") from None
    if not operations:
        raise ValueError(f"script {given.name!r} has no operations")
    question = given.question or f"does the private sequence {given.name} come out right?"
    return Script(given.name, question, policy, operations, given.points, given.frames)


def _guest(given: _Guest, source: Path) -> Test:
    from emu.lab.graded.guest_tests import GuestProgram, build_guest

    try:
        build_guest(source)
    except BuildError as error:
        lines = error.diagnostics.splitlines()
        first = next((line for line in lines if "error" in line), str(error))
        raise ValueError(f"guest {given.name!r} can't be built: {first.strip()}") from None
    except ToolchainError as error:
        raise ValueError(f"guest {given.name!r} can't be built: {error}") from None
    question = given.question or f"does the private program {given.name} find all well?"
    return GuestProgram(
        given.name, question, given.name, given.points, status=given.status, source=source
    )


def _check(tests: list[Test], taken: set[str]) -> None:
    for test in tests:
        if not test.name.isprintable() or not test.name.strip():
            raise ValueError(f"{test.name!r} is no name for a test")
        if test.name in taken:
            raise ValueError(f"there are two tests {test.name!r}")
        if not 0 <= test.points <= 1000:
            raise ValueError(f"{test.name!r}: points is not in 0 to 1000")
        taken.add(test.name)
