"""Does the ``emu`` script start the command for any stdin and current directory?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.emu.cli.commands.test_run import hello
from tests.emu.commands import PROJECT, environment, program

LAUNCHER = PROJECT / "emu" / "cli" / "launcher.sh"
ENVIRONMENT = "extern char **environ;\n#include <stdio.h>\n"
ENVIRONMENT += "int main(void) { for (char **e = environ; *e; e++) puts(*e); }\n"


def launch(
    launcher: Path, *words: str | Path, stdin: Path = Path(os.devnull), cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Runs the script with the Python of these tests first in PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = os.open(stdin, os.O_RDONLY)
    try:
        return subprocess.run(
            [launcher, *words],
            stdin=given,
            cwd=cwd,
            env={"PWD": str(cwd), **environment(), "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(given)


def test_does_it_run_the_command_with_the_users_words(tmp_path: Path) -> None:
    (tmp_path / "emu").symlink_to(LAUNCHER)
    done = launch(tmp_path / "emu", "run", hello(), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello\n", "")


def test_is_the_environment_the_users(tmp_path: Path) -> None:
    words = ("run", "--env", "PWD", "--env", "GIVEN", program("env", ENVIRONMENT))
    done = launch(LAUNCHER, *words, cwd=tmp_path)
    variables = done.stdout.splitlines()
    assert f"PWD={environment().get('PWD', tmp_path)}" in variables
    assert not any(line.startswith("GIVEN=") for line in variables)


def test_is_a_directory_as_standard_input_one_clear_line(tmp_path: Path) -> None:
    done = launch(LAUNCHER, "run", hello(), stdin=tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("emu: standard input: Is a directory")
    assert done.stderr.count("\n") == 1


def test_no_module_is_taken_from_the_current_directory(tmp_path: Path) -> None:
    for name in ("emu", "kernel", "msgspec"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from here')\n")
    done = launch(LAUNCHER, "run", hello(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (7, "")


def test_does_it_start_in_a_directory_that_was_deleted(tmp_path: Path) -> None:
    removed = tmp_path / "gone"
    removed.mkdir()
    enter = ["sh", "-c", f'cd {removed}; rmdir {removed}; exec "$@"', "-"]
    words: list[str | Path] = [*enter, LAUNCHER, "run", "--cwd", tmp_path, hello()]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        words, env={**environment(), "PATH": path}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello\n", "")
