"""dpkg's database in a tree: what is installed, and the files and scripts of each package.

The guest's own dpkg reads it, and apt, which finds what a further package needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolchain.debian.tree import Tree
from toolchain.errors import RootError

_FOLDER = "var/lib/dpkg"
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


class Database:
    """The packages in `tree`. Changes of the status are written by :meth:`save`."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._paragraphs: dict[str, str] = {}
        for paragraph in re.split(r"\n{2,}", tree.text(f"{_FOLDER}/status").strip()):
            name = _field(paragraph, "Package")
            if name:
                self._paragraphs[name] = paragraph

    @property
    def names(self) -> set[str]:
        return set(self._paragraphs)

    @property
    def status(self) -> str:
        """Content of dpkg's status file."""
        return "".join(f"{text}\n\n" for _, text in sorted(self._paragraphs.items()))

    def add(self, control: dict[str, bytes]) -> str:
        """Adds a package with its control files to the status; returns its name.

        Raises RootError when that is not a name.
        """
        text = control["control"].decode("utf-8", "surrogateescape").strip("\n")
        name = _field(text, "Package")
        if not _NAME.fullmatch(name):
            raise RootError(f"{name!r} is not the name of a package")
        first, _, rest = text.partition("\n")
        self._paragraphs[name] = f"{first}\nStatus: install ok installed\n{rest}"
        return name

    def record(self, name: str, control: dict[str, bytes], files: list[str]) -> None:
        """Writes the lists and scripts of a package, for the guest's dpkg."""
        base = self._base(name)
        for kind, content in control.items():
            if kind != "control":
                scripts = {"preinst", "postinst", "prerm", "postrm", "config"}
                self._tree.write(f"{base}.{kind}", content, 0o755 if kind in scripts else 0o644)
        self._tree.write(f"{base}.list", "".join(f"{file}\n" for file in files))

    def files(self, name: str) -> list[str]:
        """Names of the files of a package."""
        return self._tree.text(f"{self._base(name)}.list").splitlines()

    def scripts(self, kind: str = "postinst") -> Iterator[str]:
        """Scripts of this kind, in the order of the packages' names."""
        for name in sorted(self._paragraphs):
            text = self._tree.text(f"{self._base(name)}.{kind}")
            if text:
                yield text

    def save(self) -> None:
        self._tree.write(f"{_FOLDER}/status", self.status)
        for name, content in (("info/format", "1\n"), ("available", "")):
            if not self._tree.exists(f"{_FOLDER}/{name}"):
                self._tree.write(f"{_FOLDER}/{name}", content)

    def _base(self, name: str) -> str:
        """Path of a package's files without their suffix; several architectures have one each."""
        paragraph = self._paragraphs[name]
        several = _field(paragraph, "Multi-Arch") == "same"
        architecture = _field(paragraph, "Architecture")
        return f"{_FOLDER}/info/{name}:{architecture}" if several else f"{_FOLDER}/info/{name}"


def _field(paragraph: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*)$", paragraph, re.MULTILINE)
    return found[1].strip() if found else ""
