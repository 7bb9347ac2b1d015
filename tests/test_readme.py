"""Is the output of the README's commands as printed there?"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.readme import README, ROOT, SESSIONS, compare, make_checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the program of the first session."""
    folder = make_checkout(tmp_path_factory.mktemp("checkout"))
    subprocess.run(["bash", "-c", SESSIONS[0][0]], cwd=folder, check=True)
    return folder


def test_does_the_first_session_print_what_the_readme_shows(checkout: Path) -> None:
    assert len(SESSIONS) >= 4
    compare(SESSIONS, checkout)


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
