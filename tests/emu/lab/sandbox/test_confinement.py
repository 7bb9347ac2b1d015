"""Each attack on the sandbox, from a process that has confined itself.

An attack must do no harm where it succeeds: these tests also run when the sandbox has a hole, and
may run as root. So what is attacked is a folder and a process made for it, signals to others are
0, and what grows has an end.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from emu.lab.sandbox import seccomp
from kernel.syscalls.table import ROWS
from tests.emu.lab.children import FLAGS, MEGABYTE, START, confined, python

LINUX = sys.platform == "linux" and platform.machine() in seccomp.ARCHITECTURES
pytestmark = pytest.mark.skipif(not LINUX, reason="needs seccomp")
X86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="is about x86-64")

IMPORTS = """\
import array, ctypes, fcntl, gc, mmap, os, resource, select, shutil, signal, socket, subprocess
import threading, time
libc = ctypes.CDLL(None, use_errno=True)
pid, parent = os.getpid(), os.getppid()
def call(name, *arguments):
    ctypes.set_errno(0)
    answer = libc[name](*[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
def syscall(*arguments):
    return call("syscall", *arguments)
"""


def refused(attack: str, before: str = "") -> None:
    """The attack raises PermissionError at its own line, and the process continues."""
    code = f"""
try:
    {attack}
except PermissionError as error:
    print("refused", error.__traceback__.tb_lineno)
else:
    print("done")
"""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(["sleep", "60"], start_new_session=True) as victim,
    ):
        file = Path(folder, "file")
        file.write_text("kept")
        given = f"file, victim = {str(file)!r}, {victim.pid}\n"
        try:
            outcome = confined(code, IMPORTS + given + before)
        finally:
            victim.kill()
        assert file.read_text() == "kept"
        assert os.listdir(folder) == ["file"]
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("refused"), outcome.stdout


def test_what_holds_is_said() -> None:
    outcome = confined("print(HELD)")
    assert outcome.stdout == "Confinement(level=<Level.FULL: 'full'>, reason='')\n"


@pytest.mark.parametrize(
    "attack",
    [
        "open('/etc/passwd')",
        "open(file, 'w')",
        "open('/proc/self/mem', 'r+b')",
        "os.open(f'/proc/{victim}/mem', os.O_RDWR)",
        "os.listdir('/')",
        "os.stat('/etc/passwd')",
        "os.readlink('/proc/self/exe')",
        "os.getcwd()",
        "os.chdir('/')",
        "os.unlink(file)",
        "os.mkdir(file + '.made')",
        "os.rename(file, file + '.new')",
        "os.chmod(file, 0o600)",
        "os.mkfifo(file + '.fifo')",
        "os.truncate(file, 0)",
        "os.memfd_create('memory')",
        "os.pipe()",
        "os.dup(1)",
        "os.eventfd(0)",
        "os.pidfd_open(victim)",
        "os.sendfile(1, 0, None, 1)",
        "os.splice(0, 1, 1)",
        "fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)",
        "fcntl.ioctl(0, 0x5412, b'x')",  # TIOCSTI types into a terminal
        "select.epoll()",
    ],
)
def test_no_file_and_no_descriptor(attack: str) -> None:
    refused(attack)


@pytest.mark.parametrize(
    "attack",
    [
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
        "os.system('true') < 0 or syscall(-1)",
        "subprocess.run(['/bin/true'])",
        "call('vfork')",
    ],
)
def test_no_process_and_no_program(attack: str) -> None:
    refused(attack)


def test_no_thread() -> None:
    outcome = confined("threading.Thread(target=print).start()", IMPORTS)
    assert outcome.status == 1
    assert "RuntimeError: can't start new thread" in outcome.stderr


@pytest.mark.parametrize("attack", ["socket.socket()", "socket.socketpair()"])
def test_no_network(attack: str) -> None:
    refused(attack)


@pytest.mark.parametrize(
    "attack",
    [
        "os.kill(victim, 0)",
        "os.kill(parent, 0)",
        "os.killpg(victim, 0)",
        "call('tgkill', victim, victim, 0)",
        "call('ptrace', 16, victim, 0, 0)",  # PTRACE_ATTACH
        "call('process_vm_readv', victim, 0, 0, 0, 0, 0)",
        "call('process_vm_writev', victim, 0, 0, 0, 0, 0)",
        "os.setpriority(os.PRIO_PROCESS, victim, 19)",
        "os.sched_setaffinity(victim, {0})",
        "resource.prlimit(victim, resource.RLIMIT_CPU, (9, 9))",
    ],
)
def test_no_other_process_is_reached(attack: str) -> None:
    refused(attack)


@pytest.mark.parametrize(
    "attack",
    [
        "call('setrlimit', resource.RLIMIT_AS, b'\\xff' * 16)",
        "call('prctl', 1, 0, 0, 0, 0)",  # PR_SET_PDEATHSIG
        "call('prctl', 4, 1, 0, 0, 0)",  # PR_SET_DUMPABLE
        "call('prctl', 22, 1, 0, 0, 0)",  # PR_SET_SECCOMP
        "call('unshare', 0x10000000)",
        "call('personality', 0x0400000)",  # READ_IMPLIES_EXEC
        "os.setuid(0)",
        "os.setsid()",
        "call('mount', 0, 0, 0, 0, 0)",
        "call('setitimer', 0, b'\\1' * 32, 0)",
        "signal.pidfd_send_signal(1, 0)",
    ],
)
def test_nothing_of_it_is_undone(attack: str) -> None:
    refused(attack)


NUMBERS = {"seccomp": 317, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425, "clone3": 435,
           "clone": 56, "execveat": 322, "openat2": 437, "keyctl": 250, "modify_ldt": 154,
           "perf_event_open": 298, "getppid": 110, "unknown": 5000}  # fmt: skip


@X86_64
@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_no_call_by_its_number(number: int) -> None:
    refused(f"syscall({number}, 0, 0, 0, 0, 0, 0)")


@X86_64
@pytest.mark.parametrize("call", ["read", "write", "getpid", "munmap"])
def test_no_call_by_its_number_in_the_x32_abi(call: str) -> None:
    number = seccomp.ARCHITECTURES["x86_64"].calls[call]
    refused(f"syscall({0x4000_0000 | number}, 0, 0, 0)")


@X86_64
def test_a_32_bit_call_kills() -> None:
    """mov $20, %eax; int $0x80; ret: getpid of the i386 ABI."""
    before = """
code = mmap.mmap(-1, 4096, prot=7)
code.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
getpid = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
print(getpid() in (pid, -38), flush=True)
"""
    outcome = confined("getpid()", IMPORTS + before)
    assert outcome.status == -signal.SIGSYS


@pytest.mark.parametrize(
    "attack",
    [
        "mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)",
        "mmap.mmap(-1, 4096)",  # shared
        "mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)",  # huge
        "call('mmap', 0, 4096, 1, mmap.MAP_PRIVATE, opened, 0)",
        "call('mprotect', memory, 4096, 7)",
        "call('pkey_mprotect', memory, 4096, 1, 0)",
        "call('madvise', memory, 4096, 21)",  # MADV_PAGEOUT; MADV_HWPOISON would do harm
        "call('madvise', memory, 4096, 12)",  # MADV_MERGEABLE
        "call('mlock', memory, 4096)",
    ],
)
def test_no_code_no_file_and_no_frame_of_the_host_as_memory(attack: str) -> None:
    before = """
libc.mmap.restype = libc.valloc.restype = ctypes.c_ssize_t
memory = ctypes.c_void_p(libc.valloc(4096))
opened = os.open(sys.executable, os.O_RDONLY)
"""
    refused(attack, before)


def test_private_memory_is_had() -> None:
    code = """
memory = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory[5] = 7
memory.madvise(mmap.MADV_DONTNEED)
print(memory[5])
"""
    assert confined(code, IMPORTS).stdout == "0\n"


@X86_64
@pytest.mark.parametrize("operation", [3, 5, 6, 11, 12, 13, 3 | 128])
def test_a_futex_is_waited_for_and_woken_and_no_more(operation: int) -> None:
    refused(f"syscall(202, ctypes.byref(ctypes.c_int()), {operation}, 0, 0, 0, 0)")


def test_memory_is_bounded() -> None:
    code = """
held = []
try:
    while len(held) < 100:
        held.append(bytearray(10 << 20))
except MemoryError:
    count = len(held)
    del held
print(count)
try:
    bytes(1 << 40)
except MemoryError:
    print("nor at once")
"""
    outcome = confined(code, memory=256 * MEGABYTE)
    count, at_once = outcome.stdout.splitlines()
    assert 10 <= int(count) < 26
    assert at_once == "nor at once"


def test_small_objects_are_bounded_too() -> None:
    outcome = confined("held = [[] for _ in range(10**7)]\nprint('had')", memory=128 * MEGABYTE)
    assert outcome.status == 1 and "MemoryError" in outcome.stderr


def test_processor_time_is_bounded() -> None:
    assert confined("while True: pass", seconds=1).status == -signal.SIGXCPU


def test_processor_time_is_bounded_for_code_that_ignores_the_signal() -> None:
    before = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)"
    assert confined("while True: pass", before, seconds=1).status == -signal.SIGKILL


def test_processor_time_is_bounded_within_one_instruction_of_python() -> None:
    assert confined("10 ** 10 ** 9", seconds=1).status == -signal.SIGXCPU


def test_recursion_is_an_error() -> None:
    outcome = confined("def f(): f()\ntry: f()\nexcept RecursionError: print('too deep')")
    assert outcome.stdout == "too deep\n"


def test_recursion_without_bound_ends_the_process_alone() -> None:
    code = "sys.setrecursionlimit(1 << 30)\nx = []\nfor _ in range(10**7): x = [x]\nrepr(x)"
    assert confined(code).status != 0


def test_a_regular_file_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "given"
    before = IMPORTS + f"given = os.open({str(path)!r}, os.O_CREAT | os.O_WRONLY)"
    code = "try: os.write(given, b'x')\nexcept OSError as error: print(error.strerror)"
    assert confined(code, before).stdout == "File too large\n"
    assert path.read_bytes() == b""


def test_only_the_given_descriptors_stay_open() -> None:
    code = """
for descriptor in range(3, 100):
    try:
        os.lseek(descriptor, 0, os.SEEK_CUR)
    except OSError:
        continue
    print(descriptor)
"""
    before = IMPORTS + "opened = [os.open('/', 0) for _ in range(5)]\n"
    assert confined(code, before + "confinement.close_others([0, 1, 2, 5])").stdout == "5\n"


def test_it_signals_itself() -> None:
    outcome = confined("signal.signal(15, print)\nsignal.raise_signal(15)", IMPORTS)
    assert outcome.status == 0 and outcome.stdout.startswith("15 <frame")
    assert confined("os.abort()", IMPORTS).status == -signal.SIGABRT


def test_its_other_threads_are_confined_with_it() -> None:
    before = """
go = threading.Event()
def attack():
    go.wait()
    try:
        open("/etc/passwd")
    except PermissionError:
        print("refused")
thread = threading.Thread(target=attack)
thread.start()
"""
    assert confined("go.set()\nthread.join()", IMPORTS + before).stdout == "refused\n"


def test_it_dies_with_the_grader(tmp_path: Path) -> None:
    child = START + "confinement.confine(1 << 29, 60)\nprint('ready', flush=True)\nsys.stdin.read()"
    grader = f"""
import subprocess, sys, time
command = [sys.executable, *{FLAGS}, "-c", {child!r}]
kept = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
kept.stdout.readline()
print(kept.pid, flush=True)
time.sleep(60)
"""
    reading, writing = os.pipe()  # the grader's end of stdin, held open here: no end of file
    with subprocess.Popen(
        [sys.executable, "-c", grader.replace("stdin=subprocess.PIPE", f"stdin={reading}")],
        stdout=subprocess.PIPE,
        pass_fds=[reading],
    ) as started:
        assert started.stdout is not None
        pid = int(started.stdout.readline())
        started.kill()
    os.close(reading)
    deadline = time.monotonic() + 120
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(pid)
    os.close(writing)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def test_it_ends_when_the_grader_has_gone_already() -> None:
    outcome = python("print('starts', flush=True)\nconfinement.confine(1 << 29, 9, parent=1 << 22)")
    assert (outcome.status, outcome.stdout) == (-signal.SIGKILL, "starts\n")


def test_without_a_filter_the_limits_hold_and_it_is_said() -> None:
    before = "from emu.lab.sandbox import seccomp\nseccomp.ARCHITECTURES.clear()"
    code = """
print(HELD.level.name, HELD.reason, sep=": ")
try: open("/etc/passwd")
except OSError as error: print(error.strerror)
"""
    output, opening = confined(code, before).stdout.splitlines()
    assert output.startswith("LIMITS_ONLY: no seccomp filter for ")
    assert opening == "Too many open files"


def test_a_filter_that_is_refused_is_said() -> None:
    before = "from emu.lab.sandbox import seccomp\nseccomp.program = lambda *_: b'\\xff' * 8"
    output = confined("print(HELD.level.name, HELD.reason, sep=': ')", before).stdout
    assert output == "LIMITS_ONLY: the seccomp filter was refused: Invalid argument\n"


def test_a_filter_that_does_not_hold_is_said() -> None:
    allow = "__import__('struct').pack('=HBBI', 6, 0, 0, 0x7FFF0000)"
    before = f"from emu.lab.sandbox import seccomp\nseccomp.program = lambda *_: {allow}"
    output = confined("print(HELD.level.name, HELD.reason, sep=': ')", before).stdout
    assert output == "LIMITS_ONLY: the seccomp filter was accepted, but has no effect\n"


NORMAL = r"""
import contextlib, dataclasses, enum, gc, heapq, itertools, string, time, typing
imports.restrict_imports()
HELD = confinement.confine(512 << 20, 20)
STUDENT = '''
from __future__ import annotations
import dataclasses, enum, functools
from collections import OrderedDict, deque, namedtuple
from typing import Protocol, runtime_checkable

assert pow(3, 100_000) % 1000 == 1 and len(str(7 ** 4000)) == 3381

@dataclasses.dataclass(order=True, slots=True)
class Page:
    number: int
    held: list[int] = dataclasses.field(default_factory=list)

class Kind(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()

@runtime_checkable
class Sized(Protocol):
    def __len__(self) -> int: ...

assert Page(1) < Page(2) and Kind.READ | Kind.WRITE and isinstance([], Sized)
assert namedtuple("Point", "x y")(1, 2).y == 2 and repr(Page(1)) == "Page(number=1, held=[])"

@functools.singledispatch
def name(x: object) -> str: return "object"
@name.register
def _(x: int) -> str: return "int"
assert name(1) == "int"

def generate():
    try:
        while True: yield 1
    finally:
        done.append("closed")
done: list[str] = []
for _ in generate():
    break
for number in range(1000):
    try:
        {}[number]
    except KeyError as error:
        error.__traceback__ = None

class Cycle: pass
for _ in range(100_000):
    cycle = Cycle(); cycle.me = cycle
hundred_megabytes = [[0] * 131_072 for _ in range(100)]
del hundred_megabytes
"\\N{BULLET} é".encode("utf-16").decode("utf-16"); "é".encode("latin-1")
'''
module = type(sys)("cow_fork")
sys.modules["cow_fork"] = module
exec(compile(STUDENT, "cow_fork.py", "exec"), vars(module))
print(module.done, gc.collect() >= 0, flush=True)
time.sleep(0.01)
for line in sys.stdin:
    print(line.strip().upper(), flush=True)
1 / 0
"""


def test_python_goes_on_as_ever() -> None:
    outcome = python(NORMAL, stdin="one\ntwo\n")
    assert outcome.stdout.splitlines() == ["['closed'] True", "ONE", "TWO"], outcome.stderr
    assert outcome.status == 1
    assert outcome.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "Permission" not in outcome.stderr and "Error" not in outcome.stderr.splitlines()[0]


def test_the_numbers_are_those_of_the_kernel_that_we_play() -> None:
    """Compared with the table of riscv64's calls, which was checked against Linux."""
    ours = {row.name: row.number for row in ROWS}
    generic = seccomp.ARCHITECTURES["riscv64"].calls
    assert {name: ours.get(name, number) for name, number in generic.items()} == generic
    assert len(ours.keys() & generic.keys()) > 25
    assert generic == seccomp.ARCHITECTURES["aarch64"].calls


@X86_64
def test_the_numbers_are_those_of_the_header() -> None:
    folders = (Path("/usr/include/x86_64-linux-gnu"), Path("/usr/include"))  # Debian's, others'
    headers = [folder / "asm/unistd_64.h" for folder in folders]
    headers = [header for header in headers if header.exists()]
    if not headers:
        pytest.skip("needs Linux's headers")
    text = headers[0].read_text()
    numbers = {m[1]: int(m[2]) for m in re.finditer(r"#define __NR_(\w+) (\d+)", text)}
    mine = seccomp.ARCHITECTURES["x86_64"]
    assert {name: numbers[name] for name in mine.calls} == mine.calls
    assert numbers["seccomp"] == mine.seccomp
