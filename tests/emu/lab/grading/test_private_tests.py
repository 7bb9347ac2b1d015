"""Are the tests those that an instructor's file describes; is an error in it one line?"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.lab.graded.test_kinds import RandomOperations
from emu.lab.grading.private_tests import InvalidPrivateFile, SeededTest, load
from emu.lab.host.student import LabFile
from emu.lab.workspace.catalogue import find
from tests.emu.lab import grading_commands
from tests.emu.lab.grading_commands import COW

SOLUTION = COW.submission([LabFile(COW.name, COW.file, COW.solution)])

SCRIPT = """
[[script]]
name = "grandchild"
points = 4
operations = '''
fork 1   # and again
fork 2
store 3 data+8 0x5a
'''
"""

GUEST = """
[[guest]]
name = "secret"
file = "sub/secret.c"
status = 3
points = 6
"""


def private(tmp_path: Path, text: str, lab: str = "cow-fork") -> Path:
    path = tmp_path / "own.toml"
    path.write_text(f'lab = "{lab}"\n{text}')
    return path


def guest(tmp_path: Path, text: str) -> None:
    (tmp_path / "sub").mkdir(exist_ok=True)
    (tmp_path / "sub" / "secret.c").write_text(text)


def test_a_script_is_played_beside_the_reference(tmp_path):
    (test,) = load(private(tmp_path, SCRIPT)).tests
    assert (test.name, test.points) == ("grandchild", 4)
    assert test.run(SOLUTION) is None
    broken = COW.solution.replace("    memory.copy_frame(frame, copy)\n", "")
    failure = test.run(COW.submission([LabFile(COW.name, COW.file, broken)]))
    assert failure.name == "isolation"


def test_a_seed_makes_other_random_operations_and_is_not_shown(tmp_path):
    given = "[random]\nseeds = [8675309, 42]\npoints = 3\n"
    tests = load(private(tmp_path, given)).tests
    own = [test for test in COW.tests if isinstance(test, RandomOperations)]
    seeded = [test for test in tests if isinstance(test, SeededTest)]
    assert len(seeded) == len(tests) == 2 * len(own)
    assert {test.points for test in tests} == {3}
    assert {test.seed for test in seeded} == {8675309, 42}
    assert not any("8675309" in test.name + test.question for test in tests)


@pytest.mark.parametrize("lab", ["walk", "frames", "eager-fork", "cow-fork"])
def test_each_core_lab_has_random_tests_that_take_a_seed(tmp_path, lab):
    tests = load(private(tmp_path, "[random]\nseeds = [7]\n", lab=lab)).tests
    random = [test.name for test in find(lab).tests if "random" in test.name]
    assert [test.name for test in tests] == [f"private-{name}-1" for name in random]


@pytest.mark.parametrize("status, passes", [(3, True), (4, False)])
def test_a_guest_is_built_and_its_status_is_the_verdict(tmp_path, status, passes):
    guest(tmp_path, f"int main(void) {{ return {status}; }}\n")
    (test,) = load(private(tmp_path, GUEST)).tests
    failure = test.run(SOLUTION)
    assert (failure is None) == passes
    assert passes or "ended with status 4" in failure.when


def test_what_the_file_and_its_guests_say_is_in_the_digest(tmp_path):
    guest(tmp_path, "int main(void) { return 3; }\n")
    first = load(private(tmp_path, GUEST)).digest
    assert load(private(tmp_path, GUEST)).digest == first
    guest(tmp_path, "int main(void) { return 3; } /* */\n")
    second = load(private(tmp_path, GUEST)).digest
    assert second != first
    assert load(private(tmp_path, GUEST + "\n")).digest not in (first, second)


@pytest.mark.parametrize(
    "text, why",
    [
        ("points = \n", "Invalid value (at line 2, column 10)"),
        ("[random]\nseeds = 7\n", "Expected `array`, got `int` at `random.seeds`"),
        ("[random]\nseed = [7]\n", "Object contains unknown field `seed` at `random`"),
        ("[[script]]\nname = 'a'\n", "Object missing required field `operations` at `script[0]`"),
        ("[[test]]\n", "Object contains unknown field `test`"),
        (
            SCRIPT.replace("fork 2", "frok 2"),
            "script 'grandchild', line 2: unknown operation 'frok'",
        ),
        (SCRIPT.replace("= 4", "= -4"), "'grandchild': points is -4 (expected 0 to 1000)"),
        (SCRIPT + "frames = 3\n", "script 'grandchild': frames is 3 (expected 40 to 4096)"),
        (SCRIPT + SCRIPT, "'grandchild': more than one test has this name"),
        (
            SCRIPT.replace("grandchild", "fork-shares"),
            "'fork-shares': more than one test has this name",
        ),
        (GUEST.replace("sub/secret.c", "none.c"), "none.c: No such file or directory"),
        (GUEST, "guest 'secret': cannot be built: "),
    ],
)
def test_a_mistake_is_one_line_with_the_name_of_the_file(tmp_path, text, why):
    guest(tmp_path, "int main(void) { return nothing; }\n")
    path = private(tmp_path, text)
    with pytest.raises(InvalidPrivateFile) as bad:
        load(path)
    message = str(bad.value)
    assert message.startswith(str(tmp_path))
    assert why in message
    assert "\n" not in message


def test_a_file_for_an_unknown_lab_is_an_error(tmp_path):
    with pytest.raises(InvalidPrivateFile, match=r"'fork': unknown lab \(expected walk"):
        load(private(tmp_path, "", lab="fork"))
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(InvalidPrivateFile, match=r"bytes\.toml"):
        load(path)


def test_private_tests_are_graded_and_not_shown_to_the_student(tmp_path):
    (tmp_path / "in" / "ada").mkdir(parents=True)
    (tmp_path / "in" / "ada" / COW.file).write_text("def share_space(:\n")
    own = private(tmp_path, SCRIPT)
    out = tmp_path / "out"
    done = grading_commands.grade(tmp_path / "in", "-o", out, "--private", own)
    assert done.returncode == 0, done.stderr
    assert "grandchild" in (out / "ada" / "junit.xml").read_text()
    assert "grandchild" not in (out / "ada" / "report.txt").read_text()
    assert "1 private test" in (out / "ada" / "report.txt").read_text()
