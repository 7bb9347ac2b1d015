"""/proc/PID: information about one process."""

from __future__ import annotations

import stat
from collections.abc import Callable

from kernel.base.errno import EINVAL, ENOENT, ESRCH
from kernel.base.errors import Errno
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_ACCMODE, O_CLOEXEC
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.proc import settings
from kernel.vfs.proc.contents import limits_text, mountinfo_text, mounts_text
from kernel.vfs.proc.nodes import MagicLink, ProcDir, ProcFs, ProcNode, ProcSetting, ProcText
from kernel.vfs.proc.pagemap import ProcPagemap
from kernel.vfs.proc.process_stat import oom_score_text, stat_text, statm_text
from kernel.vfs.proc.process_status import status_text
from kernel.vfs.proc.protocol import ProcKernel, ProcMemory, ProcProcess

Make = Callable[[], bytes]
Store = Callable[[bytes], None]

_ERRORS_OF_ZOMBIES = {
    "auxv": ESRCH,
    "environ": ESRCH,
    "mountinfo": EINVAL,
    "mounts": EINVAL,
    "pagemap": ESRCH,
    "smaps_rollup": ESRCH,
}
"""Files of a process that cannot be opened once it has ended."""


def _unreadable() -> bytes:
    raise Errno(EINVAL)


class ProcessFiles:
    """Creates the nodes of a process's directory ``base`` (``12`` or ``12/task/13``)."""

    def __init__(
        self,
        filesystem: ProcFs,
        kernel: ProcKernel,
        process: ProcProcess,
        base: str,
        tid: int,
        tasks: bool,
    ) -> None:
        self.filesystem = filesystem
        self.kernel = kernel
        self.process = process
        self.base = base
        self._tid = tid
        self._texts: dict[str, Make] = {
            "auxv": lambda: process.program.auxv,
            "cmdline": lambda: process.program.arguments if process.alive else b"",
            "environ": lambda: process.program.environment if process.alive else b"",
            "limits": lambda: limits_text(process).encode(),
            "maps": self._of_memory(lambda memory: memory.maps_text()),
            "mountinfo": lambda: mountinfo_text(process.fs.namespace).encode(),
            "mounts": lambda: mounts_text(process.fs.namespace).encode(),
            "oom_score": lambda: oom_score_text(kernel, process).encode(),
            "smaps": self._of_memory(lambda memory: memory.smaps_text()),
            "smaps_rollup": self._of_memory(lambda memory: memory.smaps_rollup_text()),
            "stat": lambda: stat_text(process, tid).encode("utf-8", "surrogateescape"),
            "statm": lambda: statm_text(process).encode(),
            "status": lambda: status_text(process, tid).encode("utf-8", "surrogateescape"),
        }
        attributes = process.attributes
        self._settings: dict[str, tuple[int, Make, Store]] = {
            "clear_refs": (0o200, _unreadable, lambda text: settings.clear_refs(process, text)),
            "comm": (
                0o644,
                lambda: process.program.name.encode("utf-8", "surrogateescape") + b"\n",
                lambda text: settings.set_name(process, kernel.caller, text),
            ),
            "coredump_filter": (
                0o644,
                lambda: b"%08x\n" % attributes.core_filter if process.alive else b"",
                lambda text: settings.set_core_filter(process, text),
            ),
            "oom_score_adj": (
                0o644,
                lambda: b"%d\n" % attributes.oom_score_adjustment,
                lambda text: settings.set_oom_adjustment(process, text),
            ),
        }
        self._links: dict[str, tuple[Callable[[], str], Callable[[], Inode | None]]] = {
            "exe": (lambda: process.program.path, lambda: process.program.inode),
            "cwd": (self._cwd_text, lambda: process.fs.cwd),
            "root": (lambda: "/", lambda: process.fs.root),
        }
        self._dirs: dict[str, Callable[[], ProcDir]] = {
            "fd": self._fd_dir,
            "fdinfo": self._fdinfo_dir,
        }
        if tasks:
            self._dirs["task"] = self._task_dir
        else:
            self._texts["children"] = self._children

    def directory(self) -> ProcDir:
        names = [*self._texts, *self._settings, *self._links, *self._dirs, "pagemap"]
        return ProcDir(self.filesystem, self.base, lambda: sorted(names), self._find)

    def _find(self, name: str) -> ProcNode | None:
        path = f"{self.base}/{name}"
        if name in self._texts:
            return self._checked(name, ProcText(self.filesystem, path, self._texts[name]))
        if name in self._settings:
            setting = ProcSetting(self.filesystem, path, *self._settings[name])
            setting.seekable = name != "comm"
            return setting
        if name == "pagemap":
            pagemap = ProcPagemap(self.filesystem, path, self.kernel, self.process)
            return self._checked(name, pagemap)
        if name in self._links:
            return self._link(path, *self._links[name])
        if name in self._dirs:
            return self._dirs[name]()
        return None

    def _checked(self, name: str, node: ProcText) -> ProcText:
        """The node, with the error that opening it causes once the process has ended."""

        def check() -> None:
            if name in _ERRORS_OF_ZOMBIES and not self.process.alive:
                raise Errno(_ERRORS_OF_ZOMBIES[name])

        node.check_open = check
        return node

    def _link(
        self, path: str, make: Callable[[], str], target: Callable[[], Inode | None]
    ) -> MagicLink:
        """A link that leads nowhere once the process has ended."""

        def text() -> str:
            if not self.process.alive:
                raise Errno(ENOENT)
            return make()

        return MagicLink(
            self.filesystem, path, text, lambda: target() if self.process.alive else None
        )

    def _cwd_text(self) -> str:
        fs = self.process.fs
        try:
            return fs.namespace.path_of(fs.cwd)
        except Errno:
            return f"/{fs.cwd.name} (deleted)"

    def _of_memory(self, make: Callable[[ProcMemory], str]) -> Make:
        """A text about its memory, empty for a zombie."""

        def text() -> bytes:
            if not self.process.alive:
                return b""
            return make(self.process.memory).encode("utf-8", "surrogateescape")

        return text

    def _children(self) -> bytes:
        """The pids of the children; Linux has them with the thread that made them."""
        is_first = self._tid == self.process.pid
        return b"".join(b"%d " % pid for pid in sorted(self.process.children) if is_first)

    def _file(self, name: str) -> OpenFile | None:
        if not name.isascii() or not name.isdigit() or len(name) > 9:
            return None
        try:
            return self.process.files.get(int(name))
        except Errno:
            return None

    def _fd_names(self) -> list[str]:
        return [str(fd) for fd, _ in self.process.files.items()]

    def _fd_dir(self) -> ProcDir:
        def find(name: str) -> ProcNode | None:
            file = self._file(name)
            if file is None:
                return None
            path = f"{self.base}/fd/{name}"
            return MagicLink(self.filesystem, path, lambda: _fd_link_text(file), lambda: file.inode)

        return ProcDir(self.filesystem, f"{self.base}/fd", self._fd_names, find)

    def _fdinfo_dir(self) -> ProcDir:
        def find(name: str) -> ProcNode | None:
            file = self._file(name)
            if file is None:
                return None
            closes = self.process.files.is_close_on_exec(int(name))
            path = f"{self.base}/fdinfo/{name}"
            return ProcText(self.filesystem, path, lambda: _fdinfo(file, closes))

        return ProcDir(self.filesystem, f"{self.base}/fdinfo", self._fd_names, find)

    def _task_dir(self) -> ProcDir:
        def find(name: str) -> ProcNode | None:
            if name not in map(str, self.process.threads):
                return None
            base = f"{self.base}/task/{name}"
            files = ProcessFiles(self.filesystem, self.kernel, self.process, base, int(name), False)
            return files.directory()

        path = f"{self.base}/task"
        return ProcDir(self.filesystem, path, lambda: map(str, self.process.threads), find)


def _fd_link_text(file: OpenFile) -> str:
    removed = file.inode.kind == stat.S_IFREG and not file.inode.stat().nlink
    return f"{file.path} (deleted)" if removed and not file.path.endswith(")") else file.path


def _fdinfo(file: OpenFile, closes: bool) -> bytes:
    offset = getattr(file, "offset", 0)
    flags = file.flags | (O_CLOEXEC if closes else 0)
    access = file.flags & O_ACCMODE
    ino = file.inode.stat().ino
    head = f"pos:\t{offset}\nflags:\t0{flags | access:o}\nmnt_id:\t1\nino:\t{ino}\n"
    return (head + file.details()).encode()
