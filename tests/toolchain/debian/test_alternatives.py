"""Are the links of alternatives made as update-alternatives makes them?"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from toolchain.debian.configuration.alternatives import link_alternatives
from toolchain.debian.tree import Tree

SCRIPTS = [
    "update-alternatives --install /usr/bin/editor editor /usr/bin/small 10 \\\n"
    " --slave /usr/share/editor.1 editor.1 /usr/share/small.1\n",
    "update-alternatives --quiet --install /usr/bin/editor editor /usr/bin/large 40\n"
    "update-alternatives --install /usr/bin/only only /usr/bin/small 1 "
    "--slave /usr/share/only.1 only.1 /usr/share/none\n"
    "update-alternatives --install /usr/bin/absent absent /usr/bin/none 1\n"
    "update-alternatives --install /usr/bin/bad ../../bad /usr/bin/small 1\n"
    "update-alternatives --remove editor /usr/bin/small\n",
]


def tree_with(folder: Path, *names: str) -> Tree:
    folder.mkdir()
    tree = Tree(folder)
    for name in names:
        tree.write(name, name)
    return tree


def links(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): os.readlink(path)
        for path in folder.rglob("*")
        if path.is_symlink()
    }


def test_has_the_best_choice_its_links(tmp_path: Path) -> None:
    tree = tree_with(tmp_path / "r", "usr/bin/small", "usr/share/small.1")
    link_alternatives(tree, SCRIPTS)
    assert links(tmp_path / "r") == {
        "etc/alternatives/editor": "/usr/bin/small",
        "etc/alternatives/editor.1": "/usr/share/small.1",
        "etc/alternatives/only": "/usr/bin/small",
        "usr/bin/editor": "/etc/alternatives/editor",
        "usr/bin/only": "/etc/alternatives/only",
        "usr/share/editor.1": "/etc/alternatives/editor.1",
    }
    tree.write("usr/bin/large", "it")
    link_alternatives(tree, SCRIPTS)
    assert tree.text("usr/bin/editor") == "it"


def test_are_a_users_choice_and_a_file_left(tmp_path: Path) -> None:
    tree = tree_with(tmp_path / "r", "usr/bin/small", "usr/bin/large", "usr/bin/only")
    tree.write("var/lib/dpkg/alternatives/editor", "manual\n/usr/bin/editor\n")
    tree.link("usr/bin/editor", "/usr/bin/small")
    link_alternatives(tree, SCRIPTS)
    assert tree.text("usr/bin/editor") == "usr/bin/small"
    assert tree.text("usr/bin/only") == "usr/bin/only"


@pytest.mark.skipif(shutil.which("update-alternatives") is None, reason="not a Debian system")
def test_does_dpkgs_own_command_make_the_same(tmp_path: Path) -> None:
    names = ("usr/bin/small", "usr/bin/large", "usr/share/small.1")
    own, other = tree_with(tmp_path / "own", *names), tree_with(tmp_path / "other", *names)
    link_alternatives(own, SCRIPTS)
    for folder in ("etc/alternatives", "var/lib/dpkg/alternatives", "var/log"):
        other.folder(folder)
    for line in "".join(SCRIPTS).replace("\\\n", " ").splitlines()[:3]:
        words = line.split()
        command = [words[0], "--root", str(tmp_path / "other"), *words[1:]]
        subprocess.run(command, check=True, capture_output=True)
    # A link that only a lower choice has is left out by both.
    assert links(tmp_path / "own") == links(tmp_path / "other")
    for name in ("editor", "only"):
        path = f"var/lib/dpkg/alternatives/{name}"
        assert own.text(path) == other.text(path)
