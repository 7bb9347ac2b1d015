"""apt with settings, package lists and cache of its own, and the machine's proxies."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.debian.apt_errors import explain
from toolchain.debian.sources import Mirror
from toolchain.errors import RootError

ARCHITECTURE = "riscv64"
_OF_THE_MACHINE = (
    *("Acquire::http", "Acquire::https", "Acquire::ftp", "Acquire::Retries"),
    *("Acquire::ForceIPv4", "Acquire::ForceIPv6"),
    # A machine whose mirror is a copy of an earlier day allows its age.
    *("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::Max-ValidTime"),
)
"""Settings of the machine by which it reaches its mirrors; hooks and pins are not among them."""


class AptCommand:
    """apt-get and apt-cache for one suite of one mirror, with their files in `folder`."""

    def __init__(self, folder: Path, suite: str, mirror: Mirror) -> None:
        self._folder, self._suite, self._mirror = folder, suite, mirror
        self.archives = folder / "cache" / "archives"
        """Folder of downloaded packages."""
        self.no_archives = folder / "empty"
        """Folder without any."""
        self._none = folder / "none"
        for new in (
            *(self.archives / "partial", self.no_archives / "partial"),
            *(folder / "state" / "lists" / "partial", self._none),
        ):
            new.mkdir(parents=True, exist_ok=True)
        self._status = folder / "status"
        self._status.touch()
        self._source = folder / "debian.sources"
        self._config = folder / "apt.conf"

    def prepare(self, status: str) -> None:
        """Writes the settings, and what is installed for apt, as dpkg's status file has it."""
        self._source.write_text(_source(self._mirror, self._suite))
        self._config.write_text(self._settings())
        self._status.write_text(status, errors="surrogateescape")

    def run(
        self,
        program: str,
        action: str,
        *arguments: str,
        cwd: Path | None = None,
        on_percent: Callable[[float], None] | None = None,
    ) -> str:
        """Runs apt and returns its output. Raises RootError with apt's error."""
        environment = {**os.environ, "APT_CONFIG": str(self._config), "LC_ALL": "C"}
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            read, write = os.pipe()
            options = [*self._options(), "-o", f"APT::Status-Fd={write}"]
            try:
                process = subprocess.Popen(
                    [program, *options, action, *arguments],
                    cwd=cwd,
                    env=environment,
                    pass_fds=(write,),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                )
            except OSError as error:
                os.close(read)
                raise RootError(f"{program}: {error.strerror}") from error
            finally:
                os.close(write)
            with _ended(process), open(read, encoding="utf-8", errors="replace") as status:
                for line in status:
                    if on_percent is not None and line.startswith("dlstatus:"):
                        on_percent(_percent(line))
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        if process.returncode != 0:
            raise RootError(explain(action, texts[0], texts[1], self._suite, self._mirror.uri))
        return texts[0]

    def _settings(self) -> str:
        # Files of the machine's settings are not read; the command line could not prevent it.
        lines = [f'Dir::Etc::Parts "{self._none}";', 'Dir::Etc::Main "/dev/null";']
        return "\n".join([*lines, *_settings_of_the_machine(), ""])

    def _options(self) -> Iterator[str]:
        for option, value in {
            "Dir::Etc::SourceList": self._source,
            "Dir::Etc::SourceParts": self._none,
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": self._none,
            "Dir::State": self._folder / "state",
            "Dir::State::status": self._status,
            "Dir::State::extended_states": "/dev/null",
            "Dir::Cache": self._folder / "cache",
            "APT::Architecture": ARCHITECTURE,
            "APT::Architectures::": ARCHITECTURE,
            # The user _apt cannot write to these directories.
            "APT::Sandbox::User": "root",
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            "Acquire::ForceHash": "sha256",  # printed with a package's address
            "Debug::NoLocking": "true",  # there is one lock for all of it
        }.items():
            yield from ("-o", f"{option}={value}")


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Waits for a process; it is ended first if this one is interrupted."""
    try:
        yield
    except BaseException:
        process.terminate()
        raise
    finally:
        process.wait()


def _percent(line: str) -> float:
    """Of a line `dlstatus:item:percent:text`."""
    try:
        return float(line.split(":")[2])
    except (IndexError, ValueError):
        return 0.0


def _source(mirror: Mirror, suite: str) -> str:
    fields = {
        "Types": "deb",
        "URIs": mirror.uri,
        "Suites": suite,
        "Components": "main",
        "Architectures": ARCHITECTURE,
    }
    if mirror.signed_by:
        fields["Signed-By"] = mirror.signed_by.replace("\n", "\n ")
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _settings_of_the_machine() -> list[str]:
    """The machine's proxies and the like, as lines of a configuration file."""
    try:
        done = subprocess.run(
            ["apt-config", "dump", "--no-empty", *_OF_THE_MACHINE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
