"""Does the command of `make roots` replace what another request made, and report in one line?"""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import root
from toolchain.debian.filling import Request
from toolchain.debian.marks import COMPLETE
from toolchain.debian.progress import Progress
from toolchain.debian.record import Record
from toolchain.debian.tree import Tree
from toolchain.errors import RootError


def filled(folder: Path, *packages: str) -> Path:
    folder.mkdir()
    Record("testing", True, list(packages)).write(Tree(folder), COMPLETE)
    return folder


def request(folder: Path, *packages: str, suite: str = "testing") -> Request:
    return Request(folder, packages, suite, minimal=True)


def test_is_what_the_same_request_made_left(tmp_path: Path) -> None:
    folder = filled(tmp_path / "root", "p", "q")
    root.remove_other(request(folder, "p", "q"))
    assert folder.exists()


def test_is_anything_else_removed(tmp_path: Path) -> None:
    root.remove_other(request(filled(tmp_path / "one", "p"), "q"))
    root.remove_other(request(filled(tmp_path / "two", "p"), "p", suite="sid"))
    (tmp_path / "three" / "bin").mkdir(parents=True)
    root.remove_other(request(tmp_path / "three", "p"))
    root.remove_other(request(tmp_path / "four", "p"))
    assert list(tmp_path.iterdir()) == []


def test_is_a_failure_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill(wanted: Request, progress: Progress) -> int:
        raise RootError(f"there is no package {' '.join(wanted.packages)}")

    monkeypatch.setattr(root, "fill", fill)
    folder = filled(tmp_path / "root", "p")
    assert root.main([str(folder), "q"]) == 1
    assert capsys.readouterr().err == f"{folder}: there is no package q\n"
    assert folder.exists()
