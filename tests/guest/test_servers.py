"""Do servers that fork run as they are in Debian, with their clients in the machine?"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.guest.running import ROOTS, Run, missing, run_emu

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.environ.get("EMU_PURE") != "0", reason="make test-compiled runs it"),
]

SCRIPTS = Path(__file__).parent / "scripts"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C"}


def run_script(root: str, script: str, *options: str) -> Run:
    folder = ROOTS / root
    if not folder.is_dir():
        missing(f".root/{root} (make roots)")
    given = ("--root", str(folder), "--ro", f"{SCRIPTS}:/scripts", *options)
    # The invariants are checked for smaller programs: here that takes minutes.
    path = f"/scripts/{script}.sh"
    return run_emu("/bin/bash", path, options=given, env=ENVIRONMENT, checked=False)


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
def test_redis_saves_and_loads_a_snapshot_under_writes(policy: str) -> None:
    run = run_script("redis", "redis", "--fork-policy", policy, "--mem", "512M")
    *lines, checked = run.output.splitlines()
    expected = ["OK", "20000", "Background saving started", "     10 OK"]
    assert lines[:4] == expected, run.output
    assert "rdb_last_bgsave_status:ok" in lines
    cost = re.search(r"rdb_last_cow_size:(\d+)", run.output)
    assert cost is not None
    assert int(cost[1]) > 0, "the server reads it in /proc/self/smaps"
    assert lines[-4:] == ["written", "OK", "reloaded the same", "loaded the same"]
    assert checked == "RDB looks OK"
    assert run.summary["frames_leaked"] == 0


def test_nginx_and_lighttpd_serve_files_to_curl() -> None:
    run = run_script("web", "web")
    page, *_ = lines = run.output.splitlines()
    assert page == "from the guest"
    assert lines[:3] == [page] * 3, "over IPv4, IPv6 and a socket of the file system"
    assert lines[3] == lines[4], "a large file arrives unchanged"
    assert lines[5:] == ["404", page, "ended with 0"]
    assert run.summary["frames_leaked"] == 0


def test_two_runs_of_redis_with_a_client_have_the_same_trace(tmp_path: Path) -> None:
    command = "redis-server --port 6379 --save '' >/tmp/log & " + (
        "until redis-cli ping; do :; done; redis-cli set a b; redis-cli bgsave; "
        "redis-cli shutdown nosave"
    )
    root = ROOTS / "redis"
    if not root.is_dir():
        missing(".root/redis (make roots)")
    traces = []
    for name in ("one", "other"):
        file = tmp_path / f"{name}.txt"
        options = ("--trace", "faults", "--trace-file", str(file), "--deterministic")
        given = ("--root", str(root), *options)
        run = run_emu("/bin/bash", "-c", command, options=given, env=ENVIRONMENT, checked=False)
        assert run.status == 0, run.errors
        traces.append(file.read_text())
    assert traces[0] == traces[1]
    assert "COPIED" in traces[0]


def test_postgresql_creates_a_database_and_answers_over_both_kinds_of_sockets(
    tmp_path: Path,
) -> None:
    passwd = tmp_path / "passwd"
    passwd.write_text("root:x:0:0::/:/bin/bash\npostgres:x:100:100::/tmp:/bin/bash\n")
    options = ("--user", "100", "--ro", f"{passwd}:/etc/passwd", "--mem", "1G")
    run = run_script("postgres", "postgres", *options)
    lines = run.output.splitlines()
    assert lines == ["1000 333833500", "5", "on", "stopped"], run.output + run.errors
    assert run.summary["frames_leaked"] == 0
    assert run.summary["faults"]["copied"] > 0, (
        "backends share the postmaster's pages until a store"
    )


def test_localhost_is_known_in_a_root_without_hosts() -> None:
    root = ROOTS / "redis"
    if not root.is_dir():
        missing(".root/redis (make roots)")
    command = "redis-server --port 6379 --save '' >/tmp/log & " + (
        "for i in {1..600}; do redis-cli -h localhost ping 2>/tmp/none && break; sleep 0.05; done; "
        "redis-cli -h localhost shutdown nosave"
    )
    options = ("--root", str(root))
    run = run_emu("/bin/bash", "-c", command, options=options, env=ENVIRONMENT, checked=False)
    assert run.output == "PONG\n", run.errors
