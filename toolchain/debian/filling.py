"""Fills a folder with packages and all they depend on."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.debian.apt import Archive, PrivateApt
from toolchain.debian.apt_errors import has_unknown_package, is_unmet
from toolchain.debian.archive import control_files, unpack
from toolchain.debian.configuration.accounts import write_accounts
from toolchain.debian.configuration.alternatives import link_alternatives
from toolchain.debian.configuration.library_cache import write_library_cache
from toolchain.debian.configuration.system_files import make_folders, write_system_files
from toolchain.debian.database import Database
from toolchain.debian.marks import COMPLETE, UNFINISHED
from toolchain.debian.progress import Progress
from toolchain.debian.record import Record, is_unfinished
from toolchain.debian.sources import find_mirror
from toolchain.debian.tree import Tree
from toolchain.errors import RootError

DEFAULT_SUITE = "trixie"
"""The first Debian release with riscv64."""
_ESSENTIAL = "?and(?essential,?not(?exact-name(apt)))"
"""Packages without which others do not work, and on which these need not depend: a shell,
coreutils and others. apt counts itself as one."""
_ALWAYS = "libc-bin"
"""Has the locale C.UTF-8 and the linker's configuration."""
_SUITE = re.compile(r"[a-z][a-z0-9.+-]*(?:/[a-z0-9.+-]+)*")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_NEAR = 3


@dataclass(frozen=True)
class Request:
    """Packages for a folder.

    `suite` None is that of the folder, else the default; `minimal` is without the essential
    packages; `keyring` has the keys of `mirror`.
    """

    folder: Path
    packages: Sequence[str]
    suite: str | None = None
    minimal: bool = False
    mirror: str | None = None
    keyring: str | None = None


def fill(request: Request, progress: Progress) -> int:
    """Adds the packages to the folder; returns how many were unpacked.

    A folder that has them is left as it is, and nothing is fetched. An interrupted fill goes on
    where it was. Raises RootError, in one line; a folder that is not empty and was not filled
    here is not touched.
    """
    try:
        return _fill(request, progress)
    except OSError as error:
        subject = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        raise RootError(f"{subject}{error.strerror}") from error


def _fill(request: Request, progress: Progress) -> int:
    record = _missing(request)
    if record is None:
        return 0
    apt = PrivateApt(record.suite, find_mirror(request.mirror, request.keyring))
    with apt.locked(progress):
        record = _missing(request)  # another command may have filled the folder meanwhile
        if record is None:
            return 0
        tree = Tree(request.folder)
        database = Database(tree)
        archives, files = _fetched(apt, record, database, progress)
        request.folder.mkdir(parents=True, exist_ok=True)
        record.write(tree, UNFINISHED)
        make_folders(tree)
        _unpack(tree, database, record, list(zip(archives, files, strict=True)), progress)
        progress.step("writing accounts, alternatives and the cache of libraries")
        _configure(tree, database)
        database.save()
        Record(record.suite, record.minimal, record.packages).write(tree, COMPLETE)
        tree.remove(UNFINISHED)
    return len(archives)


def _missing(request: Request) -> Record | None:
    """The record of a folder with the requested packages; None if it is complete already."""
    before = Record.read(request.folder)
    record = _wanted(request, before)
    if before is None or is_unfinished(request.folder) or before.minimal > record.minimal:
        return record
    installed = Database(Tree(request.folder)).names
    return None if installed.issuperset(record.packages) else record


def _wanted(request: Request, before: Record | None) -> Record:
    """The record of the request, and of what an interrupted one requested."""
    suite = request.suite or (before.suite if before is not None else DEFAULT_SUITE)
    if not _SUITE.fullmatch(suite):
        raise RootError(f"{suite!r} is not a suite of Debian (expected trixie, forky or sid)")
    if before is not None and before.suite != suite:
        raise RootError(f"has packages of {before.suite} (expected this suite, or a new folder)")
    packages = [*(before.packages if before is not None else ()), *request.packages]
    minimal = request.minimal and (before is None or before.minimal)
    unpacked = before.unpacked if before is not None else []
    return Record(suite, minimal, list(dict.fromkeys(packages)), unpacked)


def _fetched(
    apt: PrivateApt, record: Record, database: Database, progress: Progress
) -> tuple[tuple[Archive, ...], list[Path]]:
    """The packages that are missing in the folder, and their files."""
    packages = [*record.packages, _ALWAYS, *(() if record.minimal else (_ESSENTIAL,))]
    for name in record.packages:
        if not _PACKAGE.fullmatch(name):
            raise RootError(f"there is no package {name} in {record.suite}")
    while True:
        try:
            archives = apt.plan(packages, database.status, progress)
            _check_names(record, database.names | {archive.name for archive in archives})
        except RootError as error:
            raise _with_remedy(error, apt, record, database) from None
        mib = max(sum(archive.size for archive in archives) >> 20, 1)
        progress.step(f"downloading {_packages(len(archives))}, {mib} MiB")
        try:
            return archives, apt.fetch(packages, archives, progress)
        except RootError as error:
            if not apt.is_outdated(error):
                raise


def _check_names(record: Record, known: set[str]) -> None:
    """Raises RootError for a name that apt has taken for a command, such as `zsh-`."""
    for name in record.packages:
        if name not in known:
            raise RootError(f"there is no package {name} in {record.suite}")


def _packages(count: int) -> str:
    return f"{count} package{'' if count == 1 else 's'}"


def _with_remedy(
    error: RootError, apt: PrivateApt, record: Record, database: Database
) -> RootError:
    """The error with what helps: for an unknown package, others of similar names."""
    if is_unmet(str(error)):
        remedy = "expected a new folder" if database.names else "its index is broken: try later"
        return RootError(f"{record.suite}: {error} ({remedy}, or another --suite)")
    if not has_unknown_package(str(error)):
        return error
    known = apt.names()
    wanted = [name for name in record.packages if name not in known]
    if not wanted:
        return error
    near = [name for name in apt.providers(wanted[0]) if name in known][:_NEAR]
    near = near or difflib.get_close_matches(wanted[0], known, _NEAR, cutoff=0.8)
    if not near:
        return error
    return RootError(f"{error} (did you mean {' or '.join(near)}?)")


def _unpack(
    tree: Tree,
    database: Database,
    record: Record,
    archives: Sequence[tuple[Archive, Path]],
    progress: Progress,
) -> None:
    progress.step(f"unpacking {_packages(len(archives))}")
    for number, (archive, file) in enumerate(archives, 1):
        progress.detail(f"unpacking {archive.name}, {number} of {len(archives)}")
        control = control_files(file)
        name = database.add(control)
        if archive.file in record.unpacked:
            continue
        earlier = database.files(name)
        configuration = set(control.get("conffiles", b"").decode(errors="replace").splitlines())
        paths = unpack(file, tree, configuration)
        _remove_obsolete(tree, database, name, earlier, {*paths, *configuration})
        database.record(name, control, paths)
        record.unpacked.append(archive.file)
        record.write(tree, UNFINISHED)


def _remove_obsolete(
    tree: Tree, database: Database, name: str, earlier: list[str], current: set[str]
) -> None:
    """Removes the files that only an earlier version of a package had."""
    obsolete = set(earlier) - current
    if not obsolete:
        return
    for other in database.names - {name}:
        obsolete.difference_update(database.files(other))
    for path in sorted(obsolete, reverse=True):  # what is in a directory before the directory
        tree.remove(path)


def _configure(tree: Tree, database: Database) -> None:
    """Does what the packages' scripts would do."""
    scripts = list(database.scripts())
    write_system_files(tree)
    write_accounts(tree, scripts)
    link_alternatives(tree, scripts)
    write_library_cache(tree)
