"""Is every guest's output the same under emu and qemu-riscv64, with exact counts?"""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from guest.manifest import FOLDER, GUESTS, Counts, Guest
from kernel.mm.mappings.huge_policy import ThpCow
from tests.guest.running import POLICIES, built, missing, run_emu, run_qemu_once, variants

EVERY_WAY = [(guest, variant) for guest in GUESTS for variant in variants(guest)]
COUNTED = [guest for guest in GUESTS if guest.per_page]
EXACT = [guest for guest in GUESTS if guest.total]
HUGE = [guest for guest in GUESTS if guest.huge]

# Two numbers of pages of as many digits: the length of an argument moves the stack.
FEWER, MORE = 10, 42


def name_of(value: object) -> str | None:
    return value.name if isinstance(value, Guest) else None


def options(guest: Guest, policy: str) -> tuple[str, ...]:
    return ("--fork-policy", policy, *(("--mem", guest.memory) if guest.memory else ()))


def summary_of(program: Path, *arguments: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
    """The counts of a run; test_guest checks the invariants of the same programs."""
    return run_emu(program, *arguments, options=options, checked=False).summary


def counted(summary: dict[str, Any]) -> tuple[int, int, int]:
    """Numbers of frames copied, reused, and copied from files."""
    from_files = summary["faults"]["file_copied"]
    return summary["frames_copied"], summary["frames_reused"], from_files


def need_zig(variant: str) -> None:
    if variant == "musl" and importlib.util.find_spec("ziglang") is None:
        missing("the ziglang package, which brings musl,")


def test_every_source_is_in_the_table() -> None:
    sources = {path for path in FOLDER.iterdir() if path.suffix in {".c", ".S"}}
    assert sources == {guest.source for guest in GUESTS}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("guest", "variant"), EVERY_WAY, ids=name_of)
def test_guest(guest: Guest, variant: str, policy: str) -> None:
    need_zig(variant)
    program = built(guest, variant)
    run = run_emu(program, options=options(guest, policy))
    assert "FAIL" not in run.output
    assert run.status == 0, run.errors
    assert run.summary["frames_leaked"] == 0
    if guest.compare:
        oracle = run_qemu_once(program)
        assert (run.output, run.status) == (oracle.output, oracle.status)


@pytest.mark.parametrize("copied", ThpCow)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("guest", "variant"),
    [(guest, variant) for guest in HUGE for variant in ("static", "musl")],
    ids=name_of,
)
def test_guest_with_huge_pages_everywhere(
    guest: Guest, variant: str, policy: str, copied: ThpCow
) -> None:
    need_zig(variant)
    program = built(guest, variant)
    run = run_emu(
        program, options=(*options(guest, policy), "--thp", "always", "--thp-cow", copied)
    )
    oracle = run_qemu_once(program)
    assert (run.output, run.status, run.errors) == (oracle.output, 0, "")
    assert run.summary["frames_leaked"] == 0


@pytest.mark.parametrize("guest", COUNTED, ids=name_of)
def test_what_one_further_page_adds_to_the_counts(guest: Guest) -> None:
    program = built(guest, "static")
    fewer = summary_of(program, str(FEWER))
    more = summary_of(program, str(MORE))
    one = guest.per_page
    assert one is not None
    added = [after - before for before, after in zip(counted(fewer), counted(more), strict=True)]
    pages = MORE - FEWER
    assert added == [one.copied * pages, one.reused * pages, one.from_file * pages]


@pytest.mark.parametrize("guest", [*COUNTED, *EXACT], ids=name_of)
def test_shared_tables_copy_and_reuse_the_same_frames(guest: Guest) -> None:
    program = built(guest, "static")
    one_by_one = summary_of(program, options=options(guest, "cow"))
    by_tables = summary_of(program, options=options(guest, "shared-tables"))
    assert counted(by_tables) == counted(one_by_one)
    assert by_tables["eager_frames_copied"] == one_by_one["eager_frames_copied"]
    assert bool(by_tables["tables_shared"]) == bool(by_tables["forks"])


@pytest.mark.parametrize("variant", ["static", "static-pie"])
@pytest.mark.parametrize("guest", EXACT, ids=name_of)
def test_exact_counts(guest: Guest, variant: str) -> None:
    program = built(guest, variant)
    summary = summary_of(program)
    # In a static PIE the loader clears the rest of a file's page, which copies it.
    copied, reused, _ = counted(summary)
    assert Counts(copied, reused) == guest.total


@pytest.mark.parametrize("guest", EXACT, ids=name_of)
def test_what_eager_copying_would_cost_is_what_it_costs(guest: Guest) -> None:
    program = built(guest, "static")
    cow_summary = summary_of(program, options=("--fork-policy", "cow"))
    real = summary_of(program, options=("--fork-policy", "eager"))
    assert cow_summary["eager_frames_copied"] == real["eager_frames_copied"]
    assert (cow_summary["forks"], cow_summary["processes"]) == (real["forks"], real["processes"])


def test_processes_and_forks_are_counted() -> None:
    chain = next(guest for guest in GUESTS if guest.name == "exact_chain")
    summary = summary_of(built(chain, "static"))
    assert (summary["processes"], summary["forks"]) == (4, 3)
    tree = next(guest for guest in GUESTS if guest.name == "fork_tree")
    summary = summary_of(built(tree, "static"))
    assert (summary["processes"], summary["forks"]) == (40, 39)


def test_out_of_memory_says_so() -> None:
    guest = next(guest for guest in GUESTS if guest.name == "oom")
    run = run_emu(built(guest, "static"), options=options(guest, "cow"))
    assert run.errors.lower().count("out of memory") == 3
