"""Root of /proc: information about the machine, and a directory for each process."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kernel.base.budget import Cost
from kernel.vfs.core.credentials import ROOT
from kernel.vfs.ipc.inotify import MAX_INSTANCES, MAX_QUEUED
from kernel.vfs.names.namespace import Namespace
from kernel.vfs.proc import contents, memory_texts
from kernel.vfs.proc.net import net_texts
from kernel.vfs.proc.nodes import ProcDir, ProcFs, ProcLink, ProcNode, ProcText, texts_dir
from kernel.vfs.proc.process import ProcessFiles
from kernel.vfs.proc.protocol import ProcKernel
from kernel.vfs.proc.sysfs import pool_settings, sys_directory
from kernel.vfs.pty.devpts import MOST as MOST_TERMINALS

_VIRTUAL = ("sysfs", "tmpfs", "devpts", "proc", "overlay", "pipefs")
_FILESYSTEMS = "".join(f"nodev\t{name}\n" for name in _VIRTUAL) + "\thostfs\n"


class ProcRoot:
    """Creates the nodes in /proc."""

    def __init__(self, kernel: ProcKernel, namespace: Namespace) -> None:
        self.kernel = kernel
        self.filesystem = ProcFs(kernel.clock.realtime, namespace.budget)
        self.filesystem.owner = self._owner
        self._boot_id = _uuid(kernel.random(16))
        self._texts: dict[str, Callable[[], str]] = {
            "cpuinfo": lambda: contents.CPUINFO,
            "filesystems": lambda: _FILESYSTEMS,
            "loadavg": lambda: contents.loadavg_text(kernel),
            "meminfo": lambda: memory_texts.meminfo_text(kernel),
            "stat": lambda: contents.system_stat_text(kernel),
            "uptime": lambda: contents.uptime_text(kernel),
            "vmstat": lambda: memory_texts.vmstat_text(kernel),
            "zoneinfo": lambda: memory_texts.zoneinfo_text(kernel),
            "version": lambda: f"Linux version {kernel.release} (emu) #1\n",
        }
        self._links: dict[str, Callable[[], str]] = {
            "mounts": lambda: "self/mounts",
            "self": lambda: str(kernel.caller.process.pid),
            "thread-self": lambda: f"{kernel.caller.process.pid}/task/{kernel.caller.tid}",
        }
        self._net = net_texts(namespace.network)
        pool = pool_settings(kernel)
        self._settings: dict[str, Callable[[], str]] = {
            "kernel/hostname": lambda: kernel.hostname,
            "kernel/ngroups_max": lambda: "65536",
            "kernel/osrelease": lambda: kernel.release,
            "kernel/ostype": lambda: "Linux",
            "kernel/pid_max": lambda: "32768",
            "kernel/pty/max": lambda: str(MOST_TERMINALS),
            "kernel/pty/nr": lambda: str(len(namespace.pts.slaves)),
            "kernel/random/boot_id": lambda: self._boot_id,
            "kernel/random/entropy_avail": lambda: "256",
            "kernel/random/uuid": lambda: _uuid(kernel.random(16)),
            "kernel/randomize_va_space": lambda: "0",
            "kernel/threads-max": lambda: "32768",
            "fs/epoll/max_user_watches": lambda: str(namespace.budget.limit // Cost.WATCH),
            "fs/file-max": lambda: str(namespace.budget.limit // Cost.FILE),
            "fs/inotify/max_queued_events": lambda: str(MAX_QUEUED),
            "fs/inotify/max_user_instances": lambda: str(MAX_INSTANCES),
            "fs/inotify/max_user_watches": lambda: str(namespace.inotify.max_watches),
            "fs/nr_open": lambda: "65536",
            "fs/pipe-max-size": lambda: "1048576",
            "net/core/somaxconn": lambda: "4096",
            "vm/max_map_count": lambda: "65530",
            "vm/mmap_min_addr": lambda: "65536",
            "vm/nr_hugepages": pool["nr_hugepages"],
            "vm/nr_hugepages_mempolicy": pool["nr_hugepages_mempolicy"],
            "vm/nr_overcommit_hugepages": pool["nr_overcommit_hugepages"],
            "vm/overcommit_memory": lambda: "0",
        }

    def _owner(self, path: str) -> tuple[int, int]:
        """A process owns its directory, root the rest."""
        pid = path.partition("/")[0]
        process = self.kernel.processes.get(int(pid)) if pid.isdigit() else None
        credentials = None if process is None else process.fs.credentials
        return (ROOT, ROOT) if credentials is None else (credentials.uid, credentials.gid)

    def directory(self) -> ProcDir:
        return ProcDir(self.filesystem, "", self._names, self._find)

    def _names(self) -> Iterable[str]:
        yield from map(str, sorted(self.kernel.processes))
        yield from (*self._texts, *self._links, "net", "sys")

    def _find(self, name: str) -> ProcNode | None:
        if name in self._texts:
            return self._text(name, self._texts[name])
        if name in self._links:
            return ProcLink(self.filesystem, name, self._links[name])
        if name == "net":
            return texts_dir(self.filesystem, self._net, at="net/")
        if name == "sys":
            return texts_dir(self.filesystem, self._settings, at="sys/")
        return self._process(name)

    def _process(self, name: str) -> ProcNode | None:
        if not name.isascii() or not name.isdigit() or len(name) > 9:
            return None
        process = self.kernel.processes.get(int(name))
        if process is None or str(process.pid) != name:
            return None
        files = ProcessFiles(self.filesystem, self.kernel, process, name, process.pid, True)
        return files.directory()

    def _text(self, path: str, make: Callable[[], str]) -> ProcText:
        return ProcText(self.filesystem, path, lambda: make().encode("utf-8", "surrogateescape"))


def _uuid(random: bytes) -> str:
    """Returns an UUID of version 4 (RFC 9562), in its text form."""
    versioned = random[6] & 0x0F | 0x40, random[7], random[8] & 0x3F | 0x80
    digits = (random[:6] + bytes(versioned) + random[9:]).hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def mount_proc(namespace: Namespace, kernel: ProcKernel) -> None:
    """Mounts /proc and /sys in the guest's tree."""
    namespace.mount("/proc", ProcRoot(kernel, namespace).directory())
    namespace.mount("/sys", sys_directory(kernel, namespace))
