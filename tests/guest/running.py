"""Builds guests and runs programs under emu and under qemu-riscv64."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

import kernel.mm.forking.fork
from guest.manifest import FOLDER, Guest
from tests.emu import prefork
from toolchain.build import build, cache_folder, supports
from toolchain.find import find
from toolchain.variant import Variant

PROJECT = Path(__file__).resolve().parents[2]
ROOTS = PROJECT / ".root"
SECONDS = 240  # far above any run's duration, also on a busy machine

POLICIES = tuple(kernel.mm.forking.fork.POLICIES)


@dataclass(frozen=True)
class Run:
    """Result of a run; `summary` is emu's, {} under qemu."""

    output: str
    status: int
    errors: str
    summary: dict[str, Any]


def missing(what: str) -> NoReturn:
    """Skips a test that lacks something; fails it in CI, where everything must be installed."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


@cache
def needs_terminals() -> None:
    """Skips tests that need a pseudo-terminal where there is no /dev/pts."""
    try:
        for end in os.openpty():
            os.close(end)
    except OSError as error:
        missing(f"a pseudo-terminal (/dev/pts: {error.strerror})")


@cache
def qemu() -> str:
    path = shutil.which("qemu-riscv64")
    if path is None:
        missing("qemu-riscv64")
    return str(path)


def _run(command: list[str], env: dict[str, str], cwd: Path | None, stdin: str) -> Run:
    done = subprocess.run(
        command,
        env=env,
        cwd=cwd or PROJECT,
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    return Run(done.stdout, done.returncode, done.stderr, {})


def run_qemu(
    program: Path,
    *arguments: str,
    root: Path | None = None,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
) -> Run:
    """Runs under qemu-riscv64; `root` is the folder of the interpreter and libraries."""
    runner = [qemu()]
    root = root or find().sysroot
    if root:
        runner += ["-L", str(root)]
    given = {"PATH": "/none", **(env or {}), "GUEST_RUNNER": " ".join(runner)}
    run = _run([*runner, str(program), *arguments], given, cwd, stdin)
    # qemu dies of the guest's signal; a shell would report it as emu does.
    return Run(run.output, 128 - run.status if run.status < 0 else run.status, run.errors, {})


_RESULTS: dict[object, Run] = {}


def run_qemu_once(program: Path, *arguments: str, **options: Any) -> Run:
    """As run_qemu, but once for all of emu's fork policies, of which qemu knows nothing."""
    key = (program, arguments, repr(options))
    if key not in _RESULTS:
        _RESULTS[key] = run_qemu(program, *arguments, **options)
    return _RESULTS[key]


def run_emu(
    program: Path | str,
    *arguments: str,
    options: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    checked: bool = True,
) -> Run:
    """Runs under emu, by default with its invariants checked; the summary ends stderr."""
    command = ["run", *(["--check"] if checked else []), "--summary=json", *options]
    for name, value in {"PATH": "/none", **(env or {})}.items():
        command += ["--env", f"{name}={value}"]
    done = prefork.run(
        [*command, str(program), *arguments],
        stdin=stdin.encode(),
        cwd=cwd or PROJECT,
        environment=os.environ,
        seconds=SECONDS,
    )
    output, messages = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    *errors, last = messages.splitlines() or [""]
    try:
        summary = json.loads(last)
    except ValueError:
        pytest.fail(f"no summary from emu; status {done.returncode}, stderr:\n{messages}")
    return Run(output, done.returncode, "\n".join(errors), summary)


def built(guest: Guest, variant: str) -> Path:
    """A guest's program: static, static-pie or dynamic by GCC, or musl (a static PIE) by Zig."""
    if variant == "musl":
        return _built_with_musl(guest)
    return build([guest.source], variant=Variant(variant), flags=guest.flags)


def _built_with_musl(guest: Guest) -> Path:
    texts = [guest.source, *sorted(FOLDER.glob("*.h"))]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in texts)).hexdigest()[:24]
    program = cache_folder() / "musl" / digest / guest.name
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        draft = program.with_name(f"{guest.name}.{os.getpid()}")
        command = [sys.executable, "-m", "ziglang", "cc", "-target", "riscv64-linux-musl"]
        command += ["-static", "-pie", "-fPIE", "-O2", "-g", "-o", str(draft)]
        subprocess.run([*command, str(guest.source), *guest.flags], check=True)
        draft.replace(program)
    return program


def variants(guest: Guest) -> list[str]:
    """Variants in which a guest is built for the tests."""
    if guest.bare:
        return ["static", "static-pie"]
    ways = ["static", "dynamic"]
    if supports(Variant.STATIC_PIE):
        ways.append("static-pie")
    if guest.musl:
        ways.append("musl")
    return ways
