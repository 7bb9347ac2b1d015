"""Are the output, messages and exit status of ``emu run`` correct?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.emu.commands import EMU, RUN, SECONDS, emu, emu_anew, environment, program, ran
from toolchain.variant import Variant

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 7; }\n'


def hello(variant: Variant = Variant.STATIC) -> Path:
    return program("hello", HELLO, variant)


def test_is_the_exit_status_the_guests() -> None:
    assert emu("run", hello()).status == 7


@pytest.mark.parametrize("signo", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGTERM])
def test_is_it_128_and_the_signal_that_killed_it(signo: signal.Signals) -> None:
    text = "#include <signal.h>\n#include <stdlib.h>\n"
    text += "int main(int c, char **v) { raise(atoi(v[1])); for (;;) ; }\n"
    assert emu("run", program("raise", text), str(int(signo))).status == 128 + signo


def test_does_it_say_what_a_program_died_of() -> None:
    text = "int main(void) { *(volatile int *)(long)8 = 1; }\n"
    outcome = emu("run", program("null", text))
    assert outcome.status == 128 + signal.SIGSEGV
    assert "store to 0x8" in outcome.messages[0] and "nothing is mapped" in outcome.messages[0]


def test_are_stdin_and_arguments_the_users() -> None:
    text = (
        "#include <stdio.h>\nint main(int c, char **v) { char b[99]; fgets(b, 99, stdin);\n"
        'for (int i = 1; i < c; i++) printf("%s|", v[i]); fputs(b, stdout);'
        'fputs("oops", stderr); }\n'
    )
    outcome = emu("run", program("echo", text), "--summary", "-x", "a b", stdin="line\n")
    assert outcome.stdout == "--summary|-x|a b|line\n"
    assert outcome.stderr == "oops"


def test_does_a_dynamic_program_find_the_toolchains_libraries() -> None:
    outcome = emu("run", hello(Variant.DYNAMIC))
    assert (outcome.status, outcome.stdout) == (7, "hello\n")


def test_does_the_summary_have_the_promised_keys() -> None:
    summary = emu("run", "--summary=json", hello()).summary
    assert {
        "processes",
        "forks",
        "faults",
        "frames_copied",
        "frames_reused",
        "frames_allocated",
        "frames_peak",
        "frames_leaked",
        "eager_frames_copied",
    } <= set(summary)


def test_the_summary_says_which_pages_of_the_host_the_used_memory_has() -> None:
    text = "#include <stdlib.h>\n#include <string.h>\n"
    text += "int main(void) { memset(malloc(24 << 20), 1, 24 << 20); return 0; }\n"
    summary = emu("run", "--mem", "256M", "--summary=json", program("fill", text)).summary
    host = summary["host_memory"]
    assert set(host) == {"huge_pages", "small_pages", "huge_ns", "small_ns"}
    used = host["huge_pages"] + host["small_pages"]
    assert 4096 * summary["frames_peak"] <= used <= 4096 * summary["frames_peak"] + (4 << 20)
    assert summary["processes"] == 1 and summary["forks"] == 0
    assert summary["frames_leaked"] == 0
    assert all(isinstance(count, int) for count in summary["faults"].values())


def test_is_the_text_summary_readable_on_80_columns() -> None:
    lines = emu("run", "--summary", hello()).stderr.splitlines()
    assert len(lines) > 4
    assert max(map(len, lines)) <= 80


BAD_FILES = {
    "missing": (None, 127, "No such file"),
    "text": (b"hello\n", 126, "not an ELF file"),
    "empty": (b"", 126, "not an ELF file"),
    "truncated": (b"\x7fELF\x02\x01\x01", 126, "not an ELF file"),
    "script": (b"#!/no/such/interpreter\n", 127, "its interpreter /no/such/interpreter: No such"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_is_a_bad_program_one_clear_line(tmp_path: Path, name: str) -> None:
    content, status, reason = BAD_FILES[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o755)
    outcome = emu("run", path)
    assert outcome.status == status
    assert outcome.stderr.startswith("emu: ") and reason in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_is_a_program_without_a_name_missing() -> None:
    outcome = emu("run", "")
    assert outcome.status == 127 and "No such file" in outcome.stderr


def test_does_a_failed_allocation_end_the_process_that_asked_and_no_other() -> None:
    text = """
        #include <stdio.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/wait.h>
        #include <unistd.h>
        int main(void) {
            char *many = mmap(0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (!fork()) { memset(many, 1, 1 << 20); _exit(0); }
            int status;
            wait(&status);
            printf("%d\\n", status);
        }
    """
    outcome = emu("run", "--fail-alloc", "200", program("greedy_child", text))
    assert (outcome.status, outcome.stdout) == (0, "9\n"), outcome.stderr
    assert outcome.messages == [
        "emu: out of memory: pid 3 (greedy_child) is killed; allocation 200 was made to fail"
    ]


def test_is_a_failed_allocation_reported_when_the_program_does_not_get_that_far() -> None:
    outcome = emu("run", "--fail-alloc", "1", hello())
    assert outcome.status == 2 and "allocation 1 was made to fail" in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_is_an_allocation_reported_that_never_happened() -> None:
    outcome = emu("run", "--fail-alloc", "9999", hello())
    assert (outcome.status, outcome.stdout) == (7, "hello\n")
    assert outcome.messages[0].startswith("emu: allocation 9999 was not made to fail: there were")


def test_is_a_program_of_another_architecture_named() -> None:
    outcome = emu("run", "/bin/sh")
    assert outcome.status == 126 and "another architecture" in outcome.stderr


def test_is_a_program_that_may_not_be_executed_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    path.write_bytes(hello().read_bytes())
    path.chmod(0o644)
    outcome = emu("run", path)
    assert outcome.status == 126
    assert "Permission denied" in outcome.stderr and "chmod +x" in outcome.stderr


@pytest.mark.parametrize("command", ["run", "cow", "trace", "compare", "why"])
def test_is_a_file_that_is_not_a_program_reported_as_such(command: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>a page</p>\n")
    outcome = emu(command, *(["--at", "main"] if command == "why" else []), page)
    assert outcome.status == 126
    assert outcome.stderr == (
        f"emu: {page}: not an ELF file (expected a 64-bit RISC-V Linux program)\n"
    )


def test_is_a_directory_reported_as_such(tmp_path: Path) -> None:
    outcome = emu("run", tmp_path)
    assert outcome.status == 126
    assert outcome.messages[0].startswith(f"emu: {tmp_path}: Is a directory (expected ")


@pytest.mark.parametrize("name", ["/dev/null", "pipe"])
def test_is_a_device_or_a_pipe_refused_as_by_linux(tmp_path: Path, name: str) -> None:
    """The file is not opened: opening a pipe would block."""
    path = tmp_path / name
    if name == "pipe":
        os.mkfifo(path)
    outcome = emu("run", path)
    assert outcome.status == 126
    assert outcome.stderr == f"emu: {path}: Permission denied\n"


@pytest.mark.parametrize("name", ["/proc/self/exe", "/proc/thread-self/exe", "/dev/fd/0"])
def test_is_there_no_program_that_only_a_process_could_name(name: str) -> None:
    outcome = emu("run", name)
    assert (outcome.status, outcome.stderr) == (127, f"emu: {name}: No such file or directory\n")
    inside = emu("run", "--cwd", "/proc/self", hello())
    assert (inside.status, inside.stderr) == (2, "emu: /proc/self: No such file or directory\n")


@pytest.mark.parametrize("words", [("run",), ("cow",), ("lab", "check")])
def test_does_an_unknown_option_show_the_usage_of_its_own_command(words: tuple[str, ...]) -> None:
    outcome = emu(*words, "--bogus", "x")
    assert outcome.status == 2
    assert outcome.stderr.startswith(f"usage: emu {' '.join(words)} ")
    assert "unrecognized arguments: --bogus" in outcome.stderr


@pytest.mark.parametrize("kib", [30_000, 300_000, 1_300_000, 2_000_000, 2_300_000])
def test_is_too_little_address_space_one_clear_line(kib: int) -> None:
    bounded = ["bash", "-c", f'ulimit -v {kib}; exec "$@"', "-", *EMU, "run"]
    outcome = ran([*bounded, str(hello())], environment=environment())
    assert outcome.status == 2
    assert outcome.stderr.startswith("emu: ") and outcome.stderr.count("\n") == 1


def test_does_a_run_start_where_the_current_directory_was_deleted(tmp_path: Path) -> None:
    removed = tmp_path / "gone"
    words = [
        "bash",
        "-c",
        f'mkdir {removed}; cd {removed}; rmdir {removed}; exec "$@"',
        "-",
        *EMU,
        "run",
    ]
    nowhere = ran([*words, str(hello())], environment=environment())
    assert nowhere.status == 2
    assert nowhere.stderr == "emu: current directory: No such file or directory (it was removed)\n"
    page = ["report", "--cwd", str(tmp_path), "--source", ".", "-o", "page.html", str(hello())]
    report = ran([*words[:-1], *page], environment=environment())
    assert (report.status, report.stderr.splitlines()[-1:]) == (2, nowhere.stderr.splitlines())
    elsewhere = ran([*words, "--cwd", str(tmp_path), str(hello())], environment=environment())
    assert (elsewhere.status, elsewhere.stdout) == (7, "hello\n")


@pytest.mark.parametrize(
    "words",
    [
        ["--mem", "much"],
        ["--mem", "0"],
        ["--thp", "sometimes"],
        ["--thp-cow", "all"],
        ["--hugetlb", "-1"],
        ["--hugetlb", "512"],
        ["--hugetlb", "1", "--lab", "."],
        ["--timeout", "-1"],
        ["--timeout", "soon"],
        ["--max-procs", "none"],
        ["--fork-policy", "lazy"],
        ["--trace", "everything"],
        ["--summary=xml"],
        ["--root", "/no/such/folder"],
        ["--rw", "/no/such/folder"],
        ["--root", ""],
        ["--cwd", ""],
        ["--ro", ""],
        ["--rw", ":/work"],
        ["--trace-file", "/no/such/folder/trace"],
        ["--no-such-option"],
    ],
)
def test_is_a_wrong_option_status_2_without_a_traceback(words: list[str]) -> None:
    outcome = emu("run", *words, hello())
    assert outcome.status == 2
    assert "Traceback" not in outcome.stderr and "emu" in outcome.stderr


def test_is_a_pool_of_no_huge_pages_accepted() -> None:
    assert emu("run", "--hugetlb", "0", hello()).stdout == "hello\n"


def test_does_the_guest_get_only_the_environment_it_was_given() -> None:
    text = "extern char **environ;\n#include <stdio.h>\n"
    text += "int main(void) { for (char **e = environ; *e; e++) puts(*e); }\n"
    os.environ["SECRET_OF_THE_HOST"] = "x"
    try:
        lines = emu("run", "--env", "COLOUR=red", program("env", text)).stdout.splitlines()
        passed = emu("run", "--env", "SECRET_OF_THE_HOST", program("env", text)).stdout
    finally:
        del os.environ["SECRET_OF_THE_HOST"]
    assert "COLOUR=red" in lines
    assert not any("SECRET" in line for line in lines)
    assert "SECRET_OF_THE_HOST=x" in passed


WRITE = """
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(int c, char **v) {
    int fd = open(v[1], O_CREAT | O_WRONLY, 0644);
    if (fd < 0) return errno;
    return write(fd, "data", 4) != 4;
}
"""
EROFS = 30


def test_is_a_write_refused_where_none_was_granted(tmp_path: Path) -> None:
    outcome = emu("run", program("write", WRITE), "out", cwd=tmp_path)
    assert outcome.status == EROFS
    assert not (tmp_path / "out").exists()
    assert "--rw" in outcome.messages[-1] and "out" in outcome.messages[-1]


def test_does_rw_let_it_write(tmp_path: Path) -> None:
    assert emu("run", "--rw", tmp_path, program("write", WRITE), tmp_path / "out").status == 0
    assert (tmp_path / "out").read_text() == "data"


def test_does_ro_grant_reads_but_not_writes(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("here")
    text = "#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\nint main(void) {"
    text += 'char b[9] = ""; read(open("/given/page", O_RDONLY), b, 8); puts(b);'
    text += 'return open("/given/page", O_WRONLY) < 0 && open("/given/new", O_CREAT, 0666) < 0; }\n'
    outcome = emu("run", "--ro", f"{tmp_path}:/given", program("given", text))
    assert (outcome.status, outcome.stdout) == (1, "here\n")
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_does_cwd_say_where_the_guest_starts(tmp_path: Path) -> None:
    text = "#include <stdio.h>\n#include <unistd.h>\n"
    text += 'int main(void) { char b[999]; puts(getcwd(b, 999)); return access("mark", R_OK); }\n'
    (tmp_path / "mark").touch()
    outcome = emu("run", "--cwd", tmp_path, program("pwd", text))
    assert (outcome.status, outcome.stdout) == (0, f"{tmp_path}\n")


FOR_EVER = "int main(void) { for (volatile long i = 0;; i++) ; }\n"
READS = "#include <unistd.h>\nint main(void) { char c; read(0, &c, 1); return 5; }\n"
SLEEPS = "#include <unistd.h>\nint main(void) { sleep(1000); }\n"


@pytest.mark.parametrize("text", [FOR_EVER, SLEEPS])
def test_does_the_time_limit_end_it(text: str) -> None:
    outcome = emu("run", "--timeout", "0.5", program(f"limit{len(text)}", text))
    assert outcome.status == 124 and "time limit" in outcome.messages[0]


@pytest.mark.parametrize("text", [FOR_EVER, READS, SLEEPS])
def test_does_ctrl_c_end_it_with_status_130(text: str) -> None:
    guest = program(f"limit{len(text)}", text)
    process = subprocess.Popen(
        [*RUN, "--trace", "syscalls", str(guest)],
        env=environment(),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline()  # the guest runs
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_does_a_closed_pipe_end_it_as_it_ends_other_programs() -> None:
    text = '#include <stdio.h>\nint main(void) { for (;;) puts("y"); }\n'
    process = subprocess.Popen(
        [*RUN, str(program("yes", text))],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(timeout=SECONDS) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""


def test_is_a_run_that_waits_for_ever_ended_with_a_reason() -> None:
    text = """
    #include <unistd.h>
    int main(void) { int p[2]; pipe(p); fork(); char c; return read(p[0], &c, 1); }
    """
    outcome = emu("run", program("deadlock", text))
    assert outcome.status == 1
    assert "waits for ever" in outcome.messages[0]
    assert [line for line in outcome.stderr.splitlines() if "pid 2" in line and "pipe" in line]
    assert [line for line in outcome.stderr.splitlines() if "pid 3" in line and "pipe" in line]


def test_is_the_number_of_processes_bounded() -> None:
    text = """
    #include <errno.h>
    #include <unistd.h>
    int main(void) { int n = 0; while (n < 50) { int p = fork(); if (p < 0) break;
        if (!p) { pause(); _exit(0); } n++; }
        int e = errno; kill(0, 9); return e == EAGAIN ? n : 99; }
    """
    text = "#include <signal.h>\n" + text.replace(
        "kill(0, 9); return", "signal(15, SIG_IGN); kill(0, 15); return"
    )
    assert emu("run", "--max-procs", "5", program("bomb", text)).status == 4


def test_is_a_machine_too_small_one_clear_line() -> None:
    text = "#include <stdlib.h>\n"
    text += "int main(void) { for (int i = 0; i < 64; i++) { volatile char *p = malloc(1 << 20);"
    text += "for (int at = 0; at < 1 << 20; at += 4096) p[at] = 1; } return 0; }\n"
    outcome = emu("run", "--mem", "8M", "--summary=json", program("greedy", text))
    assert outcome.status == 128 + signal.SIGKILL
    assert "out of memory" in outcome.messages[0]
    assert outcome.summary["frames_leaked"] == 0


SPIN = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static volatile int rang;
static void ring(int signo) { rang = 1; }
int main(void) {
    volatile int *flag = mmap(0, 4096, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!fork()) { for (volatile long i = 0; i < 3000000; i++) ; *flag = 1; _exit(0); }
    long spins = 0, more = 0;
    while (!*flag) spins++;
    wait(0);
    signal(SIGALRM, ring);
    ualarm(50000, 0);
    while (!rang) more++;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    unsigned char bytes[8];
    FILE *random = fopen("/dev/urandom", "r");
    fread(bytes, 1, 8, random);
    printf("%ld %ld %ld.%09ld %p", spins, more, now.tv_sec, now.tv_nsec, malloc(9));
    for (int i = 0; i < 8; i++) printf(" %02x", bytes[i]);
}
"""


def test_are_two_deterministic_runs_alike() -> None:
    words = ("run", "--deterministic", "--trace", "faults", "--trace", "syscalls")
    first, second = (emu_anew(*words, program("spin", SPIN)) for _ in range(2))
    assert first.status == 0
    assert first == second
    assert first.stderr.count("\n") > 60


def test_does_the_trace_never_mix_with_the_guests_output(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    outcome = emu("run", "--trace", "faults", "--trace-file", trace, hello())
    assert (outcome.stdout, outcome.stderr) == ("hello\n", "")
    assert all(line.startswith("[pid 2] ") for line in trace.read_text().splitlines())


def test_is_memory_of_the_host_taken_only_as_it_is_used() -> None:
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    sizes = []
    for memory in ("64M", "16G"):
        done = subprocess.run(
            [EMU[0], "-c", code, *RUN, "--mem", memory, str(hello())],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        sizes.append(int(done.stdout.split()[-1]))
    assert sizes[1] < sizes[0] + (64 << 10), f"KiB resident with 64M and with 16G: {sizes}"


@pytest.mark.parametrize("seen_from", ["above", "inside", "aside", "/tmp", "/"])
def test_a_program_below_a_link_runs_wherever_the_user_is(tmp_path: Path, seen_from: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "aside").mkdir()
    shutil.copy(hello(), tmp_path / "real" / "hello")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "relative").symlink_to("real")
    folders = {"above": tmp_path, "inside": tmp_path / "link", "aside": tmp_path / "aside"}
    for link in ("link", "relative"):
        ran = emu("run", tmp_path / link / "hello", cwd=folders.get(seen_from, Path(seen_from)))
        assert (ran.status, ran.stdout, ran.stderr) == (7, "hello\n", "")


def test_may_a_programs_name_be_no_unicode(tmp_path: Path) -> None:
    guest = program(
        "tells_its_name",
        "#include <stdio.h>\n#include <sys/prctl.h>\nchar name[16];\n"
        "int main(void) { prctl(PR_GET_NAME, name); fputs(name, stdout); }",
    )
    odd = os.fsencode(tmp_path) + b"/\xff\xe9x"
    shutil.copy(os.fsencode(guest), odd)
    done = subprocess.run(
        [*RUN, odd], env=environment(), capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\xff\xe9x", b"")
