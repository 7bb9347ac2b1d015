"""`python -m toolchain.root DIR PACKAGE…`: unpacks Debian packages for riscv64 into DIR.

The packages are from the machine's own Debian mirror and verified with the machine's
keys. Nothing is fetched when the directory has them already.
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

# Debian's stable release may lack a usable riscv64 index; these suites have one.
SUITES = ("testing", "sid")


def fill(root: Path, packages: Sequence[str], *, depends: bool = False) -> None:
    """Unpacks riscv64 packages into the directory `root`, which is replaced as a whole.

    Raises RootError when there is no Debian mirror or no such package.
    """
    # The list of packages is outside the root, where the guest does not see it.
    record = root.with_name(f"{root.name}.packages")
    contents = f"{' '.join(packages)}{' and dependencies' if depends else ''}\n"
    if root.is_dir() and record.exists() and record.read_text() == contents:
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        draft = Path(folder) / "root"
        draft.mkdir()
        for archive in _download(packages, depends):
            _unpack(archive, draft)
        shutil.rmtree(root, ignore_errors=True)
        draft.replace(root)
    record.write_text(contents)


def _download(packages: Sequence[str], depends: bool) -> list[Path]:
    """The .deb files from the first suite that has all of them."""
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
    """Unpacks one .deb; newer archives have only paths below usr/."""
    done = subprocess.run(
        ["dpkg-deb", "--extract", archive, root],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RootError(f"{archive.name}: {done.stderr.strip() or 'cannot be unpacked'}")
    _link_merged_folders(root)


def _link_merged_folders(root: Path) -> None:
    """Links /bin, /lib and /sbin to /usr, as Debian's installer does."""
    for name in ("bin", "lib", "sbin"):
        if (root / "usr" / name).is_dir() and not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; on failure prints one line and returns 1."""
    parser = argparse.ArgumentParser(prog="python -m toolchain.root", description=__doc__)
    parser.add_argument("root", metavar="DIR", type=Path, help="directory to create")
    parser.add_argument("packages", metavar="PACKAGE", nargs="+", help="a Debian package")
    parser.add_argument("--depends", action="store_true", help="also unpack their dependencies")
    options = parser.parse_args(arguments)
    try:
        fill(options.root, options.packages, depends=options.depends)
    except ToolchainError as error:
        print(f"{options.root}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
