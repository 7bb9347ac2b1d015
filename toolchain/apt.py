"""A private apt: downloads Debian packages of another architecture and suite.

It takes the mirror and the keys from this machine's own apt sources, so that it
works wherever the machine's apt does, and touches nothing of the machine's own
package state.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import RootError

# Names by which a source line can ask for a Debian release of its own archive.
# Security and update suites lie elsewhere or hold no riscv64 packages.
CLASSES = {"oldstable", "stable", "testing", "unstable"}
CODENAMES = {"bullseye", "bookworm", "trixie", "forky", "duke", "sid"}
SUITES = CLASSES | CODENAMES


@dataclass(frozen=True)
class Mirror:
    """Where packages come from; `options` is a source line's [options] part, or ""."""

    uri: str
    options: str = ""


def find_mirror(etc: Path = Path("/etc/apt")) -> Mirror:
    """The Debian mirror this machine uses, or $EMU_DEBIAN_MIRROR.

    Raises RootError where there is none, as on Ubuntu.
    """
    own = os.environ.get("EMU_DEBIAN_MIRROR")
    if own:
        return Mirror(own)
    for mirror, suites in _sources(etc):
        if suites & SUITES:
            return mirror
    raise RootError("apt here uses no Debian mirror; name one in EMU_DEBIAN_MIRROR")


def _sources(etc: Path) -> Iterator[tuple[Mirror, set[str]]]:
    """Every source of binary packages, with its suites."""
    folder = etc / "sources.list.d"
    for path in [*sorted(folder.glob("*.sources"))]:
        yield from _deb822(path.read_text(errors="replace"))
    for path in [etc / "sources.list", *sorted(folder.glob("*.list"))]:
        if path.exists():
            yield from _one_line(path.read_text(errors="replace"))


def _deb822(text: str) -> Iterator[tuple[Mirror, set[str]]]:
    """Sources in paragraphs of `Field: value`, as newer systems have them."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for paragraph in "\n".join(lines).split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace():  # goes on with the field above
                fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
                continue
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled") == "no":
            continue
        keys = fields.get("signed-by", "")
        # A key written out in the source itself can't be named in a source line.
        options = f"[signed-by={keys}]" if keys.startswith("/") else ""
        for uri in fields.get("uris", "").split():
            yield Mirror(uri, options), set(fields.get("suites", "").split())


def _one_line(text: str) -> Iterator[tuple[Mirror, set[str]]]:
    """Sources of the form `deb [options] uri suite component…`."""
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind != "deb":
            continue
        options = ""
        rest = rest.strip()
        if rest.startswith("["):
            options, _, rest = rest.partition("]")
            keys = [word for word in options[1:].split() if word.startswith("signed-by=")]
            options = f"[{keys[0]}]" if keys else ""
        words = rest.split()
        if len(words) >= 2:
            yield Mirror(words[0], options), {words[1]}


class PrivateApt:
    """apt-get with its own sources, package state and cache under one folder."""

    def __init__(self, folder: Path, suite: str, architecture: str, mirror: Mirror) -> None:
        self.archives = folder / "cache" / "archives"
        self._options: list[str] = []
        for made in (self.archives / "partial", folder / "state" / "lists" / "partial"):
            made.mkdir(parents=True, exist_ok=True)
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
            # apt's own user can't write to these folders.
            "APT::Sandbox::User": "root",
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            # Hooks are there for the machine's own state.
            "APT::Update::Post-Invoke-Success::": "",
        }.items():
            self._options += ["-o", f"{option}={value}"]

    def update(self) -> None:
        """Fetch the list of packages."""
        self._run("update", "-qq", "--error-on=any")

    def download(self, packages: Sequence[str], depends: bool) -> list[Path]:
        """Fetch packages, with everything they depend on if asked; the .deb files."""
        names = self._names(packages, depends)
        for old in self.archives.glob("*.deb"):
            old.unlink()
        self._run("download", "-qq", *names, cwd=self.archives)
        return sorted(self.archives.glob("*.deb"))

    def _names(self, packages: Sequence[str], depends: bool) -> list[str]:
        """The packages to fetch, as apt's own resolver finds them."""
        if not depends:
            return list(packages)
        plan = self._run("install", "-qq", "--simulate", *packages)
        lines = [line.split() for line in plan.splitlines()]
        return [words[1] for words in lines if len(words) > 1 and words[0] == "Inst"]

    def _run(self, action: str, *arguments: str, cwd: Path | None = None) -> str:
        """One apt-get call; what it prints. Raises RootError with apt's own reason."""
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
