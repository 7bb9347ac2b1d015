"""Cases in which real programs once observed a difference from Linux."""

from __future__ import annotations

from kernel.base.timers import Timers
from tests.kernel.syscalls.guests import output


class StoppedClock:
    """A stopped clock."""

    def monotonic(self) -> int:
        return 0


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers(StoppedClock())
    entries = [timers.at(50 + n, lambda: None) for n in range(100)]
    for _ in range(10_000):
        timers.at(1_000, lambda: None).cancel()
    assert len(timers._heap) < 1_000
    assert timers.next_deadline() == entries[0].deadline


def test_a_clone_that_announces_its_end_otherwise_is_waited_for_only_with_wall() -> None:
    lines = output(r"""
    int status, pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (!pid)
        _exit(3);
    SHOW(waitpid(pid, &status, 0));
    SHOW(waitpid(pid, &status, __WALL) == pid);
    say("%s\n", how(status));
    """)
    assert lines == [
        "waitpid(pid, &status, 0) = ECHILD",
        "waitpid(pid, &status, __WALL) == pid = 1",
        "exited 3",
    ]


def test_a_pipe_opened_by_its_name_in_proc_waits_for_no_writer() -> None:
    lines = output(r"""
    int ends[2];
    char name[40], text[8] = "";
    pipe(ends);
    write(ends[1], "left", 4);
    close(ends[1]);
    sprintf(name, "/proc/self/fd/%d", ends[0]);
    int again = open(name, O_RDONLY);
    SHOW(read(again, text, 8));
    SHOW(read(again, text, 8));
    say("%s\n", text);
    """)
    assert lines == ["read(again, text, 8) = 4", "read(again, text, 8) = 0", "left"]


def test_nice_values_are_kept_and_inherited() -> None:
    lines = output(r"""
    SHOW(nice(5));
    SHOW(nice(2));
    int status, pid = fork();
    if (!pid)
        _exit(getpriority(PRIO_PROCESS, 0));
    waitpid(pid, &status, 0);
    say("child: %s\n", how(status));
    SHOW(getpriority(PRIO_PROCESS, 99999));
    """)
    assert lines == [
        "nice(5) = 5",
        "nice(2) = 7",
        "child: exited 7",
        "getpriority(PRIO_PROCESS, 99999) = ESRCH",
    ]


def test_proc_names_the_program_after_exec_of_proc_self_exe() -> None:
    lines = output(
        r"""
    char path[200] = "", maps[8000], name[16] = "";
    if (argc == 1)
        return execl("/proc/self/exe", "again", "x", (char *)0);
    readlink("/proc/self/exe", path, 199);
    prctl(PR_GET_NAME, name);
    int size = read(open("/proc/self/maps", O_RDONLY), maps, 7999);
    maps[size > 0 ? size : 0] = 0;
    say("%d %d %s\n", !strncmp(path, "/proc", 5), strstr(maps, path) != 0, name);
    """
    )
    assert lines == ["0 1 exe"]


def test_the_link_of_an_open_file_says_that_it_was_removed() -> None:
    lines = output(r"""
    char text[100] = "";
    int file = open("/tmp/gone", O_RDWR | O_CREAT, 0600);
    unlink("/tmp/gone");
    char name[40];
    sprintf(name, "/proc/self/fd/%d", file);
    readlink(name, text, 99);
    say("%s\n", text);
    """)
    assert lines == ["/tmp/gone (deleted)"]


def test_the_cpu_clocks_of_others() -> None:
    lines = output(r"""
    clockid_t clock;
    struct timespec now;
    SHOW(clock_getcpuclockid(getppid(), &clock) == ESRCH);
    SHOW(clock_getcpuclockid(0, &clock));
    SHOW(clock_gettime(clock, &now));
    SHOW(pthread_getcpuclockid(pthread_self(), &clock));
    SHOW(clock_gettime(clock, &now));
    SHOW(clock_gettime(-1, &now));
    """)
    assert lines == [
        "clock_getcpuclockid(getppid(), &clock) == ESRCH = 1",
        "clock_getcpuclockid(0, &clock) = 0",
        "clock_gettime(clock, &now) = 0",
        "pthread_getcpuclockid(pthread_self(), &clock) = 0",
        "clock_gettime(clock, &now) = 0",
        "clock_gettime(-1, &now) = EINVAL",
    ]
