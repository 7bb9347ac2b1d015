"""Runs the ``emu`` command as a user does, and builds small programs for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emu import Machine, Result
from emu.options import Options
from emu.session import Session
from kernel.kernel import Kernel
from kernel.process.observer import Observer
from tests.emu import prefork
from toolchain.build import build, cache_folder
from toolchain.variant import Variant

PROJECT = prefork.PROJECT
EMU = (sys.executable, "-m", "emu")
RUN = (*EMU, "run", "--check")
SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        """Value of --summary=json, the last line of stderr."""
        return json.loads(self.stderr.splitlines()[-1])

    @property
    def messages(self) -> list[str]:
        """Lines that emu itself printed."""
        return [line for line in self.stderr.splitlines() if line.startswith("emu: ")]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def machine(**options: Any) -> Machine:
    """A machine that checks its invariants."""
    return Machine(check=True, **options)


def observed(program: str | Path, observer: Callable[[Kernel], Observer], **options: Any) -> Result:
    """Runs a program with an observer that needs the kernel."""
    session = Session(Options(check=True, **options), [str(program)])
    session.console.capture(1)
    session.console.capture(2)
    return session.result(session.run([observer(session.kernel)]))


def emu(*words: str | Path, cwd: Path | None = None, stdin: str = "") -> Outcome:
    """Runs the command; ``emu run`` with its invariants checked."""
    done = prefork.run(
        _checked(words), stdin=stdin.encode(), cwd=cwd, environment=environment(), seconds=SECONDS
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def emu_anew(*words: str | Path, cwd: Path | None = None, stdin: str = "") -> Outcome:
    """The same in a separate interpreter, with another seed of Python's hashes."""
    return ran([*EMU, *_checked(words)], cwd=cwd, stdin=stdin, environment=environment())


def _checked(words: Sequence[str | Path]) -> list[str]:
    given = [str(word) for word in words]
    return ["run", "--check", *given[1:]] if given[:1] == ["run"] else given


def ran(
    words: Sequence[str],
    *,
    cwd: Path | None = None,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Runs any command and captures its output."""
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def program(name: str, text: str, variant: Variant = Variant.STATIC) -> Path:
    """A program from C source, built once."""
    folder = cache_folder() / "test-sources"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.c"
    if not source.exists() or source.read_text() != text:
        draft = folder / f"{name}.{os.getpid()}.draft"
        draft.write_text(text)
        draft.replace(source)
    return build([source], variant=variant)
