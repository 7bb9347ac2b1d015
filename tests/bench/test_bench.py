"""Does the benchmark produce valid figures? No time is asserted."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from kernel.mm.forking.fork import POLICIES
from tests.bench import table
from tests.bench.__main__ import main
from tests.bench.budget import GOALS
from tests.bench.commands import Subshells
from tests.bench.compiling import PROGRAMS, host_compiler
from tests.bench.debian import ROOTS, Compiler, PythonScript, PythonStart, Redis
from tests.bench.program import Program, parse
from tests.bench.resident import parse_status
from tests.bench.rows import Row, Spread
from tests.bench.run import rounds_of, run
from tests.bench.work import Size, Work
from tests.bench.works import WORKS
from tests.bench.worlds import Failed, World, emu, others
from tests.guest.running import missing

PROGRAM_WORKS = [work for work in WORKS if isinstance(work, Program)]


def world(name: str) -> World:
    for other in others()[0]:
        if other.name == name:
            return other
    pytest.skip(f"no {name} here")


def test_output_is_names_and_nanoseconds() -> None:
    assert parse("fork_1 28005.250\nfork_64 444682\n") == {"fork_1": 28005.25, "fork_64": 444682}


@pytest.mark.parametrize("output", ["FAIL bench.h:53 x", "fork_1", "fork_1 soon"])
def test_other_output_is_a_failure(output: str) -> None:
    with pytest.raises(Failed, match="not a name and a number"):
        parse(output)


def test_sizes_of_a_process() -> None:
    status = "Name:\temu\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\nThreads:\t1\n"
    assert parse_status(status) == {"VmHWM": 2.0, "VmRSS": 1.0}


def test_a_ratio_is_the_median_of_ratios_within_rounds() -> None:
    row = Row("x", "ns", [{"emu": 2, "qemu": 1}, {"emu": 30, "qemu": 10}, {"emu": 8, "qemu": 1}])
    assert row.ratio("qemu") == Spread(3, 2, 8)
    assert row.value("emu") == Spread(8, 2, 30)
    assert row.ratio("native") is None and row.value("native") is None and row.reaches_goal is None


def test_a_goal_is_reached_by_the_median_against_its_world() -> None:
    row = Row("first touch", "ns", [{"emu": 15, "native": 10, "qemu": 1}])
    assert row.reaches_goal is True
    row.samples = [{"emu": 16, "native": 10}]
    assert row.reaches_goal is False
    row.samples = [{"emu": 16, "qemu": 10}]
    assert row.reaches_goal is None
    assert Row("run hello", "ns", [{"emu": 80e6}]).reaches_goal is True


def test_every_goal_has_its_row() -> None:
    rows = {
        f"{name}, {policy}" if policy else name
        for work in PROGRAM_WORKS
        for name in work.rows.values()
        for policy in work.policies or ("",)
    }
    later = {"fork 1024 MiB, shared-tables"} if "shared-tables" not in POLICIES else set()
    assert set(GOALS) - rows - later == {"run hello", "run python3"}


def test_a_number_has_the_digits_worth_reading() -> None:
    values = (0.0213, 0.25, 1.466, 12.6, 1234.0)
    assert [table.number(value) for value in values] == ["0.021", "0.25", "1.47", "13", "1234"]


def test_an_amount_has_a_fitting_unit() -> None:
    amounts = [table.amount(value, "ns") for value in (8.25, 999.7, 14_300, 28.4e6, 1.5e9)]
    assert amounts == ["8.25 ns", "1 µs", "14.3 µs", "28.4 ms", "1.5 s"]
    assert table.amount(152.7, "MiB") == "153 MiB" and table.amount(2.5, "x") == "2.50 x"


def test_the_table_fits_100_columns() -> None:
    sample = {"emu": 123.4e6, "pure": 456.7e6, "qemu": 567.8e3, "native": 23.46e3}
    samples = [sample, sample, {"emu": 177.7e6, "qemu": 123.4e3, "native": 12.34e3}]
    rows = [Row(name, "ns", list(samples)) for name in GOALS]
    rows.append(Row("peak resident, --mem 16G, nothing touched", "MiB", [{"emu": 47.1}]))
    lines = table.text(rows).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split() == ["work", *table.WORLDS, "emu/qemu", "emu/native", "goal", "met"]
    assert json.dumps(table.as_json(rows))


def test_a_world_that_is_missing_has_a_note_and_no_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    worlds, notes = others()
    assert worlds == [] and [note.split()[0] for note in notes][:2] == ["qemu-riscv64", "gcc"]
    lines = table.text([Row("getppid", "ns", [{"emu": 2, "qemu": 1}])]).splitlines()
    assert lines[0].split() == ["work", "emu", "qemu", "emu/qemu", "goal", "met"]


def test_heavy_work_is_done_less_often() -> None:
    heavy = next(work for work in WORKS if work.heavy)
    light = next(work for work in WORKS if not work.heavy)
    assert [rounds_of(work, Size.FULL, 5) for work in (light, heavy)] == [5, 3]
    assert [rounds_of(work, Size.QUICK, 3) for work in (light, heavy)] == [3, 1]


def test_rounds_stop_when_time_is_up() -> None:
    done = run((), (), Size.TINY, 4, math.inf, lambda line: None)
    assert done.rounds == 4
    done = run((), (), Size.TINY, 4, 0, lambda line: None)
    assert done.rounds == 1


def test_a_failure_is_reported_and_the_rest_goes_on() -> None:
    bad = World("native", ("false",), Path)
    getppid = next(work for work in PROGRAM_WORKS if work.name == "getppid")
    done = run([getppid], [bad], Size.TINY, 1, math.inf, lambda line: None)
    assert done.failures == ["getppid native: status 1 "]
    assert set(done.rows["getppid"].samples[0]) == {"emu", "pure"}


def test_every_program_has_its_work() -> None:
    sources = {path.stem for path in PROGRAMS.glob("*.c")}
    assert sources == {work.name for work in PROGRAM_WORKS} | {"resident"}


def expected(work: Program) -> set[str]:
    """With the tiniest sizes some programs print fewer rows."""
    if work.name == "fork":
        return {"fork 1 MiB"}
    if work.name in ("mappings", "leave"):
        return {row for row in work.rows.values() if row.endswith(" 1 MiB")}
    if work.name == "crowd":
        return {
            f"{kind}, {count} live" for kind in ("first touch", "CoW break") for count in (1, 10)
        }
    return set(work.rows.values())


@pytest.mark.parametrize("work", PROGRAM_WORKS, ids=lambda work: work.name)
@pytest.mark.parametrize("name", ["native", "qemu"])
def test_a_program_elsewhere(work: Program, name: str) -> None:
    if name == "native" and not host_compiler():
        pytest.skip("gcc is missing")
    figures = work.measure(world(name), Size.TINY, None)
    assert set(figures) == expected(work)
    assert all(value >= 0 for value in figures.values())


@pytest.mark.parametrize("work", PROGRAM_WORKS, ids=lambda work: work.name)
def test_a_program_under_emu(work: Program) -> None:
    for policy in work.policies or (None,):
        options = ("--fork-policy", policy) if policy else ()
        figures = work.measure(emu(("--check", "--mem", work.mem, *options)), Size.TINY, policy)
        assert set(figures) == expected(work)
        assert all(value >= 0 for value in figures.values())


ROOT_OF: dict[type[Work], str] = {
    PythonStart: "python",
    PythonScript: "debian",
    Compiler: "gcc",
    Redis: "redis",
}


@pytest.mark.parametrize(
    "work", [work for work in WORKS if work not in PROGRAM_WORKS], ids=lambda work: work.name
)
def test_other_work_under_emu(work: Work) -> None:
    root = ROOT_OF.get(type(work))
    if root is not None and not (ROOTS / root).exists():
        if root == "gcc":
            pytest.skip("the root with gcc is large, and filled by hand")
        missing(f".root/{root}")
    figures = work.measure(emu(("--mem", work.mem)), Size.TINY, None)
    if isinstance(work, Subshells) and not figures:
        missing("busybox")
    assert figures and all(value > 0 for value in figures.values())


def test_the_command_writes_a_table_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "bench.json"
    assert main(["--quick", "--rounds", "1", "--only", "fork_wait", "--json", str(file)]) == 0
    assert "fork+wait, cow" in capsys.readouterr().out
    found = json.loads(file.read_text())
    assert {row["row"] for row in found["rows"]} == {f"fork+wait, {name}" for name in POLICIES}
    assert found["rounds"] == 1
