"""The Debian mirror and the keys of its index, from this machine's own apt sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import RootError

# Names of Debian releases in a source. Security and update suites are in other archives or have
# no riscv64 packages.
CLASSES = {"oldstable", "stable", "testing", "unstable"}
CODENAMES = {"bullseye", "bookworm", "trixie", "forky", "duke", "sid"}
SUITES = CLASSES | CODENAMES

PUBLIC_MIRROR = "http://deb.debian.org/debian"
"""Debian's own name, for a machine that has only the keys, such as Ubuntu."""
_KEYRINGS = (
    "usr/share/keyrings/debian-archive-keyring.pgp",
    "usr/share/keyrings/debian-archive-keyring.gpg",
)


@dataclass(frozen=True)
class Mirror:
    """An archive of packages; `signed_by` is a file of keys, or the keys as in a source, or ""."""

    uri: str
    signed_by: str = ""


def find_mirror(
    uri: str | None = None, keyring: str | None = None, machine: Path = Path("/")
) -> Mirror:
    """The mirror `uri`, else that in $EMU_DEBIAN_MIRROR, else the one that this machine uses.

    Its keys are in `keyring`, else those of the machine's source of Debian packages, else Debian's
    archive keyring. Raises RootError where the machine has neither.
    """
    wanted = uri if uri is not None else os.environ.get("EMU_DEBIAN_MIRROR") or None
    if wanted is not None and (not wanted or any(each.isspace() for each in wanted)):
        raise RootError(f"{wanted!r} is not the URL of a mirror (expected {PUBLIC_MIRROR})")
    if keyring is not None and not os.access(keyring, os.R_OK):
        raise RootError(f"the keyring {keyring} cannot be read")
    keys = os.path.abspath(keyring) if keyring is not None else ""
    for mirror, suites in _sources(machine / "etc" / "apt"):
        if suites & SUITES:
            return Mirror(wanted or mirror.uri, keys or mirror.signed_by or _keyring(machine))
    keys = keys or _keyring(machine)
    if not keys:
        raise RootError("the keys of Debian's archive are missing (install debian-archive-keyring)")
    return Mirror(wanted or PUBLIC_MIRROR, keys)


def _keyring(machine: Path) -> str:
    return next((f"/{name}" for name in _KEYRINGS if (machine / name).exists()), "")


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
        for uri in fields.get("uris", "").split():
            yield Mirror(uri, fields.get("signed-by", "")), set(fields.get("suites", "").split())


def _one_line(text: str) -> Iterator[tuple[Mirror, set[str]]]:
    """Sources in one-line format: `deb [options] uri suite component…`."""
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind != "deb":
            continue
        keys = ""
        rest = rest.strip()
        if rest.startswith("["):
            options, _, rest = rest.partition("]")
            given = [field for field in options[1:].split() if field.startswith("signed-by=")]
            keys = given[0].removeprefix("signed-by=") if given else ""
        fields = rest.split()
        if len(fields) >= 2:
            yield Mirror(fields[0], keys), {fields[1]}
