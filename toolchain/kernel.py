"""Debian's riscv64 kernel, from the machine's own Debian mirror."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from toolchain.apt import PrivateApt, find_mirror
from toolchain.build import cache_folder
from toolchain.errors import RootError

SUITE = "trixie"
PACKAGE = "linux-image-riscv64"
"""Depends on the newest kernel of the suite; that package's name has the version in it."""
_IMAGES = ("./boot/vmlinu?-*", "./usr/lib/modules/*/vmlinu?")


def fetch_kernel(image: Path) -> None:
    """Writes the kernel's image, as a boot loader takes it; fetches nothing when it exists.

    Raises RootError when there is no Debian mirror or no such package.
    """
    if image.exists():
        return
    apt = PrivateApt(cache_folder() / "apt" / SUITE, SUITE, "riscv64", find_mirror())
    apt.update()
    packages = [name for name in apt.resolve([PACKAGE]) if name.startswith("linux-")]
    archives = apt.download(packages, depends=False)
    found = [archive for archive in archives if extract_kernel(archive, image)]
    for archive in archives:
        archive.unlink()
    if not found:
        raise RootError(f"{PACKAGE}: there is no kernel in {', '.join(packages)}")


def extract_kernel(archive: Path, image: Path) -> bool:
    """Writes the image that is in a package; returns whether there is one."""
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as members:
            contents = _image(members)
            if contents is not None:
                _write(contents, image)
        process.kill()  # what follows the image
    return contents is not None


def _image(members: tarfile.TarFile) -> IO[bytes] | None:
    for member in members:
        if member.isfile() and any(fnmatchcase(member.name, pattern) for pattern in _IMAGES):
            return members.extractfile(member)
    return None


def _write(contents: IO[bytes], image: Path) -> None:
    """An interrupted write leaves no image."""
    image.parent.mkdir(parents=True, exist_ok=True)
    draft = image.with_name(f"{image.name}.draft")
    with draft.open("wb") as file:
        shutil.copyfileobj(contents, file)
    draft.replace(image)
