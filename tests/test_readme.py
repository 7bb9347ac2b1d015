"""Is the output of the README's commands as printed there?"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.guest.running import missing as missing_root

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

Sessions = list[tuple[str, str]]


def sessions(blocks: list[str]) -> Sessions:
    """The commands of blocks, each with the output that is shown."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "\n".join(blocks), re.MULTILINE)


BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
SESSIONS = sessions([block for block in BLOCKS if "emu root " not in block])
WITH_ROOT = sessions([block for block in BLOCKS if "emu root " in block])

# Addresses, frames, code and the C library's function that forks depend on the toolchain.
VARYING = (
    (re.compile(r"0x[0-9a-f]+"), "0x…"),
    (re.compile(r"  (?:c\.)?s[bd] \w+, -?\w+\(\w+\)  "), "  a store  "),
    (re.compile(r"(demo_cow\.c:30 main) \(\w+\)"), r"\1 (forks)"),
    (re.compile(r"\d+\.\d+ ms"), "N ms"),
    (re.compile(r" +"), " "),
)


def normal(text: str) -> list[str]:
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return text.strip().splitlines()


def missing(expected: str, printed: str) -> list[str]:
    """The lines of ``expected`` that were not printed in this order."""
    lines = iter(normal(printed))
    return [line for line in normal(expected) if line not in lines]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkout after make setup, but may be written to."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "guest").symlink_to(ROOT / "guest")
    command = ROOT / ".venv" / "bin" / "emu"
    emu = command if command.exists() else shutil.which("emu")
    if emu is None:
        pytest.fail("the emu command is not installed: make setup")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "emu").symlink_to(emu)
    subprocess.run(["bash", "-c", SESSIONS[0][0]], cwd=folder, check=True)
    return folder


def test_does_the_first_session_print_what_the_readme_shows(checkout: Path) -> None:
    assert len(SESSIONS) >= 4
    compare(SESSIONS, checkout)


@pytest.mark.root
def test_does_the_session_with_debians_programs(checkout: Path) -> None:
    root = ROOT / ".root" / "debian"
    if not root.exists():
        missing_root(".root/debian (make roots)")
    (checkout / "debian").symlink_to(root)
    assert WITH_ROOT[0][0].startswith(".venv/bin/emu root debian ")
    compare(WITH_ROOT, checkout)


def compare(commands: Sessions, checkout: Path) -> None:
    """Runs the commands, and compares what they print."""
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=checkout, capture_output=True, text=True, check=False
        )
        assert missing(expected, done.stdout) == [], f"$ {command}\n{done.stdout}{done.stderr}"


def test_does_every_option_in_the_table_exist(checkout: Path) -> None:
    shown = subprocess.run(
        [checkout / ".venv/bin/emu", "run", "--help"], capture_output=True, text=True, check=True
    ).stdout
    rows = re.findall(r"^\| (`--.*?) \|", README, re.MULTILINE)
    options = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    assert len(options) > 8
    assert [option for option in sorted(options) if option not in shown] == []


def test_does_the_python_example_run(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(checkout)
    example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    exec(compile(example, "README.md", "exec"), {})
    assert re.fullmatch(r"0 \d+\n", capsys.readouterr().out)


def test_does_every_file_it_links_to_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
