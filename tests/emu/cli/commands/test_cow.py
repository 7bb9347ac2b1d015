"""Are the output and exit status of ``emu cow`` correct, for shells and continuous integration?"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from guest.manifest import BY_NAME
from kernel.mm.forking.fork import POLICIES
from tests.emu.commands import EMU, Outcome, emu, environment, program
from tests.guest.running import built

PRINTED = "parent sees  pppppppp\n child sees  pCCppCpp\nparent sees  pPpppppP\n"


def cow(*words: str | Path) -> Outcome:
    return emu("cow", "--check", *words)


def demo() -> Path:
    return built(BY_NAME["demo_cow"], "static")


def test_is_stdout_the_guests_alone_and_the_profile_on_stderr() -> None:
    outcome = cow(demo())
    assert (outcome.status, outcome.stdout) == (0, PRINTED)
    assert "demo_cow.c:22 write_page" in outcome.stderr
    assert max(map(len, outcome.stderr.splitlines())) <= 80


def test_is_the_exit_status_the_guests() -> None:
    assert cow(built(BY_NAME["exact_child"], "static"), "ignored").status == 0
    assert cow("/no/such/program").status == 127


def test_does_the_profile_go_to_a_file(tmp_path: Path) -> None:
    outcome = cow(demo(), "--json", "-o", tmp_path / "cow.json")
    assert (outcome.stdout, outcome.stderr) == (PRINTED, "")
    profile = json.loads((tmp_path / "cow.json").read_text())
    assert profile["copied"] == profile["summary"]["faults"]["copied"]
    assert profile["lines"][0]["line"] == 22 and profile["lines"][0]["copies"] == 3
    assert all(len(usage["time"]) == len(usage["unique"]) > 0 for usage in profile["memory"])


@pytest.mark.parametrize("command", [("cow",), ("why", "--at", "pages"), ("compare",)])
def test_has_json_standard_output_for_itself(command: tuple[str, ...]) -> None:
    outcome = emu(*command, "--json", demo())
    assert json.loads(outcome.stdout) and outcome.stderr == PRINTED
    text = emu(*command, "-o", "-", demo())
    assert text.stderr == PRINTED and text.stdout and "sees" not in text.stdout


@pytest.mark.parametrize("command", ["cow", "report", "why"])
def test_is_a_fifo_no_trace_to_wait_for(command: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    words = {"cow": (), "report": ("-o", "r.html"), "why": ("--at", "0x5000")}[command]
    outcome = emu(command, *words, "./fifo", cwd=tmp_path)
    assert (outcome.status, outcome.stderr) == (126, "emu: ./fifo: Permission denied\n")


@pytest.mark.parametrize("policy", POLICIES)
def test_are_two_deterministic_runs_alike(policy: str) -> None:
    words = ("--deterministic", "--json", "--fork-policy", policy, demo())
    first, second = cow(*words), cow(*words)
    assert first == second and json.loads(first.stdout)["fork_policy"] == policy


def test_does_a_trace_file_report_the_same(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    words = ("--deterministic", demo())
    assert emu("trace", "--backtrace", "8", "-o", trace, *words).status == 0
    live, from_trace = cow("--json", *words), emu("cow", "--json", trace)
    assert (from_trace.status, from_trace.stderr) == (0, "")
    assert json.loads(live.stdout) == json.loads(from_trace.stdout)


HEAP = """
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    volatile char *block = malloc(3 * 4096);
    block[5000] = 1;
    if (!fork()) {
        block[5000] = 2;
        _exit(0);
    }
    return wait(0) < 0;
}
"""


def test_has_a_trace_heap_sites_on_request(tmp_path: Path) -> None:
    guest = program("cow_heap", HEAP)
    trace = tmp_path / "t.jsonl"
    words = ("--deterministic", guest)
    assert emu("trace", "--heap", "--backtrace", "8", "-o", trace, *words).status == 0
    live, from_trace = cow("--heap", "--json", *words), emu("cow", "--json", trace)
    heap = json.loads(from_trace.stdout)["heap"]
    assert heap and heap == json.loads(live.stdout)["heap"]


@pytest.mark.parametrize("policy", POLICIES)
def test_is_the_status_3_when_more_was_copied_than_allowed(policy: str) -> None:
    words = (demo(), "--fork-policy", policy, "-o", "/dev/null")
    copied = 4 * emu("run", "--summary=json", *words[1:3], demo()).summary["frames_copied"]
    assert cow("--max-cow-kb", str(copied), *words).status == 0
    outcome = cow("--max-cow-kb", str(copied - 1), *words)
    assert outcome.status == 3 and outcome.stdout == PRINTED
    worst = "by the fork of pid 3" if policy == "eager" else "by demo_cow.c:22 write_page (12 KiB)"
    assert outcome.stderr == (
        f"emu: {copied} KiB were copied for fork, more than the {copied - 1} KiB allowed; "
        f"most {worst}{f' ({copied} KiB)' if policy == 'eager' else ''}\n"
    )


def test_does_the_guest_not_get_our_file_for_a_stream_that_is_closed(tmp_path: Path) -> None:
    text = "#include <unistd.h>\nint main(void) { char c; return read(0, &c, 1) < 0 ? 9 : 0; }\n"
    report = tmp_path / "cow.txt"
    words = [*EMU, "cow", "-o", str(report), str(program("reads_stdin", text))]
    command = ["sh", "-c", '"$@" <&-', "sh", *words]
    assert subprocess.run(command, env=environment(), check=False).returncode == 9
    assert "no fork shared memory" in report.read_text()


WRONG = [
    (["--max-cow-kb", "much"], "not a number of KiB"),
    (["--max-cow-kb", "-1"], "not a number of KiB"),
    (["--max-cow-kb", "nan"], "not a number of KiB"),
    (["--top", "0"], "'0': out of range (expected 1 to 1073741824)"),
    (["-o", "/no/such/folder/file"], "No such file"),
    (["--fork-policy", "lazy"], "invalid choice"),
]


@pytest.mark.parametrize("words, reason", WRONG)
def test_is_a_wrong_option_one_clear_line(words: list[str], reason: str) -> None:
    outcome = cow(*words, demo())
    assert (outcome.status, outcome.stdout) == (2, "")
    assert reason in outcome.stderr.splitlines()[-1] and "Traceback" not in outcome.stderr


def cut_off(folder: Path) -> Path:
    trace = folder / "cut.jsonl"
    assert emu("trace", "-o", trace, demo()).status == 0
    trace.write_bytes(trace.read_bytes()[:-20])
    return trace


def test_is_a_trace_that_was_cut_off_reported_and_not_passed(tmp_path: Path) -> None:
    trace = cut_off(tmp_path)
    outcome = emu("cow", "--max-cow-kb", "1000", trace)
    assert outcome.status == 2 and "demo_cow.c:22 write_page" in outcome.stderr
    assert outcome.messages == [f"emu: {trace}: the trace was cut off"]
    assert emu("cow", "--max-cow-kb", "1", trace).status == 3
    trace.write_text(trace.read_text().splitlines(keepends=True)[0])
    assert emu("cow", trace).status == 2


def test_is_a_filtered_trace_refused_in_one_line(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    assert emu("trace", "--outcome", "copied", "-o", trace, demo()).status == 0
    outcome = emu("cow", trace)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert outcome.stderr == (
        f"emu: {trace}: the trace was filtered (expected one with all records)\n"
    )


@pytest.mark.parametrize("name", ["x.jsonl", "x.folded", "x.perfetto-trace", "x.txt"])
@pytest.mark.parametrize("content", ["", "garbage\n", '{"pid":2,"pc":66}\n'])
def test_is_what_is_not_a_trace_named_so(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    outcome = emu("cow", name, cwd=tmp_path)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert (
        outcome.stderr
        == f"emu: {name}: not a trace file (expected a .jsonl written by emu trace -o)\n"
    )


def test_is_neither_input_nor_an_earlier_profile_overwritten(tmp_path: Path) -> None:
    trace = cut_off(tmp_path)
    before = trace.read_bytes()
    outcome = emu("cow", "-o", trace, trace)
    assert (outcome.status, outcome.stderr) == (
        2,
        f"emu: {trace}: output would overwrite the input\n",
    )
    assert emu("cow", "-o", trace, tmp_path / "nothing").status == 127
    assert trace.read_bytes() == before
    assert emu("cow", "-o", tmp_path / "new", tmp_path / "nothing").status == 127
    assert not (tmp_path / "new").exists()


def test_is_a_damaged_trace_one_clear_line(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    trace.write_text('{"event":"start","seq":0}\n{"event":"what"}\n')
    outcome = emu("cow", trace)
    assert outcome.status == 2 and outcome.stderr.count("\n") == 1
    assert outcome.stderr.startswith(f"emu: {trace}: line 1 is not a trace record")
    outcome = emu("cow", trace, "word")
    assert (
        outcome.status == 2 and "word: unexpected argument after the trace file" in outcome.stderr
    )
