"""Do both variants do the same? Output, status, summary and traces are equal byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.compilation.modules import BY_MYPYC
from guest.manifest import GUESTS, Guest
from kernel.mm.forking.fork import POLICIES
from tests.emu.compilation.variants import needs_compiled, run
from tests.guest.running import built

pytestmark = needs_compiled
TRACED = GUESTS[::6]
"""Every sixth guest: each takes two runs of the whole command."""


def both(*arguments: str | Path) -> tuple[object, object]:
    results = []
    for pure in ("1", "0"):
        done = run(pure, *arguments)
        results.append((done.returncode, done.stdout, done.stderr))
    return results[0], results[1]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("guest", TRACED, ids=lambda guest: guest.name)
def test_are_traces_equal(guest: Guest, policy: str, tmp_path: Path) -> None:
    program = built(guest, "static")
    memory = ("--mem", guest.memory) if guest.memory else ()
    options = ("--deterministic", "--fork-policy", policy, "--calls", *memory)
    files = {pure: tmp_path / f"{pure}.jsonl" for pure in ("1", "0")}
    results = [run(pure, "trace", *options, "-o", file, program) for pure, file in files.items()]
    assert results[0].returncode == results[1].returncode
    assert results[0].stdout == results[1].stdout
    assert files["1"].read_bytes() == files["0"].read_bytes()


@pytest.mark.parametrize("policy", POLICIES)
def test_is_the_profile_equal(policy: str) -> None:
    guest = next(guest for guest in GUESTS if guest.name == "demo_cow")
    program = built(guest, "static")
    pure, compiled = both("cow", "--deterministic", "--fork-policy", policy, "--json", program)
    assert pure == compiled


def test_is_a_message_of_a_wrong_program_equal(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\x7fELF")
    pure, compiled = both("run", file)
    assert pure == compiled


def test_is_each_module_a_file() -> None:
    root = Path(__file__).parents[3]
    assert [name for name in BY_MYPYC if not (root / f"{name.replace('.', '/')}.py").exists()] == []
