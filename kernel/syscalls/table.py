"""The table of system calls: one row each, used for dispatch, tracing and documentation.

Numbers are those of riscv64 Linux (asm-generic/unistd.h). A number without a row fails with ENOSYS.
The note describes differences from Linux; a row without one behaves as its man page says, as far as
a single user on one hart can observe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kernel.syscalls.files import (
    attributes,
    copy_file,
    descriptors,
    directories,
    file_locks,
    handles,
    mounts,
    openat,
    read_write,
    splice,
    stat,
    sync,
)
from kernel.syscalls.ipc import event_fds, inotify, poll
from kernel.syscalls.memory import madvise, mappings, mlock, mremap, sysv_shm
from kernel.syscalls.net import connect, connections, options, receive, send
from kernel.syscalls.process import (
    clone,
    execve,
    futex,
    identity,
    namespaces,
    nice,
    pidfd,
    prctl,
    process_memory,
    rlimits,
    rusage,
    sched,
    sched_attributes,
    signals,
    system,
    time,
    user_ids,
    wait,
)

_SIGNED_32 = frozenset(("fd", "dirfd", "int", "sig", "access", "atflags", "advice"))
_SIGNED_64 = frozenset(("off", "long", "ssize"))
_UNSIGNED_32 = frozenset(("uint", "mode", "oflags", "mapflags", "prot", "waitoptions"))


class Row(NamedTuple):
    """One system call.

    ``kinds`` is the kind of each argument, for conversion and tracing: a C type's width (``int``,
    ``uint``, ``long``, ``off``, ``size``, ``hex``), a meaning (``fd``, ``path``, ``sig``, …), or a
    buffer with the position of its length (``inbuf:2``).
    """

    number: int
    name: str
    function: Callable[..., Any]
    kinds: str = ""
    note: str = ""

    def convert(self, registers: list[int]) -> list[int]:
        """Converts a0, a1, … to the C types that the call declares."""
        count, narrower = _PLANS[self.kinds]
        arguments = registers[:count]
        for position, convert in narrower:
            arguments[position] = convert(arguments[position])
        return arguments


def _signed_32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (value >> 31 << 32)


def _signed_64(value: int) -> int:
    return value - (value >> 63 << 64)


def _unsigned_32(value: int) -> int:
    return value & 0xFFFFFFFF


Narrowing = tuple[int, Callable[[int], int]]
"""Position of an argument narrower than the register, and its conversion."""


def _plan(kinds: list[str]) -> tuple[int, list[Narrowing]]:
    narrower: list[Narrowing] = [
        (position, convert)
        for position, kind in enumerate(kinds)
        for names, convert in (
            (_SIGNED_32, _signed_32),
            (_SIGNED_64, _signed_64),
            (_UNSIGNED_32, _unsigned_32),
        )
        if kind in names
    ]
    return len(kinds), narrower


# fmt: off
ROWS = (
    # Files: reading, writing, positions
    Row(63, "read", read_write.read, "fd outbuf:2 size"),
    Row(64, "write", read_write.write, "fd inbuf:2 size"),
    Row(65, "readv", read_write.readv, "fd ptr int"),
    Row(66, "writev", read_write.writev, "fd ptr int"),
    Row(67, "pread64", read_write.pread64, "fd outbuf:2 size off"),
    Row(68, "pwrite64", read_write.pwrite64, "fd inbuf:2 size off"),
    Row(69, "preadv", read_write.preadv, "fd ptr int off"),
    Row(70, "pwritev", read_write.pwritev, "fd ptr int off"),
    Row(286, "preadv2", read_write.preadv2, "fd ptr int off long int"),
    Row(287, "pwritev2", read_write.pwritev2, "fd ptr int off long int"),
    Row(62, "lseek", read_write.lseek, "fd off int"),
    Row(71, "sendfile", copy_file.sendfile, "fd fd ptr size"),
    Row(285, "copy_file_range", copy_file.copy_file_range, "fd ptr fd ptr size uint"),
    Row(75, "vmsplice", splice.vmsplice, "fd ptr size uint", "bytes are copied: later stores do not show in the pipe"),
    Row(76, "splice", splice.splice, "fd ptr fd ptr size uint"),
    Row(77, "tee", splice.tee, "fd fd size uint"),
    # Files: opening, descriptors
    Row(56, "openat", openat.openat, "dirfd path oflags mode"),
    Row(437, "openat2", openat.openat2, "dirfd path ptr size"),
    Row(57, "close", descriptors.close, "fd"),
    Row(436, "close_range", descriptors.close_range, "uint uint uint"),
    Row(23, "dup", descriptors.dup, "fd"),
    Row(24, "dup3", descriptors.dup3, "fd fd oflags"),
    Row(25, "fcntl", descriptors.fcntl, "fd int long"),
    Row(29, "ioctl", descriptors.ioctl, "fd hex ptr", "terminals, FIONREAD, FIONBIO, FIOCLEX"),
    Row(32, "flock", file_locks.flock, "fd int"),
    Row(59, "pipe2", openat.pipe2, "ptr oflags"),
    Row(279, "memfd_create", openat.memfd_create, "str uint"),
    Row(19, "eventfd2", event_fds.eventfd2, "uint oflags"),
    Row(20, "epoll_create1", event_fds.epoll_create1, "oflags"),
    Row(21, "epoll_ctl", event_fds.epoll_ctl, "fd int fd ptr"),
    Row(22, "epoll_pwait", event_fds.epoll_pwait, "fd ptr int int ptr size"),
    Row(441, "epoll_pwait2", event_fds.epoll_pwait2, "fd ptr int ptr ptr size"),
    Row(85, "timerfd_create", event_fds.timerfd_create, "int oflags"),
    Row(86, "timerfd_settime", event_fds.timerfd_settime, "fd int ptr ptr"),
    Row(87, "timerfd_gettime", event_fds.timerfd_gettime, "fd ptr"),
    Row(74, "signalfd4", event_fds.signalfd4, "fd ptr size oflags"),
    Row(26, "inotify_init1", inotify.inotify_init1, "oflags"),
    Row(27, "inotify_add_watch", inotify.inotify_add_watch, "fd path uint", "events of what the guest does, not of the host's changes"),
    Row(28, "inotify_rm_watch", inotify.inotify_rm_watch, "fd int"),
    Row(72, "pselect6", poll.pselect6, "int ptr ptr ptr ptr ptr"),
    Row(73, "ppoll", poll.ppoll, "ptr uint ptr ptr size"),
    # Files: names and directories
    Row(17, "getcwd", directories.getcwd, "ptr size"),
    Row(49, "chdir", directories.chdir, "path"),
    Row(50, "fchdir", directories.fchdir, "fd"),
    Row(51, "chroot", directories.chroot, "path", "always EPERM"),
    Row(61, "getdents64", directories.getdents64, "fd ptr size"),
    Row(33, "mknodat", directories.mknodat, "dirfd path mode uint", "files and fifos; devices are EPERM"),
    Row(34, "mkdirat", directories.mkdirat, "dirfd path mode"),
    Row(35, "unlinkat", directories.unlinkat, "dirfd path atflags"),
    Row(36, "symlinkat", directories.symlinkat, "str dirfd path"),
    Row(37, "linkat", directories.linkat, "dirfd path dirfd path atflags"),
    Row(38, "renameat", directories.renameat, "dirfd path dirfd path"),
    Row(276, "renameat2", directories.renameat2, "dirfd path dirfd path uint"),
    Row(78, "readlinkat", directories.readlinkat, "dirfd path ptr int"),
    # Files: status and attributes
    Row(43, "statfs", stat.statfs, "path ptr"),
    Row(44, "fstatfs", stat.fstatfs, "fd ptr"),
    Row(45, "truncate", attributes.truncate, "path off"),
    Row(46, "ftruncate", attributes.ftruncate, "fd off"),
    Row(47, "fallocate", attributes.fallocate, "fd int off off"),
    Row(48, "faccessat", stat.faccessat, "dirfd path access"),
    Row(439, "faccessat2", stat.faccessat2, "dirfd path access atflags"),
    Row(52, "fchmod", attributes.fchmod, "fd mode"),
    Row(53, "fchmodat", attributes.fchmodat, "dirfd path mode"),
    Row(452, "fchmodat2", attributes.fchmodat2, "dirfd path mode atflags"),
    Row(54, "fchownat", attributes.fchownat, "dirfd path int int atflags"),
    Row(55, "fchown", attributes.fchown, "fd int int"),
    Row(79, "newfstatat", stat.newfstatat, "dirfd path ptr atflags"),
    Row(80, "fstat", stat.fstat, "fd ptr"),
    Row(291, "statx", stat.statx, "dirfd path atflags uint ptr"),
    Row(88, "utimensat", attributes.utimensat, "dirfd path ptr atflags"),
    Row(166, "umask", attributes.umask, "mode"),
    Row(5, "setxattr", attributes.no_xattr, "path str ptr size int", "no file has extended attributes"),
    Row(6, "lsetxattr", attributes.no_xattr, "path str ptr size int", "as setxattr"),
    Row(7, "fsetxattr", attributes.no_xattr, "fd str ptr size int", "as setxattr"),
    Row(8, "getxattr", attributes.get_no_xattr, "path str ptr size", "no file has extended attributes"),
    Row(9, "lgetxattr", attributes.get_no_xattr, "path str ptr size", "as getxattr"),
    Row(10, "fgetxattr", attributes.get_no_xattr, "fd str ptr size", "as getxattr"),
    Row(11, "listxattr", attributes.list_no_xattrs, "path ptr size", "an empty list"),
    Row(12, "llistxattr", attributes.list_no_xattrs, "path ptr size", "an empty list"),
    Row(13, "flistxattr", attributes.list_no_xattrs, "fd ptr size", "an empty list"),
    Row(14, "removexattr", attributes.no_xattr, "path str", "no file has extended attributes"),
    Row(15, "lremovexattr", attributes.no_xattr, "path str", "as removexattr"),
    Row(16, "fremovexattr", attributes.no_xattr, "fd str", "as removexattr"),
    Row(81, "sync", sync.sync, ""),
    Row(82, "fsync", sync.fsync, "fd"),
    Row(83, "fdatasync", sync.fsync, "fd"),
    Row(84, "sync_file_range", sync.sync_file_range, "fd off off uint"),
    Row(267, "syncfs", sync.syncfs, "fd"),
    Row(223, "fadvise64", sync.fadvise64, "fd off off int"),
    Row(213, "readahead", sync.readahead, "fd off size"),
    Row(40, "mount", mounts.refuse, "str path str hex ptr", "always EPERM"),
    Row(39, "umount2", mounts.refuse, "path int", "always EPERM"),
    Row(41, "pivot_root", mounts.refuse, "path path", "always EPERM"),
    Row(264, "name_to_handle_at", handles.name_to_handle_at, "dirfd path ptr ptr atflags", "EOPNOTSUPP, as on overlayfs"),
    Row(265, "open_by_handle_at", handles.open_by_handle_at, "dirfd ptr oflags", "always EPERM"),
    Row(262, "fanotify_init", handles.fanotify_init, "uint oflags", "always EPERM"),
    Row(263, "fanotify_mark", handles.fanotify_mark, "fd uint hex dirfd path", "no descriptor is of fanotify"),
    # Sockets: in the machine; the host is reached only through published ports
    Row(198, "socket", connections.socket, "int int int", "AF_UNIX, AF_INET, AF_INET6 inside the machine"),
    Row(199, "socketpair", connections.socketpair, "int int int ptr"),
    Row(200, "bind", connections.bind, "fd ptr int"),
    Row(201, "listen", connections.listen, "fd int"),
    Row(202, "accept", connections.accept, "fd ptr ptr"),
    Row(242, "accept4", connections.accept4, "fd ptr ptr int"),
    Row(203, "connect", connect.connect, "fd ptr int"),
    Row(204, "getsockname", connections.getsockname, "fd ptr ptr"),
    Row(205, "getpeername", connections.getpeername, "fd ptr ptr"),
    Row(210, "shutdown", connections.shutdown, "fd int"),
    Row(206, "sendto", send.sendto, "fd inbuf:2 size int ptr int"),
    Row(211, "sendmsg", send.sendmsg, "fd ptr int"),
    Row(269, "sendmmsg", send.sendmmsg, "fd ptr uint int"),
    Row(207, "recvfrom", receive.recvfrom, "fd outbuf:2 size int ptr ptr"),
    Row(212, "recvmsg", receive.recvmsg, "fd ptr int"),
    Row(243, "recvmmsg", receive.recvmmsg, "fd ptr uint int ptr"),
    Row(208, "setsockopt", options.setsockopt, "fd int int ptr uint"),
    Row(209, "getsockopt", options.getsockopt, "fd int int ptr ptr"),
    # Memory
    Row(214, "brk", mappings.brk, "ptr"),
    Row(222, "mmap", mappings.mmap, "ptr size prot mapflags fd off", "no huge pages"),
    Row(215, "munmap", mappings.munmap, "ptr size"),
    Row(226, "mprotect", mappings.mprotect, "ptr size prot"),
    Row(216, "mremap", mremap.mremap, "ptr size size uint ptr", "a range within one mapping"),
    Row(233, "madvise", madvise.madvise, "ptr size advice"),
    Row(227, "msync", madvise.msync, "ptr size uint"),
    Row(232, "mincore", madvise.mincore, "ptr size ptr"),
    Row(228, "mlock", mlock.mlock, "ptr size", "brings pages in; nothing is ever paged out"),
    Row(284, "mlock2", mlock.mlock2, "ptr size uint", "as mlock"),
    Row(229, "munlock", mlock.munlock, "ptr size"),
    Row(230, "mlockall", mlock.mlockall, "uint"),
    Row(231, "munlockall", mlock.munlockall, ""),
    Row(194, "shmget", sysv_shm.shmget, "int size int", "no huge pages"),
    Row(195, "shmctl", sysv_shm.shmctl, "int int ptr"),
    Row(196, "shmat", sysv_shm.shmat, "int ptr int"),
    Row(197, "shmdt", sysv_shm.shmdt, "ptr"),
    Row(283, "membarrier", madvise.membarrier, "int uint int"),
    Row(259, "riscv_flush_icache", madvise.riscv_flush_icache, "ptr ptr long"),
    # Processes and threads
    Row(220, "clone", clone.clone, "cloneflags ptr ptr ptr ptr", "processes and threads; no namespaces, no pidfds of threads"),
    Row(435, "clone3", clone.clone3, "ptr size", "as clone; no set_tid, no cgroups"),
    Row(221, "execve", execve.execve, "path argv ptr"),
    Row(281, "execveat", execve.execveat, "dirfd path argv ptr int"),
    Row(93, "exit", clone.exit_thread, "int"),
    Row(94, "exit_group", clone.exit_group, "int"),
    Row(260, "wait4", wait.wait4, "int ptr waitoptions ptr"),
    Row(95, "waitid", wait.waitid, "int int ptr waitoptions ptr"),
    Row(97, "unshare", namespaces.unshare, "cloneflags", "no namespaces (EPERM); in a process with several threads FS and FILES are EINVAL"),
    Row(268, "setns", namespaces.setns, "fd cloneflags", "no namespaces (EPERM)"),
    Row(434, "pidfd_open", pidfd.pidfd_open, "int uint", "no PIDFD_THREAD"),
    Row(424, "pidfd_send_signal", pidfd.pidfd_send_signal, "fd sig ptr uint"),
    Row(438, "pidfd_getfd", pidfd.pidfd_getfd, "fd fd uint"),
    Row(270, "process_vm_readv", process_memory.process_vm_readv, "int ptr size ptr size size"),
    Row(271, "process_vm_writev", process_memory.process_vm_writev, "int ptr size ptr size size"),
    Row(272, "kcmp", process_memory.kcmp, "int int int size size", "3 (no order) for different objects; no KCMP_EPOLL_TFD"),
    Row(172, "getpid", identity.getpid, ""),
    Row(173, "getppid", identity.getppid, ""),
    Row(178, "gettid", identity.gettid, ""),
    Row(154, "setpgid", identity.setpgid, "int int"),
    Row(155, "getpgid", identity.getpgid, "int"),
    Row(156, "getsid", identity.getsid, "int"),
    Row(157, "setsid", identity.setsid, ""),
    Row(96, "set_tid_address", identity.set_tid_address, "ptr"),
    Row(98, "futex", futex.futex, "ptr int uint ptr ptr uint", "all priorities are equal"),
    Row(99, "set_robust_list", identity.set_robust_list, "ptr size"),
    Row(100, "get_robust_list", identity.get_robust_list, "int ptr ptr"),
    Row(261, "prlimit64", rlimits.prlimit64, "int int ptr ptr", "see kernel/base/resource_limits.py for what is enforced"),
    Row(163, "getrlimit", rlimits.getrlimit, "int ptr"),
    Row(164, "setrlimit", rlimits.setrlimit, "int ptr"),
    Row(124, "sched_yield", sched.sched_yield, ""),
    Row(122, "sched_setaffinity", sched.sched_setaffinity, "int size ptr", "one hart"),
    Row(123, "sched_getaffinity", sched.sched_getaffinity, "int size ptr", "one hart"),
    Row(119, "sched_setscheduler", sched.sched_setscheduler, "int int ptr", "OTHER, BATCH and IDLE; stored; does not affect scheduling"),
    Row(120, "sched_getscheduler", sched.sched_getscheduler, "int"),
    Row(118, "sched_setparam", sched.sched_setparam, "int ptr"),
    Row(121, "sched_getparam", sched.sched_getparam, "int ptr"),
    Row(125, "sched_get_priority_max", sched.sched_get_priority_max, "int"),
    Row(126, "sched_get_priority_min", sched.sched_get_priority_min, "int"),
    Row(127, "sched_rr_get_interval", sched_attributes.sched_rr_get_interval, "int ptr", "4 ms"),
    Row(274, "sched_setattr", sched_attributes.sched_setattr, "int ptr uint", "as sched_setscheduler; no SCHED_DEADLINE, no clamps"),
    Row(275, "sched_getattr", sched_attributes.sched_getattr, "int ptr uint uint", "no clamps"),
    Row(140, "setpriority", nice.setpriority, "int int int", "stored; does not affect scheduling"),
    Row(141, "getpriority", nice.getpriority, "int int"),
    Row(168, "getcpu", sched.getcpu, "ptr ptr ptr"),
    # Signals
    Row(129, "kill", signals.kill, "int sig"),
    Row(130, "tkill", signals.tkill, "int sig"),
    Row(131, "tgkill", signals.tgkill, "int int sig"),
    Row(134, "rt_sigaction", signals.rt_sigaction, "sig ptr ptr size"),
    Row(135, "rt_sigprocmask", signals.rt_sigprocmask, "int ptr ptr size"),
    Row(136, "rt_sigpending", signals.rt_sigpending, "ptr size"),
    Row(133, "rt_sigsuspend", signals.rt_sigsuspend, "ptr size"),
    Row(137, "rt_sigtimedwait", signals.rt_sigtimedwait, "ptr ptr ptr size"),
    Row(138, "rt_sigqueueinfo", signals.rt_sigqueueinfo, "int sig ptr"),
    Row(240, "rt_tgsigqueueinfo", signals.rt_tgsigqueueinfo, "int int sig ptr"),
    Row(139, "rt_sigreturn", signals.rt_sigreturn, ""),
    Row(132, "sigaltstack", signals.sigaltstack, "ptr ptr"),
    Row(128, "restart_syscall", signals.restart_syscall, ""),
    # Time
    Row(113, "clock_gettime", time.clock_gettime, "int ptr"),
    Row(114, "clock_getres", time.clock_getres, "int ptr"),
    Row(112, "clock_settime", time.clock_settime, "int ptr", "always EPERM"),
    Row(115, "clock_nanosleep", time.clock_nanosleep, "int int ptr ptr"),
    Row(101, "nanosleep", time.nanosleep, "ptr ptr"),
    Row(169, "gettimeofday", time.gettimeofday, "ptr ptr"),
    Row(170, "settimeofday", time.clock_settime, "ptr ptr", "always EPERM"),
    Row(153, "times", rusage.times, "ptr"),
    Row(165, "getrusage", rusage.getrusage, "int ptr", "CPU time (the kernel's part is an estimate), resident pages, page faults"),
    Row(102, "getitimer", time.getitimer, "int ptr"),
    Row(103, "setitimer", time.setitimer, "int ptr ptr"),
    Row(107, "timer_create", time.timer_create, "int ptr ptr"),
    Row(108, "timer_gettime", time.timer_gettime, "int ptr"),
    Row(109, "timer_getoverrun", time.timer_getoverrun, "int"),
    Row(110, "timer_settime", time.timer_settime, "int int ptr ptr"),
    Row(111, "timer_delete", time.timer_delete, "int"),
    # System and user
    Row(160, "uname", system.uname, "ptr"),
    Row(179, "sysinfo", system.sysinfo, "ptr"),
    Row(278, "getrandom", system.getrandom, "ptr size uint"),
    Row(174, "getuid", user_ids.getuid, ""),
    Row(175, "geteuid", user_ids.geteuid, ""),
    Row(176, "getgid", user_ids.getgid, ""),
    Row(177, "getegid", user_ids.getegid, ""),
    Row(148, "getresuid", user_ids.getresuid, "ptr ptr ptr"),
    Row(150, "getresgid", user_ids.getresgid, "ptr ptr ptr"),
    Row(146, "setuid", user_ids.setuid, "int"),
    Row(144, "setgid", user_ids.setgid, "int"),
    Row(145, "setreuid", user_ids.setreuid, "int int"),
    Row(143, "setregid", user_ids.setregid, "int int"),
    Row(147, "setresuid", user_ids.setresuid, "int int int"),
    Row(149, "setresgid", user_ids.setresgid, "int int int"),
    Row(151, "setfsuid", user_ids.setfsuid, "int", "changes nothing: the effective ID is used"),
    Row(152, "setfsgid", user_ids.setfsgid, "int", "changes nothing: the effective ID is used"),
    Row(158, "getgroups", user_ids.getgroups, "int ptr"),
    Row(159, "setgroups", user_ids.setgroups, "int ptr"),
    Row(90, "capget", user_ids.capget, "ptr ptr", "all for root, none for others"),
    Row(91, "capset", user_ids.capset, "ptr ptr", "changes nothing"),
    Row(92, "personality", system.personality, "uint", "ignored"),
    Row(167, "prctl", prctl.prctl, "int ulong ulong ulong ulong", "names, death signal, subreaper; other options are stored without effect"),
    Row(161, "sethostname", system.sethostname, "ptr size", "always EPERM"),
    Row(162, "setdomainname", system.sethostname, "ptr size", "always EPERM"),
    Row(116, "syslog", system.syslog, "int ptr int", "always EPERM"),
    Row(258, "riscv_hwprobe", system.riscv_hwprobe, "ptr size size ptr uint"),
)
# fmt: on

_PLANS = {row.kinds: _plan(row.kinds.split()) for row in ROWS}

TABLE = {row.number: row for row in ROWS}
"""Rows by system call number."""
