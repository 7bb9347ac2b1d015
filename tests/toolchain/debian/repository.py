"""Debian packages and a signed mirror of them, made in a folder."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NEEDS_APT = pytest.mark.skipif(
    any(shutil.which(each) is None for each in ("apt-get", "dpkg-deb", "gpg", "gpg-agent")),
    reason="not a Debian system with GnuPG",
)


@dataclass
class Package:
    """Files and links by their names without a leading slash, and fields of the control file."""

    name: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    version: str = "1"

    def build(self, folder: Path) -> Path:
        path = folder / f"{self.name}_{self.version}_riscv64.deb"
        path.write_bytes(
            b"!<arch>\n"
            + _member("debian-binary", b"2.0\n")
            + _member("control.tar", self._control())
            + _member("data.tar", self._data())
        )
        return path

    @property
    def paragraph(self) -> str:
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": "riscv64",
            "Maintainer": "m <m@m.example>",
            **self.fields,
            "Description": "d",
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())

    def _control(self) -> bytes:
        return _tar({"./control": self.paragraph, **{f"./{k}": v for k, v in self.scripts.items()}})

    def _data(self) -> bytes:
        return _tar(
            {f"./{name}": text for name, text in self.files.items()}, self.links, self.modes
        )


def _member(name: str, content: bytes) -> bytes:
    """A member of an archive of ar(5)."""
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
    return header.encode() + content + b"\n" * (len(content) % 2)


def _tar(
    files: Mapping[str, str | bytes],
    links: dict[str, str] | None = None,
    modes: dict[str, int] | None = None,
) -> bytes:
    """Links first: a later file may have one in its path. Directories precede what is in them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as members:
        names = [name.removeprefix("./") for name in [*files, *(links or {})]]
        parents = {str(parent) for name in names for parent in Path(name).parents}
        for parent in sorted(parents - set(links or {})):
            folder = tarfile.TarInfo(f"./{parent}")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            members.addfile(folder)
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(f"./{name}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            members.addfile(link)
        for name, text in files.items():
            content = text if isinstance(text, bytes) else text.encode()
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(content), (modes or {}).get(name.removeprefix("./"), 0o644)
            members.addfile(file, io.BytesIO(content))
    return stream.getvalue()


class Repository:
    """A mirror in a folder, with the suite `trixie`, signed by a key in `keyring`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "mirror"
        self.keyring = folder / "keys.gpg"
        self._home = folder / "gnupg"
        self._home.mkdir(mode=0o700)
        self._gpg("--passphrase", "", "--quick-generate-key", "k@k.example", "ed25519", "sign")
        self.keyring.write_bytes(self._gpg("--export"))
        self._end_agent()

    @property
    def uri(self) -> str:
        return f"file:{self.folder}"

    def publish(self, *packages: Package) -> None:
        """Replaces what the mirror has."""
        shutil.rmtree(self.folder, ignore_errors=True)
        binary = self.folder / "dists/trixie/main/binary-riscv64"
        binary.mkdir(parents=True)
        (self.folder / "pool").mkdir()
        index = "".join(self._entry(package) for package in packages)
        (binary / "Packages").write_text(index)
        digest = hashlib.sha256(index.encode()).hexdigest()
        release = self.folder / "dists/trixie/Release"
        release.write_text(
            "Suite: trixie\nCodename: trixie\nArchitectures: riscv64\nComponents: main\n"
            "Date: Sat, 01 Aug 2026 00:00:00 UTC\nSHA256:\n"
            f" {digest} {len(index)} main/binary-riscv64/Packages\n"
        )
        self._gpg("--yes", "-o", str(release.with_name("InRelease")), "--clearsign", str(release))
        release.unlink()
        self._end_agent()

    def _entry(self, package: Package) -> str:
        path = package.build(self.folder / "pool")
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        place = f"Filename: pool/{path.name}\nSize: {len(content)}\nSHA256: {digest}\n"
        return f"{package.paragraph}{place}\n"

    def _end_agent(self) -> None:
        """Ends the process that gpg leaves."""
        end = ["gpgconf", "--homedir", str(self._home), "--kill", "gpg-agent"]
        subprocess.run(end, check=False, capture_output=True)

    def _gpg(self, *words: str) -> bytes:
        done = subprocess.run(
            ["gpg", "--batch", "--quiet", *words],
            env={**os.environ, "GNUPGHOME": str(self._home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        return done.stdout
