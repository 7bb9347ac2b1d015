"""`python -m toolchain.system NAME…`: installs packages that the project needs.

Uses only the standard library, since the virtual environment is one of the things
that it prepares. Missing packages are installed through apt; on other systems it
prints one line that names them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import SystemPackageError, ToolchainNotFoundError
from toolchain.find import HOW_TO_INSTALL, find


@dataclass(frozen=True)
class Need:
    """A requirement: the test for its presence, and the packages that provide it."""

    present: Callable[[], bool]
    packages: tuple[str, ...]  # names in Debian and Ubuntu
    elsewhere: str  # one line for every other system


def _has_venv() -> bool:
    return importlib.util.find_spec("ensurepip") is not None


def _has_cross_compiler() -> bool:
    find.cache_clear()
    try:
        find()
    except ToolchainNotFoundError:
        return False
    return True


def _has_compiler_for_extensions() -> bool:
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    return shutil.which("cc") is not None and header.exists()


def _has_qemu() -> bool:
    return shutil.which("qemu-riscv64") is not None


def _has_qemu_system() -> bool:
    return shutil.which("qemu-system-riscv64") is not None


def _has_gpg() -> bool:
    return all(shutil.which(name) is not None for name in ("gpg", "gpg-agent"))


def _has_browser() -> bool:
    return any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))


NEEDS = {
    "venv": Need(
        _has_venv,
        (f"python3.{sys.version_info.minor}-venv",),
        "this Python has no ensurepip: install its venv package",
    ),
    "compiler": Need(
        _has_cross_compiler,
        ("gcc-riscv64-linux-gnu", "libc6-dev-riscv64-cross"),
        HOW_TO_INSTALL,
    ),
    "extensions": Need(
        _has_compiler_for_extensions,
        ("gcc", "libc6-dev", f"python3.{sys.version_info.minor}-dev"),
        "the hot path is not compiled: install a C compiler and Python's headers",
    ),
    "qemu": Need(
        _has_qemu,
        ("qemu-user",),
        "tests that compare with qemu-riscv64 are skipped: install QEMU's user mode (qemu-user)",
    ),
    "qemu-system": Need(
        _has_qemu_system,
        ("qemu-system-misc",),  # also where it only depends on the package for RISC-V
        "the logs of Linux and of bare metal cannot be made: install qemu-system-riscv64",
    ),
    "gpg": Need(
        _has_gpg,
        ("gpg", "gpg-agent"),
        "tests that need a signed mirror of packages are skipped: install GnuPG",
    ),
    "browser": Need(
        _has_browser,
        ("chromium",),
        "tests of the report in a browser are skipped: install Chromium",
    ),
}


def provide(name: str) -> None:
    """Installs the requirement `name` of NEEDS if it is missing.

    Raises SystemPackageError when it cannot be installed.
    """
    need = NEEDS[name]
    if need.present():
        return
    if shutil.which("apt-get") is None:
        raise SystemPackageError(need.elsewhere)
    root = _become_root()
    if root is None:
        raise SystemPackageError(f"not root (run as root: apt-get install {_names(need)})")
    print(f"installing {_names(need)}", flush=True)
    install = [*root, "apt-get", "install", "-qq", "-y", "--no-install-recommends", *need.packages]
    # With an empty or outdated package list the first attempt fails.
    if _quietly(install).returncode != 0:
        _quietly([*root, "apt-get", "update", "-qq"])
        done = _quietly(install)
        if done.returncode != 0:
            last = (done.stdout.strip().splitlines() or ["no reason given"])[-1]
            raise SystemPackageError(f"apt-get install {_names(need)}: {last}")
    if not need.present():
        raise SystemPackageError(need.elsewhere)


def _names(need: Need) -> str:
    return " ".join(need.packages)


def _become_root() -> list[str] | None:
    """Prefix of a command that runs it as root; None when a password would be required."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    if sys.stdin.isatty():
        return ["sudo"]
    if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0:
        return ["sudo", "-n"]
    return None


def _quietly(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs a command without a terminal and captures its output."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
    )


def main(arguments: Sequence[str]) -> int:
    """Provides each requirement; returns 1 when one could not be installed."""
    status = 0
    for name in arguments:
        try:
            provide(name)
        except SystemPackageError as error:
            print(f"{name}: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
