"""Is a root folder filled once, and a failure reported in one line?"""

import shutil
import subprocess
from pathlib import Path

import pytest

from toolchain import root
from toolchain.errors import RootError


def archive(folder: Path) -> Path:
    """A .deb with one file in it, made by dpkg itself."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: p\nVersion: 1\nArchitecture: riscv64\nMaintainer: m <m@m.example>\n"
        "Description: p\n"
    )
    (tree / "usr" / "bin").mkdir(parents=True)
    (tree / "usr" / "bin" / "p").write_text("text")
    path = folder / "p.deb"
    subprocess.run(["dpkg-deb", "--build", tree, path], check=True, capture_output=True)
    return path


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="not a Debian system")
def test_filled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = archive(tmp_path)
    requests = []

    def download(packages: list[str], depends: bool) -> list[Path]:
        requests.append((packages, depends))
        return [package]

    monkeypatch.setattr(root, "_download", download)
    folder = tmp_path / "root"
    root.fill(folder, ["p"])
    root.fill(folder, ["p"])
    assert requests == [(["p"], False)]
    assert (folder / "bin" / "p").read_text() == "text"
    assert sorted(path.name for path in folder.iterdir()) == ["bin", "usr"]
    root.fill(folder, ["p"], depends=True)
    assert len(requests) == 2


def test_a_failure_is_one_line_and_leaves_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def download(packages: list[str], depends: bool) -> list[Path]:
        raise RootError("no such package")

    monkeypatch.setattr(root, "_download", download)
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "kept").touch()
    assert root.main([str(folder), "p"]) == 1
    assert capsys.readouterr().err == f"{folder}: no such package\n"
    assert (folder / "kept").exists()
