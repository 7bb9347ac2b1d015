"""/proc/PID/status, in the order and format of Linux 6.12 (proc_pid_status(5))."""

from __future__ import annotations

from collections.abc import Iterator

from kernel.base.resource_limits import Resource
from kernel.vfs.core.credentials import Ids
from kernel.vfs.proc.process_state import STATE_NAMES, state_of
from kernel.vfs.proc.protocol import ProcProcess

_NO_CAPABILITIES, _ALL_CAPABILITIES = 0, (1 << 41) - 1


def status_text(process: ProcProcess, tid: int) -> str:
    lines = [*_identity(process, tid), *_memory(process), *_signals(process, tid)]
    lines += [*_privileges(process), *_processors(process, tid)]
    return "".join(f"{name}:\t{value}\n" for name, value in lines)


def _identity(process: ProcProcess, tid: int) -> Iterator[tuple[str, object]]:
    credentials, state = process.fs.credentials, state_of(process)
    yield "Name", process.program.name.replace("\\", "\\\\").replace("\n", "\\n")
    yield "Umask", f"{process.fs.umask:04o}"
    yield "State", f"{state} ({STATE_NAMES[state]})"
    yield "Tgid", process.pid
    yield "Ngid", 0
    yield "Pid", tid
    yield "PPid", process.ppid
    yield "TracerPid", 0
    yield "Uid", _ids(credentials.users)
    yield "Gid", _ids(credentials.all_groups)
    yield "FDSize", _table_size(process.files.end)
    yield "Groups", "".join(f"{group} " for group in sorted(credentials.groups)) or " "
    yield "NStgid", process.pid
    yield "NSpid", tid
    yield "NSpgid", process.pgid
    yield "NSsid", process.sid
    yield "Kthread", 0


def _table_size(end: int) -> int:
    """Size of Linux's table of descriptors, whose highest one is ``end`` - 1."""
    return max(64, 1 << (end - 1).bit_length()) if end else 64


def _memory(process: ProcProcess) -> Iterator[tuple[str, object]]:
    if not process.alive:
        return
    sizes = process.memory.figures()
    for name, pages in (
        ("VmPeak", sizes.virtual_peak),
        ("VmSize", sizes.virtual),
        ("VmLck", sizes.locked),
        ("VmPin", 0),
        ("VmHWM", sizes.resident_peak),
        ("VmRSS", sizes.resident),
        ("RssAnon", sizes.anonymous),
        ("RssFile", sizes.file),
        ("RssShmem", sizes.shmem),
        ("VmData", sizes.data),
        ("VmStk", sizes.stack),
        ("VmExe", sizes.code),
        ("VmLib", sizes.libraries),
        ("VmPTE", sizes.tables),
        ("VmSwap", 0),
        ("HugetlbPages", sizes.hugetlb),
    ):
        yield name, f"{pages * 4:8} kB"
    yield "CoreDumping", 0
    yield "THP_enabled", int(not process.memory.huge_pages_disabled)


def _signals(process: ProcProcess, tid: int) -> Iterator[tuple[str, object]]:
    thread = process.threads.get(tid)
    pending = process.pending
    ignored, caught = process.handlers.ignored_and_caught()
    yield "Threads", len(process.threads) or 1
    yield "SigQ", f"{pending.queued.count}/{process.limits.soft(Resource.SIGPENDING)}"
    for name, signals in (
        ("SigPnd", thread.pending.mask if thread else 0),
        ("ShdPnd", pending.mask),
        ("SigBlk", thread.mask if thread else 0),
        ("SigIgn", ignored),
        ("SigCgt", caught),
    ):
        yield name, f"{signals:016x}"


def _privileges(process: ProcProcess) -> Iterator[tuple[str, object]]:
    for name, capabilities in (
        ("CapInh", _NO_CAPABILITIES),
        ("CapPrm", _NO_CAPABILITIES),
        ("CapEff", _NO_CAPABILITIES),
        ("CapBnd", _ALL_CAPABILITIES),
        ("CapAmb", _NO_CAPABILITIES),
    ):
        yield name, f"{capabilities:016x}"
    yield "NoNewPrivs", process.attributes.no_new_privileges
    yield "Seccomp", 0
    yield "Seccomp_filters", 0


def _processors(process: ProcProcess, tid: int) -> Iterator[tuple[str, object]]:
    yield "Cpus_allowed", 1
    yield "Cpus_allowed_list", 0
    yield "Mems_allowed", 1
    yield "Mems_allowed_list", 0
    thread = process.threads.get(tid)
    usage = thread.usage() if thread else None
    yield "voluntary_ctxt_switches", usage.voluntary_switches if usage else 0
    yield "nonvoluntary_ctxt_switches", usage.involuntary_switches if usage else 0


def _ids(ids: Ids) -> str:
    """Real, effective and saved ID, and that for access to files."""
    return "\t".join(map(str, (*ids, ids.effective)))
