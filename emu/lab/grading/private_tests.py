"""An instructor's private tests: a TOML file of seeds, operations and guest programs.

::

    lab = "cow-fork"

    [random]                 # the lab's random tests, with other seeds
    seeds = [8675309, 42]
    points = 5               # for each seed; default: those of the lab's own test

    [[script]]
    name = "grandchild"
    question = "is a page with three users copied once for each that stores?"
    points = 4
    operations = '''
    fork 1
    fork 2
    store 3 data+8 0x5a      # format: emu.lab.simulation.script_format
    '''

    [[guest]]                # a program that checks itself, on the student's kernel
    name = "secret-tree"
    file = "tree.c"          # relative to the TOML file
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


class InvalidPrivateFile(CommandError):
    """The file is invalid; the message is one line that begins with its name."""


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
class PrivateTests:
    """Valid tests of one file, whose guests have been built."""

    lab: Lab
    tests: Sequence[Test]
    digest: str
    """Digest of the file and of the guests' sources."""


@dataclass(frozen=True, slots=True)
class SeededTest:
    """A lab's own random test with another seed."""

    test: Test
    name: str
    seed: int
    points: int

    @property
    def question(self) -> str:
        return self.test.question

    def run(self, submission: Submission) -> Failure | None:
        return self.test.run(replace(submission, seed=self.seed, found={}))


def load(path: Path) -> PrivateTests:
    """Reads a file of private tests. Raises :class:`InvalidPrivateFile`."""
    try:
        return _load(path)
    except OSError as error:
        raise InvalidPrivateFile(f"{error.filename or path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidPrivateFile(f"{path}: {error}") from None
    except msgspec.ValidationError as error:
        raise InvalidPrivateFile(f"{path}: {_with_plain_path(str(error))}") from None
    except NoSuchLab as error:
        raise InvalidPrivateFile(f"{path}: {error}") from None
    except ValueError as error:
        raise InvalidPrivateFile(f"{path}: {error}") from None


def _with_plain_path(message: str) -> str:
    """Converts the JSON path in a message of msgspec to the path in the file."""
    return message.replace(" - at `$.", " at `").replace("`$`", "the top")


def _load(path: Path) -> PrivateTests:
    data = path.read_bytes()
    content = msgspec.convert(tomllib.loads(data.decode()), _Content)
    lab = find(content.lab)
    digest = hashlib.sha256(data)
    tests: list[Test] = []
    if content.random is not None:
        tests += _seeded_tests(lab, content.random)
    policy = _policy(lab)
    for script in content.script:
        tests.append(_script_test(script, policy, lab))
    for guest in content.guest:
        source = path.parent / guest.file
        digest.update(source.read_bytes())
        tests.append(_guest_test(guest, source))
    _check(tests, {test.name for test in lab.tests})
    return PrivateTests(lab, tests, digest.hexdigest())


def _seeded_tests(lab: Lab, section: _Random) -> list[Test]:
    """Each random test of the lab with each seed; the names do not contain the seeds."""
    own = [test for test in lab.tests if _is_random(test)]
    if not own:
        raise ValueError(f"[random]: lab {lab.name} has no random tests")
    tests: list[Test] = []
    for test in own:
        for number, seed in enumerate(section.seeds, 1):
            points = test.points if section.points is None else section.points
            tests.append(SeededTest(test, f"private-{test.name}-{number}", seed, points))
    return tests


def _is_random(test: Test) -> bool:
    """True when the test depends on the seed of the submission."""
    return bool(getattr(test, "seeded", False))


def _policy(lab: Lab) -> str | None:
    """Fork policy of the reference kernel in the lab's own scripts."""
    return next((test.policy for test in lab.tests if isinstance(test, Script)), None)


def _script_test(section: _Script, policy: str | None, lab: Lab) -> Test:
    if policy is None:
        raise ValueError(f"script {section.name!r}: lab {lab.name} plays no operations")
    if not 40 <= section.frames <= 4096:
        raise ValueError(
            f"script {section.name!r}: frames is {section.frames} (expected 40 to 4096)"
        )
    try:
        operations = parse(section.operations)
    except BadScript as error:
        raise ValueError(f"script {section.name!r}, {error}") from None
    if not operations:
        raise ValueError(f"script {section.name!r}: no operations")
    question = section.question or f"does the private sequence {section.name} succeed?"
    return Script(section.name, question, policy, operations, section.points, section.frames)


def _guest_test(section: _Guest, source: Path) -> Test:
    from emu.lab.graded.guest_tests import GuestProgram, build_guest

    try:
        build_guest(source)
    except BuildError as error:
        lines = error.diagnostics.splitlines()
        first = next((line for line in lines if "error" in line), str(error))
        raise ValueError(f"guest {section.name!r}: cannot be built: {first.strip()}") from None
    except ToolchainError as error:
        raise ValueError(f"guest {section.name!r}: cannot be built: {error}") from None
    question = section.question or f"does the private program {section.name} succeed?"
    return GuestProgram(
        section.name, question, section.name, section.points, status=section.status, source=source
    )


def _check(tests: list[Test], names: set[str]) -> None:
    for test in tests:
        if not test.name.isprintable() or not test.name.strip():
            raise ValueError(f"{test.name!r}: not a valid name (expected printable text)")
        if test.name in names:
            raise ValueError(f"{test.name!r}: more than one test has this name")
        if not 0 <= test.points <= 1000:
            raise ValueError(f"{test.name!r}: points is {test.points} (expected 0 to 1000)")
        names.add(test.name)
