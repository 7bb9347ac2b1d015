"""Does a program that runs a reserved encoding get the same signal as under qemu-riscv64?"""

from __future__ import annotations

from tests.kernel.syscalls.guests import run, same_as_qemu

EMULATES = r"""
/* Emulates Zcb's c.mul a0, a1 in a handler, in code in the file and in code that it writes. */
static volatile unsigned long at, code;
static void on(int signo, siginfo_t *info, void *context)
{
    ucontext_t *now = context;
    at = (unsigned long)info->si_addr;
    code = signo * 10 + info->si_code;
    if (now->uc_mcontext.__gregs[0] != at)
        _exit(3);
    now->uc_mcontext.__gregs[10] *= now->uc_mcontext.__gregs[11];
    now->uc_mcontext.__gregs[0] += 2;
}
long product(long a, long b);
extern char reserved[];
asm(".globl product, reserved\nproduct:\n addi a0, a0, 1\n addi a1, a1, 1\n"
    "reserved: .2byte 0x9d4d\n addi a0, a0, 5\n ret\n");
int main(void)
{
    catch_info(SIGILL, on, 0);
    for (int turn = 0; turn < 3; turn++) {
        say("%ld\n", product(5 + turn, 6));
        say("%d %lu\n", (char *)at == reserved, code);
    }
    pid_t child = fork();
    say("%ld %d\n", product(7, 8), (char *)at == reserved);
    if (!child)
        _exit(0);
    int status;
    waitpid(child, &status, 0);
    unsigned short *made = mmap(0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int turn = 0; turn < 4; turn++) {
        made[0] = turn & 1 ? 0x9d4d : 0x952e; /* c.mul, c.add */
        made[1] = 0x8082;
        __builtin___clear_cache((char *)made, (char *)made + 4);
        at = 0;
        say("%ld", ((long (*)(long, long))made)(20, 30));
        say(" %d\n", at == (unsigned long)made);
    }
}
"""


def test_can_a_handler_emulate_it() -> None:
    lines = same_as_qemu(EMULATES)
    assert lines[:2] == ["47", "1 41"]  # SIGILL, ILL_ILLOPC
    assert lines[-4:] == ["50 0", "600 1", "50 0", "600 1"]


def test_is_the_program_killed_at_the_instruction() -> None:
    result = run('say("before\\n"); asm volatile(".2byte 0x8000"); say("after\\n");')
    assert (result.status, result.stdout) == (128 + 4, b"before\n")
    assert "SIGILL: illegal instruction at pc" in result.notes[0]
