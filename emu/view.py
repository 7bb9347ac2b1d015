"""What of the host a run shows to its guest: the folders, and where the program lies in them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from emu.options import Options
from kernel.errors import Errno
from kernel.vfs.build import Grants, Services, build_namespace, first_context
from kernel.vfs.namespace import Namespace
from kernel.vfs.path import walk


@dataclass(frozen=True, slots=True)
class View:
    """The guest's tree, what it was made of, and the program's path in it."""

    namespace: Namespace
    grants: Grants
    program: str


def build_view(options: Options, name: str, services: Services) -> View:
    """The tree for running ``name``. OSError when a folder that is granted can't be opened.

    Without ``root`` the program is the host's, as a shell would find it. With one it is the root's;
    a program that is not there but is a file of the host is shown beside it, with the current
    directory, so that the root can serve just for its libraries.
    """
    if options.root is None:
        path = _find_on_host(name)
        grants = Grants(
            cwd=options.cwd or os.getcwd(),
            program=path,
            rw=options.read_write,
            lib_root=_library_root(),
        )
        return View(build_namespace(grants, services), grants, path)
    grants = Grants(cwd=options.cwd or "/", rw=options.read_write, root=options.root)
    namespace = build_namespace(grants, services)
    inside = _find_in_guest(namespace, grants, options, services, name)
    if inside is not None or not os.path.isfile(name):
        return View(namespace, grants, inside or name)
    here, path = os.getcwd(), os.path.abspath(name)
    grants = Grants(
        cwd=options.cwd or here,
        program=path,
        ro=[(here, here)],
        rw=options.read_write,
        root=options.root,
    )
    return View(build_namespace(grants, services), grants, path)


def _find_on_host(name: str) -> str:
    """As named, or found in PATH when the name has no slash."""
    if "/" not in name and not os.path.isfile(name):
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            candidate = os.path.join(folder, name)
            if folder and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                return os.path.abspath(candidate)
    return os.path.abspath(name) if name else ""


def _find_in_guest(
    namespace: Namespace, grants: Grants, options: Options, services: Services, name: str
) -> str | None:
    """The same in the guest's tree, with the guest's PATH; None when it is not there."""
    try:
        fs = first_context(namespace, grants, services)
    except Errno:
        return None
    candidates = [name]
    if "/" not in name:
        folders = options.environment.get("PATH", "").split(":")
        candidates += [f"{folder}/{name}" for folder in folders if folder]
    for candidate in candidates:
        try:
            walk(fs, fs.cwd, candidate).need()
        except Errno:
            continue
        return candidate
    return None


def _library_root() -> str | None:
    """The cross toolchain's own sysroot, when there is one."""
    from toolchain.find import sysroot

    root = sysroot()
    return str(root) if root is not None else None
