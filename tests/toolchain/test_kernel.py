"""Is the kernel's image taken out of a package, wherever the package has it?"""

import shutil
import subprocess
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from toolchain import kernel
from toolchain.debian.apt import Archive
from toolchain.debian.progress import Progress
from toolchain.errors import RootError

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="not a Debian system")


def package(folder: Path, *paths: str) -> Path:
    """A .deb with these files, whose contents are their paths."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: p\nVersion: 1\nArchitecture: riscv64\nMaintainer: m <m@m.example>\n"
        "Description: p\n"
    )
    for path in paths:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(path)
    deb = folder / "p.deb"
    subprocess.run(["dpkg-deb", "--build", tree, deb], check=True, capture_output=True)
    return deb


@pytest.mark.parametrize(
    "path", ["boot/vmlinux-6.12.1-riscv64", "boot/vmlinuz-6.12", "usr/lib/modules/7.2/vmlinuz"]
)
def test_the_image_of_a_package(tmp_path: Path, path: str) -> None:
    image = tmp_path / "new" / "image"
    deb = package(tmp_path, "boot/config-6.12", path, "usr/lib/modules/7.2/kernel/vmlinux.ko")
    assert kernel.extract_kernel(deb, image)
    assert image.read_text() == path
    assert [entry.name for entry in image.parent.iterdir()] == ["image"]


def test_a_package_without_a_kernel(tmp_path: Path) -> None:
    assert not kernel.extract_kernel(package(tmp_path, "boot/config-6.12"), tmp_path / "image")
    assert not (tmp_path / "image").exists()


class FakeApt:
    """A mirror with one package, and others that depend on it."""

    def __init__(self, deb: Path) -> None:
        self.deb = deb
        self.names: list[str] = []

    def __call__(self, *_: object) -> "FakeApt":
        return self

    def locked(self, progress: Progress) -> AbstractContextManager[None]:
        return nullcontext()

    def plan(self, packages: list[str], installed: str, progress: Progress) -> list[Archive]:
        names = ("libc6", "linux-image-6.12.1-riscv64", *packages)
        return [Archive("", f"{name}_1_riscv64.deb", 1, "") for name in names]

    def download(self, archives: list[Archive], folder: Path) -> list[Path]:
        self.names += [archive.name for archive in archives]
        return [self.deb]


def test_only_packages_of_the_kernel_are_fetched_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt = FakeApt(package(tmp_path, "boot/vmlinux-6.12.1-riscv64"))
    monkeypatch.setattr(kernel, "PrivateApt", apt)
    monkeypatch.setattr(kernel, "find_mirror", lambda: None)
    image = tmp_path / "image"
    kernel.fetch_kernel(image)
    kernel.fetch_kernel(image)
    assert apt.names == ["linux-image-6.12.1-riscv64", "linux-image-riscv64"]
    assert image.read_text() == "boot/vmlinux-6.12.1-riscv64"


def test_packages_without_a_kernel_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "PrivateApt", FakeApt(package(tmp_path, "boot/config-6.12")))
    monkeypatch.setattr(kernel, "find_mirror", lambda: None)
    with pytest.raises(RootError, match="linux-image-riscv64: there is no kernel in linux-image-6"):
        kernel.fetch_kernel(tmp_path / "image")
