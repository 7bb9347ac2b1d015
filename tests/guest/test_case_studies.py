"""Are the commands, the results and the conclusions of the case studies' pages correct?"""

from __future__ import annotations

import os
import re

import pytest

from tests.guest.pages import normal, outputs, sessions
from tests.guest.running import PROJECT, ROOTS, missing

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.environ.get("EMU_PURE") != "0", reason="make test-compiled runs it"),
]
FOLDER = PROJECT / "docs" / "case_studies"


REDIS, NGINX = (
    sessions((FOLDER / f"{name}.md").read_text(encoding="utf-8")) for name in ("REDIS", "NGINX")
)


def printed(root: str, commands: list[tuple[str, str]]) -> list[str]:
    if not (ROOTS / root).is_dir():
        missing(f".root/{root} (make roots)")
    return outputs(commands)


@pytest.fixture(scope="module")
def of_redis() -> list[str]:
    return printed("redis", REDIS)


@pytest.fixture(scope="module")
def of_nginx() -> list[str]:
    return printed("web", NGINX)


def same(commands: list[tuple[str, str]], printed: list[str]) -> None:
    for (command, expected), printed_ in zip(commands, printed, strict=True):
        output = re.sub(r"emu: .* debug file .*\n", "", printed_)
        assert normal(output) == normal(expected), f"$ {command}\n{output}"


def cow_sizes(printed: list[str]) -> list[int]:
    return [int(size) for size in re.findall(r"rdb_last_cow_size:(\d+)", "".join(printed))]


def test_the_page_about_redis_shows_what_is_printed(of_redis: list[str]) -> None:
    same(REDIS, of_redis)


def test_changes_that_are_apart_cost_more_than_neighbours(of_redis: list[str]) -> None:
    none, near, apart, more, small_pages, huge_pages = cow_sizes(of_redis)
    assert none < near < apart < more
    assert apart - none > 10 * (near - none)
    assert huge_pages > 2 * small_pages


def test_the_parent_of_a_snapshot_copies_what_the_server_counts(of_redis: list[str]) -> None:
    rows = [row.split() for row in re.findall(r"^5 .*$", "".join(of_redis), re.MULTILINE)]
    near, apart = (int(row[4]) for row in rows)
    _, small, large, *_ = cow_sizes(of_redis)
    assert abs(apart - near - (large - small) // 4096) <= 16, "pages more, by both counts"


def copied_by_workers(output: str) -> list[int]:
    """Pages that the children of the master copied, which is the child of the first row."""
    rows = [line.split() for line in output.splitlines() if line[:1].isdigit()]
    return [int(row[5]) for row in rows if row[1] == rows[0][2]]


def test_the_page_about_nginx_shows_what_is_printed(of_nginx: list[str]) -> None:
    same(NGINX, of_nginx)


def test_workers_copy_for_their_end_and_not_for_requests(of_nginx: list[str]) -> None:
    two, four, killed = map(copied_by_workers, of_nginx[3:6])
    assert (len(two), len(four), len(killed)) == (2, 4, 4)
    assert max(*two, *four) - min(*two, *four) <= 8
    assert max(killed) < min(four) / 3
    at_end = sum(four) - sum(killed)
    cleanup, _ = map(int, of_nginx[-1].split())
    assert cleanup // 4096 > at_end / 2, "libcrypto's handler is the largest part"
