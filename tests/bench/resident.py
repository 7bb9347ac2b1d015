"""Cost of a guest's memory for the host: the emu process's resident size."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.bench.work import Size, Work
from tests.bench.worlds import Failed, World


class Resident(Work):
    """The guest prints a line when it has touched, or also freed, its memory, and then waits."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        some, more = ("1", "2") if size is Size.TINY else ("100", "200")
        nothing = _sizes(world, "0")
        touched = _sizes(world, some)
        freed = _sizes(world, more, "free")
        return {
            "peak resident, --mem 16G, nothing touched": nothing["VmHWM"],
            "peak resident, --mem 16G, 100 MiB touched": touched["VmHWM"],
            "peak resident, --mem 16G, 200 MiB touched": freed["VmHWM"],
            "resident after munmap of these 200 MiB": freed["VmRSS"],
        }


def _sizes(world: World, *arguments: str) -> dict[str, float]:
    """The host's figures, in MiB, after the guest has printed its line."""
    command = [*world.runner, str(world.compiled("resident")), *arguments]
    with subprocess.Popen(
        command,
        env=world.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin and process.stdout
        line = process.stdout.readline()
        if not line.startswith("resident "):
            process.kill()
            raise Failed(line.strip()[:160] or "the guest printed nothing")
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.stdin.close()
    return parse_status(status)


def parse_status(status: str) -> dict[str, float]:
    """The sizes in /proc/PID/status, from kB to MiB."""
    fields = (line.split() for line in status.splitlines())
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in fields if words[-1:] == ["kB"]}
