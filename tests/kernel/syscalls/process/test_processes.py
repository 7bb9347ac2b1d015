"""Do groups, sessions and limits of processes behave as in Linux?"""

from pathlib import Path

from emu import Machine
from tests.kernel.syscalls.guests import compiled, output, run, same_as_qemu

# Groups and sessions.


def test_process_groups_and_sessions() -> None:
    same_as_qemu(r"""
    int pipes[2], ready[2];
    pipe(pipes);
    pipe(ready);
    pid_t child = fork();
    if (!child) {
        say("same group %d\n", getpgid(0) == getpgid(getppid()));
        TRY(setsid());
        say("leader %d %d\n", getsid(0) == getpid(), getpgrp() == getpid());
        TRY(setsid());
        TRY(setpgid(0, 0));
        write(ready[1], "x", 1);
        await(pipes[0]);
        _exit(0);
    }
    await(ready[0]);
    TRY(setpgid(child, 0));
    TRY(setpgid(0, 99999));
    TRY(setpgid(99999, 0));
    TRY(setpgid(0, -1));
    TRY(getpgid(99999));
    TRY(getsid(99999));
    say("session %d\n", getsid(child) == child);
    write(pipes[1], "x", 1);
    return 0;
""")


def test_a_child_that_has_execed_can_not_be_moved_to_another_group() -> None:
    assert output(r"""
    if (argc > 1) { write(4, "x", 1); pause(); }
    int ready[2];
    pipe(ready);
    if (ready[1] != 4) return 9;
    pid_t child = fork();
    if (!child) execl("/proc/self/exe", "again", "child", NULL);
    await(ready[0]);
    TRY(setpgid(child, child));
    kill(child, SIGKILL);
    return 0;
""") == ["setpgid(child, child): EACCES"]  # fmt: skip


# Limits.


def test_no_more_processes_than_allowed() -> None:
    assert output(r"""
    int made = 0;
    while (fork() > 0 || (errno != EAGAIN && (pause(), 1)))
        made++;
    say("%d more, then %s\n", made, strerrorname_np(errno));
    kill(0, SIGKILL);
""".replace("kill(0, SIGKILL)", "signal(SIGTERM, SIG_IGN); kill(0, SIGTERM); return 0"),
        max_processes=10) == ["9 more, then EAGAIN"]  # fmt: skip


def test_limits_of_processes() -> None:
    same_as_qemu(r"""
    struct rlimit limit;
    TRY(getrlimit(RLIMIT_NOFILE, &limit));
    TRY(getrlimit(99, &limit));
    limit = (struct rlimit){10, 5};
    TRY(setrlimit(RLIMIT_NOFILE, &limit));
    limit = (struct rlimit){5, 5};
    TRY(setrlimit(RLIMIT_NOFILE, &limit));
    TRY(dup(0));
    TRY(dup(0));
    TRY(dup(0));
    limit = (struct rlimit){3, 5};
    TRY(setrlimit(RLIMIT_CORE, &limit));
    return 0;
""")


def test_out_of_memory_ends_only_the_one_that_asks() -> None:
    result = run(r"""
    int status;
    pid_t hog = fork();
    if (!hog) {
        for (;;) memset(malloc(1 << 20), 1, 1 << 20);
    }
    waitpid(hog, &status, 0);
    say("%s\n", how(status));
    char *mine = malloc(1 << 20);
    memset(mine, 1, 1 << 20);
    say("still here\n");
    return 0;
""", memory=16 << 20)  # fmt: skip
    assert result.stdout == b"killed 9\nstill here\n"
    assert [note.split(":")[0] for note in result.notes] == ["out of memory"]


def test_a_deadlock_is_named() -> None:
    result = run(r"""
    int pipes[2];
    pipe(pipes);
    if (!fork()) { char b; read(pipes[0], &b, 1); _exit(0); }
    if (!fork()) { pause(); _exit(0); }
    if (!fork()) { raise(SIGSTOP); _exit(0); }
    wait(NULL);
    return 0;
""")
    (note,) = result.notes
    lines = note.splitlines()
    assert lines[0] == "every process waits for ever:"
    reasons = sorted(line.split(" waits for ")[1] for line in lines[1:])
    assert len(reasons) == 4 and "a child to end" in reasons and "a signal" in reasons
    assert "a signal to go on (it is stopped)" in reasons and any(
        "pipe" in line for line in reasons
    )
    assert result.status == 1


def test_the_timer_of_a_process_that_has_ended_delays_no_process() -> None:
    """On the host's clock there would be no deadlock before the alarm."""
    result = run(r"""
    int pipes[2];
    pipe(pipes);
    if (!fork()) { alarm(1000); _exit(0); }
    wait(NULL);
    char b;
    read(pipes[0], &b, 1);
    return 0;
""", deterministic=False, timeout=15)  # fmt: skip
    assert result.notes[0].splitlines()[0] == "every process waits for ever:"
    assert result.status == 1


def test_a_program_that_is_its_own_interpreter_gets_the_scripts_words(tmp_path: Path) -> None:
    program = compiled('for (int i = 0; i < argc; i++) say("[%s]", argv[i]); say("\\n"); return 0;')
    script = tmp_path / "script"
    script.write_text(f"#! {program}  one  option \nbody\n")
    script.chmod(0o755)
    outer = tmp_path / "outer"
    outer.write_text(f"#!{script}\n")
    outer.chmod(0o755)

    got = Machine(cwd=str(tmp_path), read_write=[(str(program.parent), str(program.parent))]).run(
        [str(script), "a", "b"]
    )
    assert got.stdout.decode() == f"[{program}][one  option][{script}][a][b]\n"
    got = Machine(cwd=str(tmp_path), read_write=[(str(program.parent), str(program.parent))]).run(
        [str(outer), "a"]
    )
    assert got.stdout.decode() == f"[{program}][one  option][{script}][{outer}][a]\n"
