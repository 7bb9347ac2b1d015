"""Do the attributes of scheduling reach children and getpriority?"""

from tests.kernel.syscalls.guests import output


def test_a_child_of_a_policy_that_resets_starts_without_it() -> None:
    assert output(
        r"""
#include <sys/resource.h>
static struct { unsigned size, policy; long flags; int nice; unsigned priority; long times[3]; } a;
int main(void) {
    a.size = 48, a.policy = 3, a.flags = 1, a.nice = 6;
    TRY(syscall(SYS_sched_setattr, 0, &a, 0));
    printf("%d\n", getpriority(PRIO_PROCESS, 0));
    fflush(stdout);
    pid_t child = fork();
    if (child) waitpid(child, NULL, 0);
    syscall(SYS_sched_getattr, 0, &a, 48, 0);
    printf("%u %ld\n", a.policy, a.flags);
}
"""
    ) == ["syscall(SYS_sched_setattr, 0, &a, 0): ok", "6", "0 0", "3 1"]
