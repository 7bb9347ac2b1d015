"""Does the workflow for clusters grade what ``emu lab grade`` grades, and with the same verdicts?

With Snakemake installed it is run; without it, the commands that its rules have are.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from emu.lab.grading.result_store import read
from tests.emu.commands import EMU, environment
from tests.emu.lab import grading_commands
from tests.emu.lab.grading_commands import COW

BROKEN = "def share_space(:\n"
WILD = "Bo 'b'\n{x} $y"
COMMAND = shlex.join(EMU)


@pytest.fixture
def submissions(tmp_path) -> Path:
    folder = tmp_path / "handed in"
    (folder / WILD).mkdir(parents=True)
    (folder / WILD / COW.file).write_text(BROKEN)
    (folder / "eve").mkdir()
    return folder


def snakefile() -> Path:
    done = subprocess.run(
        [*EMU, "lab", "workflow"], env=environment(), capture_output=True, text=True, check=True
    )
    return Path(done.stdout.strip())


def commands() -> dict[str, str]:
    """The shell command of each rule."""
    found = re.findall(r'^rule (\w+):.*?shell:\n\s+"(.*?)"\n', snakefile().read_text(), re.S | re.M)
    return dict(found)


def verdicts(results: Path) -> dict[str, list[str]]:
    return {
        path.parent.name: [path.read_text(), *_statuses(path)]
        for path in results.glob("*/report.txt")
    }


def _statuses(report: Path) -> list[str]:
    record = read(report.with_name("result.json"))
    assert record is not None
    return [record.digest, record.status, *(test.status for test in record.tests)]


def shell(command: str, values: dict[str, str]) -> int:
    """Runs a rule's command as Snakemake does: fills in the values and calls a shell."""
    for name, value in values.items():
        command = command.replace(f"{{{name}:q}}", shlex.quote(value))
        command = command.replace(f"{{{name}}}", value)
    assert "{" not in command
    return subprocess.run(command, shell=True, env=environment(), check=False).returncode


def test_the_rules_commands_make_what_the_folder_s_command_makes(submissions, tmp_path):
    at_once, one_by_one = tmp_path / "at once", tmp_path / "one by one"
    assert grading_commands.grade(submissions, "-o", at_once, "--lab", "4").returncode == 0
    rules = commands()
    assert set(rules) == {"one", "summary"}
    common = {"EMU": COMMAND, "COURSE": "--lab 4", "SUBMISSIONS": str(submissions)}
    listed = json.loads(grading_commands.grade(submissions, "--list", "--lab", "4").stdout)
    for each in listed:
        values = {
            "params.submission": f"{submissions}/{each['result']}",
            "output": f"{one_by_one}/{each['result']}/result.json",
        }
        assert shell(rules["one"], {**common, **values}) == 0
    assert shell(rules["summary"], {**common, "RESULTS": str(one_by_one)}) == 0
    assert verdicts(one_by_one) == verdicts(at_once)
    for name in ("summary.csv", "summary.txt"):
        assert (one_by_one / name).read_bytes() == (at_once / name).read_bytes()


def test_what_is_not_graded_yet_is_missing_from_a_merge(submissions, tmp_path):
    results = tmp_path / "results"
    done = grading_commands.grade(submissions / "..", "-o", results, "--merge", "--lab", "4")
    assert done.returncode == 1
    assert "handed in: not graded yet" in done.stderr


@pytest.mark.skipif(not importlib.util.find_spec("snakemake"), reason="needs Snakemake")
def test_snakemake_grades_all_and_only_what_has_changed_again(submissions, tmp_path):
    results = tmp_path / "results"
    config = [f"submissions={submissions}", f"results={results}", "lab=cow-fork", f"emu={COMMAND}"]
    words = ["-s", str(snakefile()), "-c", "2", "--directory", str(tmp_path), "--config", *config]

    def snakemake() -> dict[str, int]:
        subprocess.run([sys.executable, "-m", "snakemake", *words], env=environment(), check=True)
        return {path.parent.name: path.stat().st_mtime_ns for path in results.glob("*/result.json")}

    (submissions / "dan.py").write_text("")
    (submissions / "flo").mkdir()
    first = snakemake()
    assert len(first) == 4
    (results / "eve" / "result.json").unlink()
    (submissions / WILD / COW.file).write_text(BROKEN + "# changed\n")
    second = snakemake()
    assert {name for name in first if first[name] == second[name]} == {"dan.py", "flo"}
    assert os.path.exists(results / "summary.csv")
