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


REDIS = sessions((FOLDER / "REDIS.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def of_redis() -> list[str]:
    if not (ROOTS / "redis").is_dir():
        missing(".root/redis (make roots)")
    return outputs(REDIS)


def cow_sizes(printed: list[str]) -> list[int]:
    return [int(size) for size in re.findall(r"rdb_last_cow_size:(\d+)", "".join(printed))]


def test_the_page_about_redis_shows_what_is_printed(of_redis: list[str]) -> None:
    for (command, expected), output in zip(REDIS, of_redis, strict=True):
        assert normal(output) == normal(expected), f"$ {command}\n{output}"


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
