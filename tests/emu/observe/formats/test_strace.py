"""Does ``--trace syscalls`` read like strace?"""

import re
import subprocess
from functools import cache

from emu.observe.formats.strace import CallLines
from tests.emu.commands import machine
from tests.kernel.syscalls.guests import compiled
from toolchain.find import find

GUEST = r"""
static void on(int signo) {}
int main(int argc, char **argv) {
    int pipes[2];
    pipe2(pipes, O_CLOEXEC);
    catch(SIGUSR1, on, 0);
    char text[60];
    mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    mprotect((void *)0x4000, 4096, PROT_NONE);
    write(pipes[1], "a\"b\n\t\0\xff", 7);
    read(pipes[0], text, 60);
    memset(text, 'x', 60);
    write(pipes[1], text, 60);
    write(pipes[1], (void *)8, 5);
    open("/no/such", O_RDWR | O_TRUNC);
    open((char *)8, O_WRONLY);
    syscall(5000, 1, 2);
    raise(SIGUSR1);
    if (argc == 1) {
        if (!fork()) {
            char *words[] = {"name", "one", NULL}, *none[] = {NULL};
            execve("/proc/self/exe", words, none);
        }
        wait(NULL);
        waitpid(-1, NULL, WNOHANG | WUNTRACED);
    }
    syscall(SYS_exit_group, 3 + argc);
}
"""


@cache
def trace() -> list[str]:
    lines: list[str] = []
    watched = machine(deterministic=True)
    assert watched.run([compiled(GUEST)], observers=[CallLines(lines.append)]).status == 4
    return lines


def has(pid: int, text: str) -> bool:
    return f"[pid {pid}] {text}" in trace()


def matches(pid: int, pattern: str) -> bool:
    line = re.compile(rf"\[pid {pid}\] {pattern}")
    return any(line.fullmatch(text) for text in trace())


def test_paths_flags_and_failures() -> None:
    assert has(
        2, 'openat(AT_FDCWD, "/no/such", O_RDWR|O_TRUNC, 0) = -1 ENOENT (No such file or directory)'
    )
    assert has(2, "openat(AT_FDCWD, 0x8, O_WRONLY, 0) = -1 EFAULT (Bad address)")


def test_buffers_are_shown_and_cut() -> None:
    assert has(2, r'write(4, "a\"b\n\t\x00\xff", 7) = 7')
    assert matches(2, r'read\(3, 0x[0-9a-f]+, 60\) = 7 "a\\"b\\n\\t\\x00\\xff"')
    assert has(2, f'write(4, "{"x" * 32}"…, 60) = 60')
    assert has(2, "write(4, 0x8, 5) = -1 EFAULT (Bad address)")


def test_memory_calls_name_their_flags() -> None:
    (line,) = [line for line in trace() if "[pid 2] mmap" in line]
    assert line.startswith(
        "[pid 2] mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0) = 0x"
    )
    assert has(2, "mprotect(0x4000, 4096, PROT_NONE) = -1 ENOMEM (Cannot allocate memory)")


def test_advice_on_memory_has_names() -> None:
    source = r"""
#include <sys/mman.h>
char *at = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
for (int advice = 0; advice < 27; advice++) madvise(at, 4096, advice);
"""
    lines: list[str] = []
    machine().run([compiled(source)], observers=[CallLines(lines.append)])
    shown = [line.split(", ")[2].split(")")[0] for line in lines if "madvise(" in line]
    header = subprocess.run(
        [find().gcc, "-E", "-dM", "-include", "sys/mman.h", "-D_GNU_SOURCE", "-"],
        input="",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = re.findall(r"^#define (MADV_\w+) (\d+)$", header, re.MULTILINE)
    assert len(names) > 15
    assert [shown[int(number)] for _, number in names if int(number) < 26] == [
        name for name, number in names if int(number) < 26
    ]
    assert (shown[25], shown[26]) == ("MADV_COLLAPSE", "26")


def test_a_call_that_is_missing_says_that_it_is_emus_fault() -> None:
    (line,) = [line for line in trace() if "[pid 2] syscall_5000" in line]
    assert line.endswith("= -1 ENOSYS (Function not implemented) (not supported by emu)")


def test_signals_forks_execs_and_ends() -> None:
    at = trace().index("[pid 2] --- SIGUSR1 ---")
    assert "tgkill(2, 2, SIGUSR1) = 0" in trace()[at - 1]
    assert any(line.startswith("[pid 2] forked pid 3: ") for line in trace())
    assert has(3, 'execve("/proc/self/exe", ["name", "one"], ') or any(
        line.startswith('[pid 3] execve("/proc/self/exe", ["name", "one"], ') for line in trace()
    )
    assert any(line.startswith("[pid 2] wait4(-1, NULL, 0, NULL) = 3") for line in trace())


def test_the_call_that_ends_a_process_comes_before_its_end() -> None:
    assert trace()[-2:] == ["[pid 2] exit_group(4) = ?", "[pid 2] +++ exited with 4 +++"]
    ended = [line for line in trace() if line.startswith("[pid 3]")]
    assert ended[-2:] == ["[pid 3] exit_group(5) = ?", "[pid 3] +++ exited with 5 +++"]


def test_one_that_is_killed_in_a_call() -> None:
    lines: list[str] = []
    source = "if (!fork()) for (;;) pause(); nap(5); kill(getpid() + 1, SIGKILL); return 0;"
    machine(deterministic=True).run([compiled(source)], observers=[CallLines(lines.append)])
    at = lines.index("[pid 3] +++ killed by SIGKILL +++")
    assert "[pid 3] ppoll(" in lines[at - 1] and lines[at - 1].endswith(" = ?")


UNTOUCHED = r"""
static const char page[4096] __attribute__((aligned(4096))) = "/no/such";
static const char again[4096] __attribute__((aligned(4096))) = "more";
int main(void) {
    char *words[] = {(char *)page, (char *)again, NULL};
    char *shared = mmap(NULL, 8192, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *private = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *beyond = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, open("/proc/self/exe", O_RDONLY),
                        1 << 30);
    mprotect(private, 4096, PROT_NONE);
    write(-1, again, 4);
    write(-1, shared + 4096, 2);
    write(-1, private, 2);
    write(-1, beyond, 2);
    mprotect(private, 4096, PROT_READ);
    write(-1, private, 2);
    execve(page, words, words + 2);
    return 4;
}
"""


def test_texts_in_pages_that_are_not_in_memory_yet_are_shown() -> None:
    lines: list[str] = []
    watched = machine(deterministic=True).run(
        [compiled(UNTOUCHED)], observers=[CallLines(lines.append)]
    )
    writes = [line.partition("write(-1, ")[2] for line in lines if "write(-1" in line]
    shown = [re.sub(r"0x[0-9a-f]+", "0x…", line.partition(") = ")[0]) for line in writes]
    assert shown == ['"more", 4', r'"\x00\x00", 2', "0x…, 2", "0x…, 2", r'"\x00\x00", 2']
    (line,) = [line for line in lines if "execve(" in line]
    assert re.search(r'execve\("/no/such", \["/no/such", "more"\], .*\) = -1 ENOENT', line)
    unwatched = machine(deterministic=True).run([compiled(UNTOUCHED)])
    assert watched.summary == unwatched.summary, "reading the texts touches no page"


def test_bits_have_names() -> None:
    assert matches(2, r"clone\(CLONE_CHILD_CLEARTID\|CLONE_CHILD_SETTID\|SIGCHLD, NULL, .*\) = 3")
    assert matches(2, r"wait4\(-1, NULL, WNOHANG\|WUNTRACED, NULL\) = -1 ECHILD .*")
