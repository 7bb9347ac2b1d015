"""Texts of /proc in the formats that ps, top and libraries parse (proc(5))."""

from __future__ import annotations

from kernel.vfs.names.namespace import Namespace
from kernel.vfs.proc.protocol import ProcKernel, ProcProcess

PAGE = 4096
TICK_NS = 10_000_000
"""Nanoseconds of a clock tick (sysconf(_SC_CLK_TCK))."""

_STATES = {"R": "running", "S": "sleeping", "T": "stopped", "Z": "zombie"}

_LIMITS = (
    ("Limit", "Soft Limit", "Hard Limit", "Units"),
    ("Max cpu time", "unlimited", "unlimited", "seconds"),
    ("Max file size", "unlimited", "unlimited", "bytes"),
    ("Max stack size", "8388608", "unlimited", "bytes"),
)

CPUINFO = """\
processor\t: 0
hart\t\t: 0
isa\t\t: rv64imafdc_zicntr_zicsr_zifencei
mmu\t\t: sv39

"""


def _pages(process: ProcProcess) -> tuple[int, int]:
    """Returns (virtual, resident) pages of the address space."""
    if not process.alive:
        return 0, 0
    return process.space.virtual_pages(), process.space.resident_pages()


def _state(process: ProcProcess) -> str:
    """Returns R, S, T or Z."""
    if not process.alive:
        return "Z"
    if process.stopped_by:
        return "T"
    return "S" if all(thread.wait for thread in process.threads.values()) else "R"


def status_text(process: ProcProcess, tid: int) -> str:
    virtual, resident = _pages(process)
    credentials, state = process.fs.credentials, _state(process)
    lines = [
        f"Name:\t{process.program.name}",
        f"Umask:\t{process.fs.umask:04o}",
        f"State:\t{state} ({_STATES[state]})",
        f"Tgid:\t{process.pid}",
        f"Pid:\t{tid}",
        f"PPid:\t{process.ppid}",
        "TracerPid:\t0",
        "Uid:" + f"\t{credentials.uid}" * 4,
        "Gid:" + f"\t{credentials.gid}" * 4,
        f"FDSize:\t{max(64, process.files.end)}",
        "Groups:\t" + " ".join(map(str, sorted(credentials.groups))),
        f"VmPeak:\t{virtual * 4:8} kB",
        f"VmSize:\t{virtual * 4:8} kB",
        f"VmLck:\t{(process.space.locked_bytes if process.alive else 0) // 1024:8} kB",
        f"VmHWM:\t{resident * 4:8} kB",
        f"VmRSS:\t{resident * 4:8} kB",
        f"Threads:\t{len(process.threads)}",
        "Cpus_allowed:\t1",
        "Cpus_allowed_list:\t0",
    ]
    return "\n".join(lines) + "\n"


def stat_text(process: ProcProcess, tid: int) -> str:
    virtual, resident = _pages(process)
    ticks, start = process.cpu_ns // TICK_NS, process.started // TICK_NS
    fields = [
        tid, f"({process.program.name})", _state(process), process.ppid, process.pgid, process.sid,
        0, -1, 0, 0, 0, 0, 0, ticks, 0, 0, 0, 20 + process.nice, process.nice,
        len(process.threads), 0, start, virtual * PAGE, resident, (1 << 64) - 1,
    ]  # fmt: skip
    fields += [0] * (52 - len(fields))
    return " ".join(map(str, fields)) + "\n"


def limits_text(process: ProcProcess) -> str:
    files = str(process.files.limit)
    rows = [*_LIMITS, ("Max open files", files, files, "files")]
    return "".join(f"{a:<25} {b:<20} {c:<20} {d:<10}\n" for a, b, c, d in rows)


def statm_text(process: ProcProcess) -> str:
    virtual, resident = _pages(process)
    return f"{virtual} {resident} 0 0 0 {virtual} 0\n"


def mounts_text(namespace: Namespace) -> str:
    lines: dict[str, str] = {}
    for path, node in namespace.mount_points():
        filesystem = node.filesystem
        rights = "ro" if filesystem.read_only else "rw"
        where = path.replace("\\", "\\134").replace(" ", "\\040").replace("\n", "\\012")
        lines[path] = f"{filesystem.kind} {where} {filesystem.kind} {rights} 0 0\n"
    return "".join(lines.values())


def mountinfo_text(namespace: Namespace) -> str:
    lines: dict[str, str] = {}
    for number, line in enumerate(mounts_text(namespace).splitlines(), start=1):
        kind, where, source, rights, *_ = line.split(" ")
        lines[where] = f"{number} 0 0:{number} / {where} {rights} - {kind} {source} {rights}\n"
    return "".join(lines.values())


def meminfo_text(kernel: ProcKernel) -> str:
    total, free = kernel.memory_total // 1024, kernel.memory_free // 1024
    shared = kernel.memory_in_files // 1024
    rows = {
        "MemTotal": total, "MemFree": free, "MemAvailable": free, "Buffers": 0, "Cached": shared,
        "SwapCached": 0, "Active": total - free, "Inactive": 0, "SwapTotal": 0, "SwapFree": 0,
        "Dirty": 0, "Mapped": 0, "Shmem": shared, "Slab": 0,
    }  # fmt: skip
    return "".join(f"{name + ':':<15}{value:9} kB\n" for name, value in rows.items())


def uptime_text(kernel: ProcKernel) -> str:
    hundredths = kernel.clock.monotonic() // TICK_NS
    seconds = f"{hundredths // 100}.{hundredths % 100:02}"
    return f"{seconds} 0.00\n"


def loadavg_text(kernel: ProcKernel) -> str:
    processes = kernel.processes
    running = sum(_state(process) == "R" for process in processes.values())
    return f"0.00 0.00 0.00 {max(1, running)}/{len(processes)} {max(processes, default=1)}\n"


def system_stat_text(kernel: ProcKernel) -> str:
    used = sum(process.cpu_ns for process in kernel.processes.values()) // TICK_NS
    idle = max(0, kernel.clock.monotonic() // TICK_NS - used)
    boot = (kernel.clock.realtime() - kernel.clock.monotonic()) // 1_000_000_000
    cpu = f"{used} 0 0 {idle} 0 0 0 0 0 0"
    running = sum(_state(process) == "R" for process in kernel.processes.values())
    last = max(kernel.processes, default=1)
    return (
        f"cpu  {cpu}\ncpu0 {cpu}\nintr 0\nctxt 0\nbtime {boot}\nprocesses {last}\n"
        f"procs_running {max(1, running)}\nprocs_blocked 0\n"
    )
