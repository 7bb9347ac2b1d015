"""Is the memory of another process copied, page by page, for those allowed to?"""

from tests.kernel.syscalls.guests import output

PRELUDE = r"""
#include <sys/uio.h>
static char bytes[8] = "before";
static long stored(pid_t pid) {
    struct iovec from = {"after", 6}, to = {bytes, 6};
    return syscall(SYS_process_vm_writev, pid, &from, 1L, &to, 1L, 0L);
}
"""


def test_a_store_to_a_shared_page_changes_one_process() -> None:
    assert output(
        PRELUDE
        + r"""
int main(void) {
    int pipes[2];
    pipe(pipes);
    pid_t child = fork();
    if (!child) { char byte; read(pipes[0], &byte, 1); puts(bytes); return 0; }
    TRY(stored(child));
    write(pipes[1], "x", 1);
    waitpid(child, NULL, 0);
    puts(bytes);
}
"""
    ) == ["stored(child): ok", "after", "before"]


def test_a_process_that_hides_its_memory_is_not_written() -> None:
    assert output(
        PRELUDE
        + r"""
int main(void) {
    int pipes[2], byte;
    if (!getuid()) setresuid(1000, 1000, 1000);
    pipe(pipes);
    pid_t child = fork();
    if (!child) { prctl(PR_SET_DUMPABLE, 0); write(pipes[1], "x", 1); for (;;) pause(); }
    read(pipes[0], &byte, 1);
    TRY(stored(child));
    TRY(syscall(SYS_kcmp, getpid(), child, 1, 0L, 0L));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}
"""
    ) == ["stored(child): EPERM", "syscall(SYS_kcmp, getpid(), child, 1, 0L, 0L): EPERM"]
