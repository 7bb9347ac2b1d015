"""Is a folder filled once, continued after an interruption, and never half filled unnoticed?"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.toolchain.debian.repository import NEEDS_APT, Package, Repository
from toolchain.debian import archive as archive_module
from toolchain.debian import filling
from toolchain.debian.filling import Request, fill
from toolchain.debian.marks import COMPLETE, UNFINISHED
from toolchain.debian.progress import Progress
from toolchain.debian.tree import Tree
from toolchain.errors import RootError

pytestmark = NEEDS_APT

LIBC = Package("libc-bin", {"usr/lib/locale/C.utf8/LC_TIME": "times"})
SHELL = Package("shell", {"usr/bin/sh": "shell"}, fields={"Essential": "yes"})
LIBRARY = Package("lib", {"usr/lib/x/lib.so": "library"})
TOOL = Package(
    "tool",
    {"usr/bin/tool.one": "tool"},
    fields={"Depends": "lib (>= 1)"},
    scripts={
        "postinst": "update-alternatives --install /usr/bin/tool tool /usr/bin/tool.one 1\n"
        "adduser --system --group tools\ntouch /tmp/run\n"
    },
)
OTHER = Package("other", {"usr/bin/other": "other"})


class Steps(Progress):
    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("mirror"))


@pytest.fixture
def mirror(signed: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("EMU_DEBIAN_MIRROR", raising=False)
    signed.publish(LIBC, SHELL, LIBRARY, TOOL, OTHER)
    return signed


@pytest.fixture
def wanted(mirror: Repository, tmp_path: Path) -> Callable[..., Request]:
    def request(*packages: str, **options: bool | str) -> Request:
        given = {"mirror": mirror.uri, "keyring": str(mirror.keyring), **options}
        return Request(tmp_path / "root", packages, **given)  # type: ignore[arg-type]

    return request


Wanted = Callable[..., Request]


def test_packages_with_all_they_depend_on(wanted: Wanted, tmp_path: Path) -> None:
    progress = Steps()
    assert fill(wanted("tool"), progress) == 4
    tree = Tree(tmp_path / "root")
    assert tree.text("usr/bin/tool") == "tool"
    assert tree.text("bin/sh") == "shell"
    assert tree.text("lib/x/lib.so") == "library"
    assert "tools:x:" in tree.text("etc/passwd")
    assert "Package: tool\nStatus: install ok installed\n" in tree.text("var/lib/dpkg/status")
    assert "/usr/bin/tool.one" in tree.text("var/lib/dpkg/info/tool.list").splitlines()
    assert tree.exists("etc/ld.so.cache") and tree.exists(COMPLETE)
    assert not tree.exists(UNFINISHED)
    assert progress.steps[1:3] == ["downloading 4 packages, 1 MiB", "unpacking 4 packages"]


def test_without_the_essential_packages(wanted: Wanted, tmp_path: Path) -> None:
    assert fill(wanted("other", minimal=True), Progress()) == 2
    assert not (tmp_path / "root/usr/bin/sh").exists()
    assert fill(wanted("other", minimal=True), Progress()) == 0
    assert fill(wanted("other"), Progress()) == 1
    assert (tmp_path / "root/usr/bin/sh").exists()


def test_does_nothing_run_for_what_is_there(
    wanted: Wanted, mirror: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(wanted("tool"), Progress())
    shutil.rmtree(mirror.folder)
    monkeypatch.setenv("PATH", "")
    progress = Steps()
    assert fill(wanted("tool"), progress) == 0
    assert fill(wanted("lib"), progress) == 0
    assert progress.steps == []


def test_is_a_package_added(wanted: Wanted, tmp_path: Path) -> None:
    fill(wanted("tool"), Progress())
    (tmp_path / "root/etc/hosts").write_text("mine")
    assert fill(wanted("other"), Progress()) == 1
    tree = Tree(tmp_path / "root")
    assert tree.text("usr/bin/other") == "other"
    assert tree.text("usr/bin/tool") == "tool"
    assert tree.text("etc/hosts") == "mine"


def test_does_another_package_leave_the_versions_that_are_there(
    wanted: Wanted, mirror: Repository, tmp_path: Path
) -> None:
    fill(wanted("tool"), Progress())
    newer = [replace(package, version="2") for package in (LIBC, SHELL, LIBRARY, TOOL)]
    mirror.publish(*newer, OTHER)
    assert fill(wanted("other"), Progress()) == 1
    assert "Version: 2" not in (tmp_path / "root/var/lib/dpkg/status").read_text()


def test_do_two_commands_fill_a_folder_one_after_the_other(wanted: Wanted, tmp_path: Path) -> None:
    requests = [wanted("tool"), wanted("other"), wanted("lib")]
    with ThreadPoolExecutor(3) as threads:
        counts = list(threads.map(lambda request: fill(request, Progress()), requests))
    assert sum(counts) == 5
    tree = Tree(tmp_path / "root")
    assert tree.text("usr/bin/tool") == "tool" and tree.text("usr/bin/other") == "other"
    assert fill(wanted("tool", "other", "lib"), Progress()) == 0


def test_does_a_newer_version_replace_an_older(
    wanted: Wanted, mirror: Repository, tmp_path: Path
) -> None:
    fill(wanted("tool"), Progress())
    newer = Package("lib", {"usr/lib/y/lib.so": "newer"}, version="2")
    need = Package("need", fields={"Depends": "lib (>= 2)"})
    mirror.publish(LIBC, SHELL, newer, TOOL, need)
    # The index that is there does not have the package: it is read again.
    assert fill(wanted("need"), Progress()) == 2
    tree = Tree(tmp_path / "root")
    assert tree.text("usr/lib/y/lib.so") == "newer"
    assert not tree.exists("usr/lib/x")
    assert "Version: 2" in tree.text("var/lib/dpkg/status")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_is_an_interrupted_fill_continued(
    error: BaseException, wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[str] = []
    again: list[str] = []

    def unpack(archive: Path, tree: Tree, configuration: set[str]) -> list[str]:
        if len(unpacked) == 2:
            raise error
        unpacked.append(archive.name)
        return archive_module.unpack(archive, tree, configuration)

    def unpack_again(archive: Path, tree: Tree, configuration: set[str]) -> list[str]:
        again.append(archive.name)
        return archive_module.unpack(archive, tree, configuration)

    monkeypatch.setattr(filling, "unpack", unpack)
    with pytest.raises((KeyboardInterrupt, RootError)):
        fill(wanted("tool"), Progress())
    folder = tmp_path / "root"
    assert (folder / UNFINISHED).exists() and not (folder / COMPLETE).exists()
    monkeypatch.setattr(filling, "unpack", unpack_again)
    fill(wanted("other"), Progress())
    assert not set(again) & set(unpacked)
    tree = Tree(folder)
    assert tree.text("usr/bin/tool") == "tool" and tree.text("usr/bin/other") == "other"
    assert tree.exists(COMPLETE) and not tree.exists(UNFINISHED)
    assert fill(wanted("tool", "other"), Progress()) == 0


def message(request: Request) -> str:
    with pytest.raises(RootError) as caught:
        fill(request, Progress())
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", ["toll", "tool-", "other+", "to*", "-o", "Tool", "tool=1"])
def test_is_an_unknown_package_named(name: str, wanted: Wanted, tmp_path: Path) -> None:
    text = message(wanted(name))
    assert text.startswith(f"there is no package {name} in trixie")
    assert ("did you mean tool?" in text) == (name == "tool-")
    assert not (tmp_path / "root").exists()


def test_is_a_folder_of_the_user_refused(wanted: Wanted, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").touch()
    assert message(wanted("tool")).startswith("has files, and was not filled by emu root")
    (tmp_path / "root/file").unlink()
    fill(wanted("tool"), Progress())
    assert message(wanted("tool", suite="sid")).startswith("has packages of trixie")


@pytest.mark.parametrize("suite", ["", "a b", "../x", "trixie\nTrusted: yes"])
def test_suites_that_are_none(suite: str, wanted: Wanted) -> None:
    assert "is not a suite" in message(wanted("tool", suite=suite or " "))


def test_a_suite_that_the_mirror_lacks(wanted: Wanted) -> None:
    assert "there is no suite sid on file:" in message(wanted("tool", suite="sid"))


def test_is_an_index_with_another_key_refused(
    wanted: Wanted, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Repository(tmp_path_factory.mktemp("other"))
    assert "is not signed by a key" in message(wanted("tool", keyring=str(other.keyring)))


def test_is_a_changed_index_refused(wanted: Wanted, mirror: Repository) -> None:
    packages = mirror.folder / "dists/trixie/main/binary-riscv64/Packages"
    packages.write_text(packages.read_text().replace("lib (>= 1)", "lib (>= 0)"))
    assert "is broken or being renewed" in message(wanted("tool"))


def test_is_a_changed_package_refused(wanted: Wanted, mirror: Repository, tmp_path: Path) -> None:
    path = mirror.folder / "pool/tool_1_riscv64.deb"
    path.write_bytes(path.read_bytes().replace(b"touch", b"rm -f"))
    assert "tool_1_riscv64.deb cannot be fetched: Hash Sum" in message(wanted("tool"))
    assert not (tmp_path / "root").exists()


def test_a_dependency_that_is_not_there(wanted: Wanted, mirror: Repository) -> None:
    mirror.publish(LIBC, Package("tool", fields={"Depends": "lib (>= 9)"}), LIBRARY)
    text = message(wanted("tool"))
    assert text.startswith("trixie: ") and "cannot be installed: " in text
    assert "lib (>= 9)" in text and "its index is broken" in text


def test_a_package_that_conflicts_with_one_that_is_there(
    wanted: Wanted, mirror: Repository
) -> None:
    fill(wanted("tool"), Progress())
    mirror.publish(LIBC, SHELL, LIBRARY, TOOL, Package("foe", fields={"Conflicts": "tool"}))
    text = message(wanted("foe"))
    assert "cannot be installed: " in text and "expected a new folder" in text


def test_without_apt(wanted: Wanted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert message(wanted("tool")).startswith("apt-get is missing (expected Debian")


def test_are_the_machines_hooks_and_pins_ignored(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "apt.conf"
    config.write_text(
        f'APT::Update::Pre-Invoke {{"touch {tmp_path}/hook";}};\n'
        f'DPkg::Pre-Invoke {{"touch {tmp_path}/hook";}};\n'
        'APT::Default-Release "none";\nAPT::Architectures { "amd64"; "riscv64"; };\n'
        'Acquire::http::Proxy "http://p.example:1/";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(config))
    fill(wanted("tool"), Progress())
    assert not (tmp_path / "hook").exists()
    (settings,) = (tmp_path / "cache").rglob("apt.conf")
    assert 'Acquire::http::Proxy "http://p.example:1/";' in settings.read_text()
