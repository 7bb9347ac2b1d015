"""The guest's view of the host's files: granted directories and the path of the program."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from emu.errors import NO_CURRENT_DIRECTORY, CannotRun
from emu.options import Options
from kernel.base.elf_headers import ELF_MAGIC
from kernel.base.errno import EACCES, EISDIR, ENOENT, error_text
from kernel.base.errors import Errno
from kernel.exec.elf import NOT_ELF, InterpreterMissing, NotExecutable
from kernel.vfs.build_tree import Grants, Services, build_namespace, first_context
from kernel.vfs.names.fs_context import FsContext
from kernel.vfs.names.namespace import Namespace
from kernel.vfs.names.path_walk import walk
from toolchain.debian.marks import UNFINISHED
from toolchain.sysroot import sysroot


class View(NamedTuple):
    """The guest's file tree, the grants it was built from, and the program's path in it."""

    namespace: Namespace
    grants: Grants
    program: str


def build_view(options: Options, name: str, services: Services) -> View:
    """Builds the file tree for running ``name``.

    Without ``root`` the program is found on the host as by a shell. With ``root`` the program and
    the initial directory are looked up in the root only. Raises OSError when a granted directory
    cannot be opened, CannotRun when the program or the directory is not in the root.
    """
    if options.root is None:
        return _host_view(options, name, services)
    if os.path.lexists(os.path.join(options.root, UNFINISHED)):
        reason = "has packages missing (the same emu root command continues)"
        raise CannotRun.of_directory(options.root, 0, reason)
    cwd = os.path.normpath(os.path.join("/", options.cwd or "/"))
    grants = Grants(cwd=cwd, ro=options.read_only, rw=options.read_write, root=options.root)
    namespace = build_namespace(grants, services)
    try:
        fs = first_context(namespace, grants, services)
    except Errno as error:
        fs = FsContext(namespace, namespace.root, 0, services.credentials)
        missing = explain_missing(fs, options.root, cwd) if error.errno == ENOENT else None
        raise CannotRun.of_directory(f"--cwd {cwd}", error.errno, missing) from None
    return View(namespace, grants, _find_in_root(fs, options, name))


def _host_view(options: Options, name: str, services: Services) -> View:
    try:
        path = _find_on_host(name)
        cwd = options.cwd or os.getcwd()
    except FileNotFoundError:
        raise CannotRun(NO_CURRENT_DIRECTORY, 2) from None
    grants = Grants(
        cwd=cwd,
        program=path,
        ro=options.read_only,
        rw=options.read_write,
        lib_root=sysroot(),
    )
    return View(build_namespace(grants, services), grants, path)


def _find_on_host(name: str) -> str:
    """The absolute path of ``name``, which is searched in PATH if it has no slash."""
    if "/" not in name and not os.path.isfile(name):
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            candidate = os.path.join(folder, name)
            if folder and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                return os.path.abspath(candidate)
    return os.path.abspath(name) if name else ""


def _find_in_root(fs: FsContext, options: Options, name: str) -> str:
    """The program's path in the guest's tree, which is searched by the guest's PATH."""
    assert options.root is not None
    search = options.environment.get("PATH", "") if "/" not in name else ""
    folders = [folder for folder in search.split(":") if folder]
    errors = set()
    for candidate in (name, *(f"{folder}/{name}" for folder in folders)):
        try:
            walk(fs, fs.cwd, candidate).require_node()
        except Errno as error:
            errors.add(error.errno)
            continue
        return candidate
    if errors != {ENOENT} or not name:
        raise CannotRun.of_program(name, EACCES if EACCES in errors else errors.pop())
    if folders:
        where = f"not in the root {options.root} (PATH={search})"
        raise CannotRun.of_program(name, ENOENT, where)
    path = name if name.startswith("/") else f"{fs.namespace.path_of(fs.cwd)}/{name}"
    raise CannotRun.of_program(name, ENOENT, explain_missing(fs, options.root, path))


def explain_missing(fs: FsContext, root: str, path: str) -> str | None:
    """Describes the part of ``path`` that is missing in ``root``; None when it exists.

    A root of unpacked packages has no /bin and no /lib: Debian's base-files provides these links,
    and a file of /lib is in /usr/lib.
    """
    at = ""
    for component in os.path.normpath(path).split("/"):
        at = f"{at}/{component}" if component else at
        reason = _missing(fs, at or "/")
        if reason is None:
            continue
        text = f"{reason} in the root {root}"
        if _missing(fs, f"/usr{path}") is not None:
            return f"{text} (--ro DIR[:GUEST] adds a directory of the host)"
        host = f"{root.rstrip('/')}{at}"
        link = f" (make the link: ln -s usr{at} {host})" if at.count("/") == 1 else ""
        return f"{text}, but /usr{path} is there{link}"
    return None


def explain_refusal(fs: FsContext, view: View, error: Errno) -> str | None:
    """Reason why execve refused the program, where errno alone is not enough."""
    if isinstance(error, InterpreterMissing):
        return _explain_interpreter(fs, view, error)
    if isinstance(error, NotExecutable):
        return error.reason
    if error.errno != EACCES:
        return None
    try:
        node = walk(fs, fs.cwd, view.program).require_node()
        if node.kind == stat.S_IFDIR:
            return f"{error_text(EISDIR)} (expected a 64-bit RISC-V Linux program)"
        if node.kind != stat.S_IFREG:
            return None  # EACCES is Linux's answer; a pipe must not be waited for
        head = node.read_at(0, len(ELF_MAGIC))
    except Errno:
        return None  # no permission for the file or a directory of its path
    if head == ELF_MAGIC or head.startswith(b"#!"):
        return "Permission denied: not marked as executable (chmod +x)"
    return NOT_ELF


def _explain_interpreter(fs: FsContext, view: View, error: InterpreterMissing) -> str:
    if view.grants.root is None:
        return f"{error.reason} (emu root makes a root with it, for --root)"
    missing = explain_missing(fs, view.grants.root, error.name)
    return f"interpreter {error.name}: {missing}" if missing else error.reason


def _missing(fs: FsContext, path: str) -> str | None:
    """Describes what is missing when ``path`` does not exist; None when it does."""
    link = None
    try:
        link = walk(fs, fs.root, path, follow=False).node
        walk(fs, fs.root, path).require_node()
    except Errno as error:
        if error.errno != ENOENT:
            return None
        if link is None or link.kind != stat.S_IFLNK:
            return f"no {path}"
        return f"{path} links to {link.readlink()}, which does not exist"
    return None
