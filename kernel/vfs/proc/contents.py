"""Texts of /proc in the formats that ps, top and libraries parse (proc(5))."""

from __future__ import annotations

from kernel.vfs.names.namespace import Namespace
from kernel.vfs.proc.process_stat import TICK_NS
from kernel.vfs.proc.process_state import state_of
from kernel.vfs.proc.protocol import ProcKernel, ProcProcess

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


def limits_text(process: ProcProcess) -> str:
    files = str(process.files.limit)
    rows = [*_LIMITS, ("Max open files", files, files, "files")]
    return "".join(f"{a:<25} {b:<20} {c:<20} {d:<10}\n" for a, b, c, d in rows)


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


def uptime_text(kernel: ProcKernel) -> str:
    now = kernel.clock.monotonic()
    idle = max(0, now - kernel.activity.user_ns - kernel.activity.system_ns)
    return f"{_seconds(now)} {_seconds(idle)}\n"


def _seconds(nanoseconds: int) -> str:
    hundredths = nanoseconds // TICK_NS
    return f"{hundredths // 100}.{hundredths % 100:02}"


def loadavg_text(kernel: ProcKernel) -> str:
    processes = kernel.processes
    running = sum(state_of(process) == "R" for process in processes.values())
    return f"0.00 0.00 0.00 {max(1, running)}/{len(processes)} {max(processes, default=1)}\n"


def system_stat_text(kernel: ProcKernel) -> str:
    activity = kernel.activity
    user, system = activity.user_ns // TICK_NS, activity.system_ns // TICK_NS
    idle = max(0, kernel.clock.monotonic() // TICK_NS - user - system)
    boot = (kernel.clock.realtime() - kernel.clock.monotonic()) // 1_000_000_000
    cpu = f"{user} 0 {system} {idle} 0 0 0 0 0 0"
    running = sum(state_of(process) == "R" for process in kernel.processes.values())
    return (
        f"cpu  {cpu}\ncpu0 {cpu}\nintr 0\nctxt {activity.switches}\nbtime {boot}\n"
        f"processes {activity.processes}\nprocs_running {max(1, running)}\nprocs_blocked 0\n"
        "softirq 0 0 0 0 0 0 0 0 0 0 0\n"
    )
