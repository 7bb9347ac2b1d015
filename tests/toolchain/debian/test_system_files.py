"""Has a root the folders, names and certificates of a system?"""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.debian.configuration.system_files import make_folders, write_system_files
from toolchain.debian.tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    make_folders(tree)
    return tree


def test_folders(tree: Tree, tmp_path: Path) -> None:
    make_folders(tree)
    assert (tmp_path / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "bin").readlink() == Path("usr/bin")
    tree.write("lib/x", "it")
    assert (tmp_path / "usr/lib/x").read_text() == "it"


def test_names_of_hosts(tree: Tree) -> None:
    write_system_files(tree)
    assert "127.0.0.1\tlocalhost" in tree.text("etc/hosts")
    assert "files" in tree.text("etc/nsswitch.conf")
    tree.write("etc/hosts", "mine")
    write_system_files(tree)
    assert tree.text("etc/hosts") == "mine"


def test_certificates(tree: Tree) -> None:
    write_system_files(tree)
    assert not tree.exists("etc/ssl/certs/ca-certificates.crt")
    tree.write("usr/share/ca-certificates/mozilla/B.crt", "b")
    tree.write("usr/share/ca-certificates/mozilla/A A.crt", "a\n")
    tree.write("usr/local/share/ca-certificates/own.crt", "own\n")
    write_system_files(tree)
    assert tree.text("etc/ssl/certs/ca-certificates.crt") == "a\nb\nown\n"
    assert tree.text("etc/ssl/certs/A_A.pem") == "a\n"


def test_folders_of_tmpfiles(tree: Tree, tmp_path: Path) -> None:
    tree.write(
        "usr/lib/tmpfiles.d/x.conf",
        "# text\nd /run/db 2775 db db -\nD! /run/other - - -\nf /run/file 644\nd /run/%u 755\n'\n",
    )
    write_system_files(tree)
    assert (tmp_path / "run/db").stat().st_mode & 0o7777 == 0o2775
    assert tree.listed("run") == ["db", "lock", "other"]


def test_shells(tree: Tree) -> None:
    tree.write("usr/share/debianutils/shells.d/dash", "/bin/sh\n/usr/bin/sh\n")
    write_system_files(tree)
    assert tree.text("etc/shells") == "/bin/sh\n/usr/bin/sh\n"
