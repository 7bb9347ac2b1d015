"""Is every submission graded once, independently of the others?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from emu.cli.main import main
from emu.lab.components.lab_machine import LabMachine
from emu.lab.graded.guest_tests import GuestProgram
from emu.lab.grading.grade_process import Limits, grade
from emu.lab.grading.reports.record import Record, decode
from emu.lab.grading.result_store import read, write
from emu.lab.grading.submission_files import entries
from emu.lab.host import student
from emu.lab.host.failures import StudentFailed
from emu.lab.host.student import LabFile
from emu.lab.host.student_process import Limits as CallLimits
from tests.emu.commands import EMU, environment
from tests.emu.lab import grading_commands
from tests.emu.lab.grading_commands import COW, SKELETON, broken, endless, fine, killed, task, wrong

QUICK = Limits(test=1.0, submission=60.0)
QUICK_CALL = CallLimits(seconds=2.0)


def graded(*tasks, jobs: int = 2, limits: Limits = QUICK) -> dict[str, Record]:
    return {task.entry.name: record for task, record in grade(tasks, jobs, limits)}


def verdicts(record: Record) -> list[str]:
    return [test.status for test in record.tests]


# Tests are independent of each other, and so are submissions.


def test_points_are_those_of_the_tests_that_pass():
    record = graded(task(fine, wrong, fine))["ada"]
    assert (record.score, record.max_score, record.status) == (10, 15, "graded")
    assert [test.name for test in record.failed] == ["wrong"]


def test_an_exception_of_ours_is_a_defect_in_that_test_alone():
    records = graded(task(fine, broken, fine), task(fine, name="bo"))
    assert verdicts(records["ada"]) == ["passed", "defect", "passed"]
    assert (records["ada"].status, records["bo"].status) == ("defect", "graded")
    assert "KeyError: 'ours'" in records["ada"].tests[1].defect


def test_a_process_of_ours_that_is_killed_is_a_defect_in_that_test_alone():
    record = graded(task(fine, killed, wrong, killed, fine))["ada"]
    assert verdicts(record) == ["passed", "defect", "failed", "defect", "passed"]
    assert record.score == 10


def test_a_test_that_does_not_end_is_ended_and_the_others_are_done():
    record = graded(task(fine, endless, fine))["ada"]
    assert verdicts(record) == ["passed", "failed", "passed"]
    assert record.tests[1].failure.name == "too-long"


def test_a_submission_can_not_take_for_ever_by_many_tests_that_do_not_end():
    records = graded(task(*[endless] * 50), task(fine, name="bo"), limits=Limits(0.2, 1.0))
    assert verdicts(records["ada"]) == ["failed"] * 50
    assert verdicts(records["bo"]) == ["passed"]


def test_what_a_student_wrote_is_on_its_line_in_a_result():
    failure = graded(task(wrong))["ada"].tests[0].failure
    assert (failure.when, failure.lines) == ("after \\x1b[2J", ["line", "ok  passed"])


def busy() -> None:
    Path(os.environ["PID_OF_BUSY"]).write_text(str(os.getpid()))
    time.sleep(0.3)


def test_nothing_goes_on_when_the_grader_stops(tmp_path, monkeypatch):
    monkeypatch.setenv("PID_OF_BUSY", str(tmp_path / "pid"))
    running = grade([task(busy, endless), task(fine, name="bo")], 2, Limits())
    next(running)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.01)
    running.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_on_a_kernel_whose_counts_are_wrong_has_a_verdict():
    uncounted = COW.solution.replace("    frames.share(ppn(pte))\n", "")
    submission = COW.submission([LabFile(COW.name, COW.file, uncounted)])
    failure = GuestProgram("isolation", "?", "isolation").run(submission)
    assert failure.name in ("count-is-the-number-of-holders", "shared-is-not-writable")


START = "def share_space(memory, frames, parent):\n    "
ENDLESS = f"""{START}while True:
        frames.count(parent)
"""
LONG = f"""{START}real = [c for c in object.__subclasses__() if c.__name__ == "_wrap_close"]
    write = real[0].close.__globals__["write"]
    data = b'{{"commands":[' + b"{{}}," * (20 << 20) + b"{{}}]}}"
    for descriptor in range(3, 64):
        try:
            write(descriptor, len(data).to_bytes(4, "little"))
            view = memoryview(data)
            while view:
                view = view[write(descriptor, view) :]
        except OSError:
            pass
    frames.count(parent)
"""


def failure_of(source: str) -> StudentFailed:
    machine = LabMachine([LabFile(COW.name, COW.file, source)], 1 << 20, QUICK_CALL)
    try:
        with pytest.raises(StudentFailed) as failed:
            machine.student.call(COW.name, "share_space", machine.frames.first)
        return failed.value
    finally:
        machine.close()


def test_code_that_asks_on_and_on_is_late():
    assert failure_of(ENDLESS).name == "too-long"


def test_a_message_that_would_fill_the_grader_s_memory_is_none():
    tracemalloc.start()
    try:
        failed = failure_of(LONG)
        now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert failed.name == "not-allowed"
    assert most < 400 << 20
    assert now < 50 << 20, "nothing of it is kept"


# Results in files.


def test_a_file_is_replaced_at_once_or_not_at_all(tmp_path):
    write(tmp_path / "a" / "file", b"old")
    with pytest.raises(TypeError):
        write(tmp_path / "a" / "file", "no bytes")  # type: ignore[arg-type]
    assert (tmp_path / "a" / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path / "a") == ["file"]


def test_half_a_result_is_none(tmp_path):
    (tmp_path / "result.json").write_text('{"version": 1')
    assert read(tmp_path / "result.json") is None


# The command. The skeleton is the submission that is graded fastest.


@pytest.fixture
def submissions(tmp_path) -> Path:
    folder = tmp_path / "handed in"
    for name in ("ada", "Bo\nb", "cy"):
        (folder / name).mkdir(parents=True)
        (folder / name / COW.file).write_text(SKELETON)
    (folder / "dan.py").write_text("def share_space(:\n")
    (folder / "eve").mkdir()
    return folder


def result(folder: Path, name: str) -> Record:
    record = read(folder / name / "result.json")
    assert record is not None
    return record


def times(folder: Path) -> dict[str, int]:
    """Time of modification of each result."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}


def test_a_folder_is_graded_and_only_what_is_missing_or_has_changed_is_graded_again(
    submissions, tmp_path
):
    results = tmp_path / "results"
    first = grading_commands.grade(submissions, "-o", results, "--lab", "cow-fork", "-j", "2")
    assert first.returncode == 0, first.stderr
    for name in ("ada", "Bo%0Ab", "cy", "dan.py", "eve"):
        files = set(os.listdir(results / name))
        assert files == {"result.json", "results.json", "junit.xml", "report.txt"}
    assert {test.failure.name for test in result(results, "ada").tests} == {"not-implemented"}
    assert result(results, "dan.py").tests[0].failure.when.startswith("SyntaxError")
    assert result(results, "eve").problem == "it does not contain cow_fork.py"
    assert "5 submissions: 0 with full marks, 1 that could not be read" in first.stdout
    assert (results / "summary.csv").read_text().count("\n") == 6

    first_times = times(results)
    (submissions / "ada" / COW.file).write_text(SKELETON + "# changed\n")
    (results / "cy" / "result.json").write_text("{")
    (results / "eve" / "report.txt").unlink()
    again = grading_commands.grade(submissions, "-o", results, "--lab", "cow-fork")
    assert "3 of 5 are graded already" in again.stderr
    assert again.stdout == first.stdout
    changed = {name for name, when in times(results).items() if first_times[name] != when}
    assert changed == {"ada", "cy"}
    assert (results / "eve" / "report.txt").exists()


def test_ctrl_c_leaves_what_is_done_and_the_next_run_goes_on(submissions, tmp_path):
    results = tmp_path / "results"
    command = [*EMU, "lab", "grade", str(submissions), "-o", str(results), "-j", "1"]
    with subprocess.Popen(
        command, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        process.stderr.readline()  # the first one is done
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    done = times(results)
    assert 1 <= len(done) < 5
    assert not list(results.rglob("*.part"))
    assert grading_commands.grade(submissions, "-o", results).returncode == 0
    assert {name: times(results)[name] for name in done} == done


def test_one_submission_has_the_same_result_as_in_its_folder(submissions, tmp_path):
    found, _ = entries(str(submissions))
    bo = next(entry for entry in found if entry.name.startswith("Bo"))
    output = tmp_path / "one.json"
    done = grading_commands.grade("--one", submissions / bo.result, "-o", output, "--lab", "4")
    assert (done.returncode, done.stderr) == (0, "")
    record = decode(output.read_bytes())
    assert (record.submission, record.max_score) == (
        "Bo\\nb",
        sum(test.points for test in COW.tests),
    )
    listed = json.loads(grading_commands.grade(submissions, "--list", "--lab", "4").stdout)
    digests = {each["result"]: each["digest"] for each in listed}
    assert digests[bo.result] == record.digest


def test_one_submission_can_be_written_for_gradescope(submissions, tmp_path):
    output = tmp_path / "results.json"
    done = grading_commands.grade(
        "--one", submissions / "dan.py", "--lab", "4", "--formats", "gradescope", "-o", output
    )
    assert done.returncode == 0
    assert len(json.loads(output.read_text())["tests"]) == len(COW.tests)


FORGERY = """
class Everywhere:
    pass
real = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == "_wrap_close"]
system = real[0].close.__globals__ if real else {}
for said in (b'{"ready":"full"}', b'{"result":null}', b'{"passed":true,"points":100}'):
    for descriptor in range(3, 64):
        try:
            system["write"](descriptor, len(said).to_bytes(4, "little") + said)
        except (OSError, KeyError):
            pass
print("ok  fork-shares  5/5")
print("100 of 100 points")
"""


def test_what_a_student_prints_and_writes_makes_no_points(tmp_path):
    (tmp_path / "in" / "mallory").mkdir(parents=True)
    text = SKELETON.replace("import annotations\n", f"import annotations\n{FORGERY}", 1)
    (tmp_path / "in" / "mallory" / COW.file).write_text(text)
    done = grading_commands.grade(tmp_path / "in", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert result(tmp_path / "out", "mallory").score == 0
    assert "0 of 100 points" in (tmp_path / "out" / "mallory" / "report.txt").read_text()


@pytest.mark.parametrize(
    "words, why",
    [
        (["nowhere", "-o", "out"], "nowhere: No such file or directory"),
        (["--one", "nowhere", "-o", "out"], "nowhere: No such file or directory"),
        (["here"], "lab grade: missing option -o (expected the directory of the results)"),
        (
            ["here", "--one", "here", "-o", "out"],
            "lab grade: expected either SUBMISSIONS or --one SUBMISSION",
        ),
        (["here", "-o", "out", "--lab", "9"], "'9': unknown lab (expected walk, frames"),
        (["here", "-o", "out", "--private", "none.toml"], "none.toml: No such file"),
    ],
)
def test_a_usage_error_is_one_line(words, why):
    done = grading_commands.grade(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"emu: {why}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("confined", [True, False])
def test_a_warning_is_printed_where_the_code_is_not_confined(
    tmp_path: Path,
    confined: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(student, "can_confine", lambda: confined)
    (tmp_path / "subs").mkdir()
    words = ["lab", "grade", str(tmp_path / "subs"), "-o", str(tmp_path / "results")]
    main(words)
    assert ("no seccomp" in capsys.readouterr().err) is not confined


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_this_host_confines_a_students_code():
    assert student.can_confine()
