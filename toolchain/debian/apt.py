"""A private apt: finds and downloads Debian packages of another architecture and suite.

It uses this machine's apt, with its signature checks, its proxies and its mirror, but none of its
other settings, and does not change the machine's package state.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from toolchain.build import cache_folder
from toolchain.debian.apt_command import ARCHITECTURE, AptCommand
from toolchain.debian.apt_errors import has_unknown_package, is_outdated
from toolchain.debian.progress import Progress
from toolchain.debian.sources import Mirror
from toolchain.errors import RootError

_FRESH = 3600.0
"""Seconds for which a package index is used without asking the mirror for a newer one."""


@dataclass(frozen=True)
class Archive:
    """A package's file on the mirror."""

    uri: str
    file: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.file.partition("_")[0]


class PrivateApt:
    """apt-get with its own settings, index and cache, in a folder for each mirror and suite."""

    def __init__(self, suite: str, mirror: Mirror, folder: Path | None = None) -> None:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise RootError(
                "apt-get is missing (expected Debian or Ubuntu; a folder that was filled there "
                "may be copied)"
            )
        self.suite, self.mirror = suite, mirror
        key = hashlib.sha256(f"{mirror.uri} {mirror.signed_by}".encode()).hexdigest()[:8]
        self.folder = folder or cache_folder() / "apt" / f"{suite.replace('/', '-')}-{key}"
        self._command = AptCommand(self.folder, suite, mirror)
        self._stamp = self.folder / "updated"
        self._updated = False

    @contextmanager
    def locked(self, progress: Progress) -> Iterator[None]:
        """Waits until no other process uses the folder."""
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.step("waiting for another command that fetches packages")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def plan(
        self, packages: Sequence[str], installed: str, progress: Progress
    ) -> tuple[Archive, ...]:
        """The packages and all that they depend on, without those in the dpkg status `installed`.

        Raises RootError, also when a package would have to be removed.
        """
        self._command.prepare(installed)
        self._update(progress)
        try:
            lines = self._uris(packages)
        except RootError as error:
            if self._updated or not has_unknown_package(str(error)):
                raise
            self._update(progress, anew=True)
            lines = self._uris(packages)
        return tuple(archive for line in lines.splitlines() for archive in _archive(line))

    def fetch(
        self, packages: Sequence[str], archives: Sequence[Archive], progress: Progress
    ) -> list[Path]:
        """Downloads what :meth:`plan` returned; an interrupted download is continued.

        Returns the files. Raises RootError, also when a file's hash is not that of the index.
        """

        def show(percent: float) -> None:
            progress.detail(f"downloading, {percent:.0f} %")

        self._installation(packages, "--download-only", "-qq", on_percent=show)
        return [self._verified(archive) for archive in archives]

    def download(self, archives: Iterable[Archive], folder: Path) -> list[Path]:
        """Downloads these packages only, into a folder."""
        wanted = list(archives)
        names = [archive.file.removesuffix(".deb").split("_") for archive in wanted]
        exact = [f"{name}={unquote(version)}" for name, version, *_ in names]
        self._command.run("apt-get", "download", "-qq", *exact, cwd=folder)
        return [_check(folder / archive.file, archive) for archive in wanted]

    def names(self) -> set[str]:
        """Names of all packages of the suite."""
        return set(self._command.run("apt-cache", "pkgnames").split())

    def providers(self, name: str) -> list[str]:
        """Packages that provide a virtual one."""
        _, _, lines = self._command.run("apt-cache", "showpkg", name).partition("Reverse Provides:")
        return sorted({line.split()[0] for line in lines.splitlines() if line.strip()})

    def is_outdated(self, error: RootError) -> bool:
        """True if the index may name files that the mirror dropped; it is then fetched anew."""
        if self._updated or not is_outdated(str(error)):
            return False
        self._stamp.unlink(missing_ok=True)
        return True

    def _update(self, progress: Progress, *, anew: bool = False) -> None:
        """Fetches the index, unless that was done a short time ago."""
        if not anew and self._is_fresh():
            return

        def show(percent: float) -> None:
            progress.detail(f"reading the package index of {self.suite}, {percent:.0f} %")

        progress.step(f"reading the package index of {self.suite} ({self.mirror.uri})")
        self._command.run("apt-get", "update", "-qq", "--error-on=any", on_percent=show)
        self._updated = True
        if not self.names():
            raise RootError(
                f"{self.suite} has no {ARCHITECTURE} packages on {self.mirror.uri} (expected a "
                "release from trixie on)"
            )
        self._command.run("apt-get", "autoclean", "-qq")
        self._stamp.touch()

    def _is_fresh(self) -> bool:
        try:
            return 0 <= time.time() - self._stamp.stat().st_mtime < _FRESH
        except FileNotFoundError:
            return False

    def _installation(
        self,
        packages: Sequence[str],
        *options: str,
        on_percent: Callable[[float], None] | None = None,
    ) -> str:
        words = ("install", "-y", "--no-remove", "--no-upgrade", *options, *packages)
        return self._command.run("apt-get", *words, on_percent=on_percent)

    def _uris(self, packages: Sequence[str]) -> str:
        """Lines for all packages, not only for those that are not downloaded yet."""
        # With -qq apt would not print what is wrong with dependencies.
        elsewhere = f"Dir::Cache::Archives={self._command.no_archives}"
        return self._installation(packages, "--print-uris", "-q", "-o", elsewhere)

    def _verified(self, archive: Archive) -> Path:
        """The file of a package, which apt leaves where it is if the mirror is a folder."""
        if archive.uri.startswith("file:"):
            return _check(Path(unquote(archive.uri[len("file:") :])), archive)
        return _check(self._command.archives / archive.file, archive)


def _archive(line: str) -> Iterator[Archive]:
    """The package of a line `'uri' file size SHA256:hash`."""
    fields = line.split()
    if len(fields) == 4 and fields[0].startswith("'"):
        name = unquote(fields[0].strip("'").rpartition("/")[2])
        file = fields[1] if "/" not in fields[1] else name
        yield Archive(fields[0].strip("'"), file, int(fields[2]), fields[3].rpartition(":")[2])


def _check(path: Path, archive: Archive) -> Path:
    """The path, if the file has the hash of the index; else the file is removed from the cache."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != archive.sha256:
        if not archive.uri.startswith("file:"):
            path.unlink()
        raise RootError(f"{archive.file} is damaged: its hash is not that of the index (try again)")
    return path
