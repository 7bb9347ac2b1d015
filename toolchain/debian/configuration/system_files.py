"""Files that packages' scripts or Debian's installer make: folders, names, certificates."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from toolchain.debian.tree import Tree

_FOLDERS = {
    "usr/bin": 0o755,
    "usr/sbin": 0o755,
    "usr/lib": 0o755,
    "etc": 0o755,
    "root": 0o700,
    "home": 0o755,
    "dev": 0o755,
    "proc": 0o755,
    "sys": 0o755,
    "run": 0o755,
    "run/lock": 0o1777,
    "tmp": 0o1777,
    "var/tmp": 0o1777,
    "var/log": 0o755,
    "var/cache": 0o755,
    "var/lib": 0o755,
    "mnt": 0o755,
    "opt": 0o755,
    "srv": 0o755,
}
_MERGED = ("bin", "lib", "sbin")
_LINKS = {"var/run": "/run", "var/lock": "/run/lock"}
_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"
_COPIES = {
    "etc/nsswitch.conf": "usr/share/libc-bin/nsswitch.conf",
    "etc/profile": "usr/share/base-files/profile",
    "root/.profile": "usr/share/base-files/dot.profile",
    "root/.bashrc": "usr/share/base-files/dot.bashrc",
}
_DEFAULTS = {"etc/hosts": _HOSTS, "etc/hostname": "localhost\n", "etc/nsswitch.conf": _NSSWITCH}
_CERTIFICATES = ("usr/share/ca-certificates", "usr/local/share/ca-certificates")
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_MAX_DEPTH = 8


def make_folders(tree: Tree) -> None:
    """Makes the folders of a system, with /bin, /lib and /sbin as links, as Debian's installer."""
    for name, mode in _FOLDERS.items():
        tree.folder(name, mode)
    for name in _MERGED:
        tree.link(name, f"usr/{name}")
    for name, target in _LINKS.items():
        tree.link(name, target)


def write_system_files(tree: Tree) -> None:
    """Writes the files that are missing, and the bundle of certificates."""
    for name, source in _COPIES.items():
        content = tree.read(source)
        if content is not None and not tree.exists(name):
            tree.write(name, content)
    for name, text in _DEFAULTS.items():
        if not tree.exists(name):
            tree.write(name, text)
    _write_certificates(tree)
    _make_temporary_folders(tree)
    _write_shells(tree)


def _write_certificates(tree: Tree) -> None:
    """Concatenates the certificates of ca-certificates, and links each, as its script does."""
    paths = [path for folder in _CERTIFICATES for path in _files(tree, folder, ".crt", 0)]
    texts = [tree.text(path).strip() for path in paths]
    if not paths:
        return
    tree.write(_BUNDLE, "".join(f"{text}\n" for text in texts))
    for path in paths:
        name = path.rpartition("/")[2].removesuffix(".crt").replace(" ", "_").replace(",", "_")
        tree.link(f"etc/ssl/certs/{name}.pem", f"/{path}")


def _files(tree: Tree, folder: str, suffix: str, depth: int) -> Iterator[str]:
    """Files below a folder, by name."""
    for name in tree.listed(folder):
        path = f"{folder}/{name}"
        if name.endswith(suffix):
            yield path
        elif depth < _MAX_DEPTH and not tree.is_link(path):
            yield from _files(tree, path, suffix, depth + 1)


def _make_temporary_folders(tree: Tree) -> None:
    """Makes the folders of tmpfiles.d(5), such as /run/postgresql."""
    for name in tree.listed("usr/lib/tmpfiles.d"):
        for line in tree.text(f"usr/lib/tmpfiles.d/{name}").splitlines():
            try:
                fields = shlex.split(line, comments=True)
            except ValueError:
                continue
            if len(fields) < 2 or fields[0].rstrip("!-+=~^$") not in {"d", "D"} or "%" in fields[1]:
                continue
            mode = fields[2].lstrip("~:") if len(fields) > 2 else ""
            octal = int(mode, 8) if mode and set(mode) <= set("01234567") else 0o755
            if fields[1].startswith("/"):
                tree.folder(fields[1], octal & 0o7777)


def _write_shells(tree: Tree) -> None:
    """/etc/shells, of which each shell's package has a part."""
    shells = [
        line
        for name in tree.listed("usr/share/debianutils/shells.d")
        for line in tree.text(f"usr/share/debianutils/shells.d/{name}").splitlines()
        if line.startswith("/")
    ]
    if shells and not tree.exists("etc/shells"):
        tree.write("etc/shells", "".join(f"{shell}\n" for shell in dict.fromkeys(shells)))
