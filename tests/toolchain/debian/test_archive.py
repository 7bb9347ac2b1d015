"""Is a package unpacked as dpkg does, and never outside of its folder?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.toolchain.debian.repository import Package
from toolchain.debian.archive import control_files, unpack
from toolchain.debian.tree import Tree
from toolchain.errors import RootError

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="not a Debian system")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "root").mkdir()
    return Tree(tmp_path / "root")


def unpacked(tmp_path: Path, tree: Tree, package: Package, *configuration: str) -> list[str]:
    return unpack(package.build(tmp_path), tree, set(configuration))


def test_files_with_their_modes(tmp_path: Path, tree: Tree) -> None:
    package = Package(
        "p",
        {"usr/bin/p": "program", "etc/p.conf": "new"},
        {"usr/bin/q": "p"},
        {"usr/bin/p": 0o4755},
    )
    tree.write("etc/p.conf", "changed by the user")
    names = unpacked(tmp_path, tree, package, "/etc/p.conf")
    folders = ["/.", "/etc", "/usr", "/usr/bin"]
    assert sorted(names) == sorted([*folders, "/etc/p.conf", "/usr/bin/p", "/usr/bin/q"])
    expected = 0o4755 if os.geteuid() == 0 else 0o755
    assert os.stat(f"{tree.root}/usr/bin/p").st_mode & 0o7777 == expected
    assert tree.text("usr/bin/q") == "program"
    assert tree.text("etc/p.conf") == "changed by the user"


def test_has_a_program_of_another_user_set_id_bits(
    tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    other = Tree(Path(tree.root))
    unpacked(tmp_path, other, Package("p", {"p": "program"}, modes={"p": 0o6755}))
    assert os.stat(f"{tree.root}/p").st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    "package",
    [
        Package("p", {"link/file": "bad"}, {"link": "OUTSIDE"}),
        Package("p", {"link/file": "bad"}, {"link": "../outside"}),
        Package("p", {"a/link/file": "bad"}, {"a/link": "../../../../OUTSIDE"}),
        Package("p", {"link": "bad"}, {"link": "OUTSIDE/file"}),
        Package("p", {"two/file": "bad"}, {"one": "OUTSIDE", "two": "one"}),
    ],
)
def test_links_to_the_host(tmp_path: Path, tree: Tree, package: Package) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("of the host")
    links = {name: to.replace("OUTSIDE", str(outside)) for name, to in package.links.items()}
    unpacked(tmp_path, tree, Package("p", package.files, links))
    assert [path.read_text() for path in outside.iterdir()] == ["of the host"]


def test_names_that_lead_out_are_an_error(tmp_path: Path, tree: Tree) -> None:
    with pytest.raises(RootError, match=r"p_1_riscv64.deb: has a file outside"):
        unpacked(tmp_path, tree, Package("p", {"../x": "bad"}))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"text" * 99])
def test_damaged_packages_are_one_line(tmp_path: Path, tree: Tree, content: bytes) -> None:
    path = tmp_path / "p.deb"
    path.write_bytes(content)
    for read in (lambda: control_files(path), lambda: unpack(path, tree, set())):
        with pytest.raises(RootError, match=r"^p\.deb: [^\n]+$"):
            read()


def test_a_package_that_ends_early_is_one_line(tmp_path: Path, tree: Tree) -> None:
    path = Package("p", {"file": "x" * 9999}).build(tmp_path)
    path.write_bytes(path.read_bytes()[:-15000])
    with pytest.raises(RootError, match=r"^p_1_riscv64.deb: [^\n]+$"):
        unpack(path, tree, set())
    assert tree.text("file") == ""


def test_control_files(tmp_path: Path) -> None:
    files = control_files(Package("p", scripts={"postinst": "exit 1\n"}).build(tmp_path))
    assert files["postinst"] == b"exit 1\n"
    assert files["control"].startswith(b"Package: p\n")
