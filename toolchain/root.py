"""`python -m toolchain.root DIR PACKAGE…`: a root folder with real Debian programs.

The packages are those of riscv64, from the machine's own Debian mirror, checked
against the machine's keys. Nothing is fetched when the folder already holds them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from toolchain.apt import PrivateApt, find_mirror
from toolchain.build import cache_folder
from toolchain.errors import RootError, ToolchainError

# Debian's stable release may lack a usable riscv64 index; these have it.
SUITES = ("testing", "sid")


def fill(root: Path, packages: Sequence[str], *, depends: bool = False) -> None:
    """Unpack Debian's riscv64 packages into a new folder, which it replaces as a whole.

    Raises RootError when there is no Debian mirror or no such package.
    """
    # The record of what a root holds lies beside it, for the guest to see a plain root.
    record = root.with_name(f"{root.name}.packages")
    wanted = f"{' '.join(packages)}{' and dependencies' if depends else ''}\n"
    if root.is_dir() and record.exists() and record.read_text() == wanted:
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        draft = Path(folder) / "root"
        draft.mkdir()
        for archive in _download(packages, depends):
            _unpack(archive, draft)
        shutil.rmtree(root, ignore_errors=True)
        draft.replace(root)
    record.write_text(wanted)


def _download(packages: Sequence[str], depends: bool) -> list[Path]:
    """The .deb files from the first suite that has them all."""
    mirror = find_mirror()
    failures = []
    for suite in SUITES:
        apt = PrivateApt(cache_folder() / "apt" / suite, suite, "riscv64", mirror)
        try:
            apt.update()
            return apt.download(packages, depends)
        except RootError as error:
            failures.append(error)
    raise failures[0]


def _unpack(archive: Path, root: Path) -> None:
    """Unpack one .deb; newer archives hold only paths under usr/."""
    done = subprocess.run(
        ["dpkg-deb", "--extract", archive, root],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RootError(f"{archive.name}: {done.stderr.strip() or 'does not unpack'}")
    _link_merged_folders(root)


def _link_merged_folders(root: Path) -> None:
    """Make /bin, /lib and /sbin links into /usr, as Debian's installer does."""
    for name in ("bin", "lib", "sbin"):
        if (root / "usr" / name).is_dir() and not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; a failure is one line and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m toolchain.root", description=__doc__)
    parser.add_argument("root", metavar="DIR", type=Path, help="the folder to make")
    parser.add_argument("packages", metavar="PACKAGE", nargs="+", help="a Debian package")
    parser.add_argument("--depends", action="store_true", help="with all that they depend on")
    options = parser.parse_args(arguments)
    try:
        fill(options.root, options.packages, depends=options.depends)
    except ToolchainError as error:
        print(f"{options.root}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
