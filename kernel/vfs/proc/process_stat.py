"""/proc/PID/stat, statm and oom_score (proc_pid_stat(5))."""

from __future__ import annotations

from kernel.base.memory_figures import MemoryFigures
from kernel.base.resource_limits import Resource
from kernel.vfs.proc.process_state import state_of
from kernel.vfs.proc.protocol import ProcKernel, ProcProcess

PAGE = 4096
TICK_NS = 10_000_000
"""Nanoseconds of a clock tick (sysconf(_SC_CLK_TCK))."""
_FORKED_WITHOUT_EXEC = 0x40
_FIELDS = 52


def memory_figures(process: ProcProcess) -> MemoryFigures:
    """Its figures; those of a zombie, which has no memory, are 0."""
    return process.memory.figures() if process.alive else MemoryFigures()


def stat_text(process: ProcProcess, tid: int) -> str:
    """The 52 fields, of a thread of its directory in task/ too."""
    sizes = memory_figures(process)
    thread = process.threads.get(tid)
    whole = tid == process.pid  # the first thread's fields are the whole process's
    usage = (process if whole or thread is None else thread).usage()
    children = process.children_usage
    flags = 0 if process.has_execed else _FORKED_WITHOUT_EXEC
    fields: list[object] = [
        tid, f"({process.program.name})", state_of(process), process.ppid, process.pgid,
        process.sid, *_terminal(process), flags,
        usage.minor_faults, children.minor_faults, usage.major_faults, children.major_faults,
        usage.user_ns // TICK_NS, usage.system_ns // TICK_NS,
        children.user_ns // TICK_NS, children.system_ns // TICK_NS,
        20 + process.nice, process.nice, len(process.threads) or 1, 0,
        process.started // TICK_NS, sizes.virtual * PAGE, sizes.resident,
        process.limits.soft(Resource.RSS), *_addresses(process), *_signals(process, tid),
    ]  # fmt: skip
    fields += [0, 0, 0, process.exit_signal, 0, 0, 0, 0, 0, 0, *_data_addresses(process)]
    fields.append(process.wait_status)
    assert len(fields) == _FIELDS
    return " ".join(map(str, fields)) + "\n"


def _terminal(process: ProcProcess) -> tuple[int, int]:
    """tty_nr and tpgid."""
    terminal = process.terminal
    return (0, -1) if terminal is None else (terminal.device, terminal.foreground or -1)


def _addresses(process: ProcProcess) -> tuple[int, int, int, int, int]:
    """startcode, endcode, startstack, kstkesp, kstkeip."""
    if not process.alive:
        return 0, 0, 0, 0, 0
    image = process.memory.image
    return image.code_start, image.code_end, image.stack_start, 0, 0


def _signals(process: ProcProcess, tid: int) -> tuple[int, int, int, int]:
    """The first 31 signals of the sets pending, blocked, ignored, caught."""
    thread = process.threads.get(tid)
    pending = process.pending.mask | (thread.pending.mask if thread else 0)
    blocked = thread.mask if thread else 0
    ignored, caught = process.handlers.ignored_and_caught()
    low = 0x7FFF_FFFF
    return pending & low, blocked & low, ignored & low, caught & low


def _data_addresses(process: ProcProcess) -> tuple[int, ...]:
    """start_data, end_data, start_brk, and both ends of the arguments and the environment."""
    if not process.alive:
        return (0,) * 7
    image = process.memory.image
    return (
        *(image.data_start, image.data_end, process.memory.heap_start),
        *(image.arguments_start, image.arguments_end),
        *(image.environment_start, image.environment_end),
    )


def statm_text(process: ProcProcess) -> str:
    sizes = memory_figures(process)
    shared, data = sizes.file + sizes.shmem, sizes.data + sizes.stack
    return f"{sizes.virtual} {sizes.resident} {shared} {sizes.code} 0 {data} 0\n"


def oom_score_text(kernel: ProcKernel, process: ProcProcess) -> str:
    """The share of memory that it uses, in thousandths, moved by oom_score_adj (Linux's scale)."""
    sizes, total = memory_figures(process), kernel.memory_total // PAGE
    badness = sizes.resident + sizes.tables
    badness += process.attributes.oom_score_adjustment * total // 1000
    return f"{max(0, (1000 + badness * 1000 // total) * 2 // 3)}\n"
