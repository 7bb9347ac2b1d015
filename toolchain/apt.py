"""A private apt: downloads Debian packages of another architecture and suite.

It takes the mirror and the keys from this machine's apt sources, so that it works
wherever the machine's apt does, and does not change the machine's package state.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import RootError

# Names of Debian releases in a source line. Security and update suites are in other
# archives or have no riscv64 packages.
CLASSES = {"oldstable", "stable", "testing", "unstable"}
CODENAMES = {"bullseye", "bookworm", "trixie", "forky", "duke", "sid"}
SUITES = CLASSES | CODENAMES


@dataclass(frozen=True)
class Mirror:
    """An archive of packages; `options` is the [options] part of a source line, or ""."""

    uri: str
    options: str = ""


def find_mirror(etc: Path = Path("/etc/apt")) -> Mirror:
    """The Debian mirror in $EMU_DEBIAN_MIRROR, or the one that this machine uses.

    Raises RootError where there is none, as on Ubuntu.
    """
    own = os.environ.get("EMU_DEBIAN_MIRROR")
    if own:
        return Mirror(own)
    for mirror, suites in _sources(etc):
        if suites & SUITES:
            return mirror
    raise RootError("no Debian mirror in the sources of apt (set EMU_DEBIAN_MIRROR)")


def _sources(etc: Path) -> Iterator[tuple[Mirror, set[str]]]:
    """All sources of binary packages, with their suites."""
    folder = etc / "sources.list.d"
    for path in [*sorted(folder.glob("*.sources"))]:
        yield from _deb822(path.read_text(errors="replace"))
    for path in [etc / "sources.list", *sorted(folder.glob("*.list"))]:
        if path.exists():
            yield from _one_line(path.read_text(errors="replace"))


def _deb822(text: str) -> Iterator[tuple[Mirror, set[str]]]:
    """Sources in deb822 format, paragraphs of `Field: value` (sources.list(5))."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for paragraph in "\n".join(lines).split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace():  # continues the field above
                fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
                continue
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled") == "no":
            continue
        keys = fields.get("signed-by", "")
        # A key that is embedded in the source cannot be given in a source line.
        options = f"[signed-by={keys}]" if keys.startswith("/") else ""
        for uri in fields.get("uris", "").split():
            yield Mirror(uri, options), set(fields.get("suites", "").split())


def _one_line(text: str) -> Iterator[tuple[Mirror, set[str]]]:
    """Sources in one-line format: `deb [options] uri suite component…`."""
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind != "deb":
            continue
        options = ""
        rest = rest.strip()
        if rest.startswith("["):
            options, _, rest = rest.partition("]")
            keys = [field for field in options[1:].split() if field.startswith("signed-by=")]
            options = f"[{keys[0]}]" if keys else ""
        fields = rest.split()
        if len(fields) >= 2:
            yield Mirror(fields[0], options), {fields[1]}


class PrivateApt:
    """apt-get with its own sources, package state and cache in one directory."""

    def __init__(self, folder: Path, suite: str, architecture: str, mirror: Mirror) -> None:
        self.archives = folder / "cache" / "archives"
        self._options: list[str] = []
        for new in (self.archives / "partial", folder / "state" / "lists" / "partial"):
            new.mkdir(parents=True, exist_ok=True)
        status = folder / "state" / "status"  # nothing is installed
        status.touch()
        source = folder / "sources.list"
        source.write_text(f"deb {mirror.options} {mirror.uri} {suite} main\n")
        for option, value in {
            "Dir::Etc::SourceList": source,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": folder / "state",
            "Dir::State::status": status,
            "Dir::Cache": folder / "cache",
            "APT::Architecture": architecture,
            "APT::Architectures::": architecture,
            # The user _apt cannot write to these directories.
            "APT::Sandbox::User": "root",
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            # Hooks apply to the machine's own package state.
            "APT::Update::Post-Invoke-Success::": "",
        }.items():
            self._options += ["-o", f"{option}={value}"]

    def update(self) -> None:
        """Fetches the package lists."""
        self._run("update", "-qq", "--error-on=any")

    def download(self, packages: Sequence[str], depends: bool) -> list[Path]:
        """Fetches packages, with `depends` also their dependencies; returns the .deb files."""
        names = self.resolve(packages) if depends else packages
        for old in self.archives.glob("*.deb"):
            old.unlink()
        self._run("download", "-qq", *names, cwd=self.archives)
        return sorted(self.archives.glob("*.deb"))

    def resolve(self, packages: Sequence[str]) -> list[str]:
        """Names of the packages and of all that they depend on, found by apt's resolver."""
        plan = self._run("install", "-qq", "--simulate", *packages)
        lines = [line.split() for line in plan.splitlines()]
        return [fields[1] for fields in lines if len(fields) > 1 and fields[0] == "Inst"]

    def _run(self, action: str, *arguments: str, cwd: Path | None = None) -> str:
        """Runs apt-get and returns its output. Raises RootError with apt's error."""
        try:
            done = subprocess.run(
                ["apt-get", *self._options, action, *arguments],
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise RootError(f"apt-get: {error.strerror}") from error
        if done.returncode != 0:
            reasons = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            reason = reasons[0][3:] if reasons else "failed"
            raise RootError(f"apt-get {action}: {reason}")
        return done.stdout
