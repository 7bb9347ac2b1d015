"""Does Ctrl-C end the command silently while it starts and while it exits?"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emu.commands import PROJECT, SECONDS, environment
from tests.kernel.syscalls.guests import compiled

KILL = "import os, signal\nos.kill(os.getpid(), signal.{number})\n"
ENTRIES = {
    "module": ["-m", "emu"],
    "script": ["-c", "from emu.__main__ import run_and_exit; run_and_exit()"],
}
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def emu_with(folder: Path, entry: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, with modules in ``folder`` found before all others."""
    return subprocess.run(
        [sys.executable, *ENTRIES[entry], *words],
        env={**environment(), "PYTHONPATH": f"{folder}:{PROJECT}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("module", ["argparse", "mypy_extensions", "msgspec"])
def test_a_signal_in_an_import_ends_it_silently(
    module: str, entry: str, number: str, tmp_path: Path
) -> None:
    (tmp_path / f"{module}.py").write_text(KILL.format(number=number))
    done = emu_with(tmp_path, entry, "trace", "-o", str(tmp_path / "t.jsonl"), str(hello()))
    assert (done.returncode, done.stdout, done.stderr) == (-signal.Signals[number], "", "")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_signal_during_exit_ends_it_silently(entry: str, number: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        f"import atexit\n@atexit.register\ndef last():\n"
        f"    import os, signal\n    os.kill(os.getpid(), signal.{number})\n"
    )
    done = emu_with(tmp_path, entry, "run", str(hello()))
    assert (done.returncode, done.stdout) == (-signal.Signals[number], "hello\n")
    assert done.stderr == ""


@pytest.mark.parametrize("entry", ENTRIES)
def test_are_functions_called_at_exit_and_their_output_flushed(entry: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n@atexit.register\ndef last():\n"
        "    print('last', end='')\n    print('of stderr', end='', file=sys.stderr)\n"
    )
    done = emu_with(tmp_path, entry, "run", str(hello()))
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\nlast", "of stderr")


def test_an_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    """A shell ignores SIGINT for background jobs."""
    (tmp_path / "argparse.py").write_text(KILL.format(number="SIGINT") + "raise SystemExit(7)\n")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert emu_with(tmp_path, "module", "--help").returncode == 7
    finally:
        signal.signal(signal.SIGINT, before)


def test_importing_emu_does_not_change_ctrl_c() -> None:
    code = (
        "import signal, emu; from emu.cli.main import main; main(['syscalls'])\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def hello() -> Path:
    return compiled('say("hello\\n");')
