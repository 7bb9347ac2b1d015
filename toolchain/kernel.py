"""Debian's riscv64 kernel, from the machine's own Debian mirror."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from toolchain.debian.apt import PrivateApt
from toolchain.debian.progress import Progress
from toolchain.debian.sources import find_mirror
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
    apt = PrivateApt(SUITE, find_mirror())
    progress = Progress()
    with apt.locked(progress), tempfile.TemporaryDirectory() as folder:
        plan = apt.plan([PACKAGE], "", progress)
        packages = [archive for archive in plan if archive.name.startswith("linux-")]
        archives = apt.download(packages, Path(folder))
        found = [archive for archive in archives if extract_kernel(archive, image)]
        if not found:
            names = ", ".join(archive.name for archive in packages)
            raise RootError(f"{PACKAGE}: there is no kernel in {names}")


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
