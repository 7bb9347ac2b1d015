"""Do the names of a tree stay in it, whatever links it has?"""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.debian.tree import Tree
from toolchain.errors import RootError


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("of the host")
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "root").mkdir()
    return Tree(tmp_path / "root")


@pytest.mark.parametrize("target", ["/etc", "../../../../etc", "/../etc", "etc"])
def test_is_a_link_followed_inside(target: str, tree: Tree) -> None:
    tree.write("etc/name", "inside")
    tree.link("link", target)
    assert tree.text("link/name") == "inside"
    tree.write("link/other", "new")
    assert tree.text("/etc/other") == "new"


def test_does_a_link_to_the_host_lead_out(tree: Tree, outside: Path) -> None:
    tree.link("link", str(outside))
    tree.write("link/file", "mine")
    assert (outside / "file").read_text() == "of the host"
    assert Path(tree.root, str(outside)[1:], "file").read_text() == "mine"
    assert tree.read(f"..{outside}/none") is None


def test_is_a_file_that_is_a_link_to_the_host_replaced(tree: Tree, outside: Path) -> None:
    tree.link("file", str(outside / "file"))
    with tree.replacing("file") as file:
        file.write(b"mine")
    assert (outside / "file").read_text() == "of the host"
    assert not tree.is_link("file")
    tree.link("other", str(outside / "file"))
    tree.remove("other")
    assert (outside / "file").exists()


def test_are_circles_of_links_and_wrong_names_errors(tree: Tree) -> None:
    tree.link("a", "b")
    tree.link("b", "a")
    with pytest.raises(OSError, match="Too many levels"):
        tree.locate("a/x")
    assert not tree.exists("a")
    assert tree.read("a/x") is None
    with pytest.raises(RootError, match="not a file name"):
        tree.locate("a\0b")


def test_is_a_directory_kept_where_a_package_has_a_link(tree: Tree) -> None:
    tree.write("usr/lib/file", "it")
    tree.link("lib", "usr/lib")
    tree.folder("lib")
    tree.link("usr/lib", "elsewhere")
    assert tree.text("lib/file") == "it"


def test_does_a_failed_write_leave_the_old_file(tree: Tree) -> None:
    tree.write("file", "old")
    with pytest.raises(ZeroDivisionError), tree.replacing("file") as file:
        file.write(b"half" * (1 // 0))
    assert tree.text("file") == "old"
    assert tree.listed("/") == ["file"]


def test_has_a_hard_link_the_same_file(tree: Tree) -> None:
    tree.write("one", "text")
    tree.hard_link("two", "one")
    tree.hard_link("two", "one")
    assert Path(tree.root, "one").stat().st_nlink == 2
    assert tree.listed("") == ["one", "two"]
