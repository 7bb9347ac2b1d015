"""Modules imported from one file of bytecode."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from emu.compilation import bytecode

IMPORT = """
import sys
from emu.compilation import bytecode
bytecode._ROOT, bytecode.FILE = sys.argv[1:3]
bytecode.use()
import kernel.greeting
print(kernel.greeting.TEXT, type(kernel.greeting.__loader__).__name__, kernel.greeting.__file__)
kernel.greeting.fail()
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with one package and its file of bytecode."""
    folder = tmp_path / "kernel"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "greeting.py").write_text('TEXT = "first"\n\n\ndef fail():\n    raise OSError\n')
    monkeypatch.setattr(bytecode, "_ROOT", str(tmp_path))
    monkeypatch.setattr(bytecode, "FILE", str(tmp_path / "built" / "file"))
    bytecode.write()
    return tmp_path


def imported(root: Path) -> tuple[str, str]:
    """Output of the program, and its messages."""
    command: list[str | Path] = [sys.executable, "-c", IMPORT, root, root / "built" / "file"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
        env={"PYTHONPATH": f"{Path(__file__).parents[3]}"},
    )  # fmt: skip
    return done.stdout.strip(), done.stderr


def test_is_a_module_imported_from_the_file(root: Path) -> None:
    printed, message = imported(root)
    assert printed == f"first _Loader {root / 'kernel' / 'greeting.py'}"
    assert f'File "{root / "kernel" / "greeting.py"}", line 5, in fail' in message


def test_is_a_source_used_that_has_changed(root: Path) -> None:
    changed = root / "kernel" / "greeting.py"
    changed.write_text(changed.read_text().replace("first", "second"))
    printed, _ = imported(root)
    assert printed == f"second SourceFileLoader {changed}"


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x10" + bytes(7)])
def test_is_a_damaged_file_ignored(root: Path, content: bytes) -> None:
    (root / "built" / "file").write_bytes(content)
    assert "No module named 'kernel.greeting'" in imported(root)[1]


def test_is_a_file_ignored_that_is_cut_short(root: Path) -> None:
    file = root / "built" / "file"
    file.write_bytes(file.read_bytes()[:-1])
    assert "No module named 'kernel.greeting'" in imported(root)[1]


def test_is_the_bytecode_of_an_installed_package_not_compared(root: Path) -> None:
    bytecode.write(installed=True)
    changed = root / "kernel" / "greeting.py"
    changed.write_text(changed.read_text().replace("first", "second"))
    assert imported(root)[0].startswith("first _Loader")
