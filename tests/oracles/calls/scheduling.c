/* Scheduling, limits and attributes of processes: sched_setscheduler(2), prlimit(2), prctl(2). */
#include "calls.h"


static void schedules(void)
{
    struct sched_param zero = {0}, one = {1};
    unsigned long mask[16] = {0};
    static const int POLICIES[] = {-1, 1, 2, 4, 6, 7, 8, 9, 0x40000001, 3, 0};
    for (size_t i = 0; i < sizeof POLICIES / sizeof *POLICIES; i++) {
        int policy = POLICIES[i];
        long none = CALL(sched_setscheduler, 0, policy, &zero);
        printf("sched_setscheduler %d, priority 0: %s\n", policy, none ? strerrorname_np(errno) : "ok");
        long some = CALL(sched_setscheduler, 0, policy, &one);
        printf("sched_setscheduler %d, priority 1: %s\n", policy, some ? strerrorname_np(errno) : "ok");
        printf("sched_get_priority_max %d: %ld\n", policy, CALL(sched_get_priority_max, policy));
        printf("sched_get_priority_min %d: %ld\n", policy, CALL(sched_get_priority_min, policy));
    }
    ASK(CALL(sched_setscheduler, 0, SCHED_BATCH, &zero));
    VALUE(CALL(sched_getscheduler, 0));
    APART(CALL(sched_getscheduler, 0) == SCHED_BATCH ? 0 : -1);
    ASK(CALL(sched_setscheduler, 0, SCHED_OTHER, &zero));
    APART(CALL(sched_setscheduler, 0, SCHED_IDLE, &zero));
    APART(CALL(sched_setscheduler, 0, SCHED_BATCH | SCHED_RESET_ON_FORK, &zero));
    APART(CALL(sched_setscheduler, 0, SCHED_BATCH | SCHED_RESET_ON_FORK, &zero)
          || CALL(sched_getscheduler, 0) != (SCHED_BATCH | SCHED_RESET_ON_FORK) ? -1 : 0);
    ASK(CALL(sched_setscheduler, 0, 0, NULL));
    ASK(CALL(sched_setscheduler, -1, 0, &zero));
    ASK(CALL(sched_setscheduler, 99999, 0, &zero));
    ASK(CALL(sched_setscheduler, 0, 0, NOWHERE));
    VALUE(CALL(sched_getscheduler, 0));
    ASK(CALL(sched_getscheduler, -1));
    ASK(CALL(sched_getscheduler, 99999));
    ASK(CALL(sched_setparam, 0, &zero));
    ASK(CALL(sched_setparam, 0, &one));
    ASK(CALL(sched_setparam, 0, NULL));
    ASK(CALL(sched_setparam, -1, &zero));
    ASK(CALL(sched_getparam, 0, &zero));
    ASK(CALL(sched_getparam, 0, NULL));
    ASK(CALL(sched_getparam, -1, &zero));
    ASK(CALL(sched_getaffinity, 0, 0L, mask));
    ASK(CALL(sched_getaffinity, 0, 12L, mask));
    ASK(CALL(sched_getaffinity, 99999, 128L, mask));
    ASK(CALL(sched_getaffinity, 0, 128L, NOWHERE));
    ASK(CALL(sched_setaffinity, 0, 0L, mask));
    memset(mask, 0, sizeof mask);
    ASK(CALL(sched_setaffinity, 0, 128L, mask));
    mask[0] = 1;
    ASK(CALL(sched_setaffinity, 0, 128L, mask));
    ASK(CALL(sched_setaffinity, 0, 1L, mask));
    ASK(CALL(sched_setaffinity, 99999, 128L, mask));
    ASK(CALL(getpriority, 3, 0));
    ASK(CALL(getpriority, -1, 0));
    ASK(CALL(getpriority, PRIO_PROCESS, 99999));
    ASK(CALL(setpriority, PRIO_PROCESS, 0, 5));
    VALUE(CALL(getpriority, PRIO_PROCESS, 0));
    ASK(CALL(setpriority, PRIO_PROCESS, 0, 100));
    VALUE(CALL(getpriority, PRIO_PROCESS, 0));
}

static void limits(void)
{
    struct rlimit limit, wrong = {2, 1};
    for (int resource = -1; resource < 18; resource++) {
        long result = CALL(prlimit64, 0, resource, NULL, &limit);
        printf("prlimit64 %d: %s\n", resource, result ? strerrorname_np(errno) : "ok");
    }
    ASK(CALL(prlimit64, 0, RLIMIT_CORE, &wrong, NULL));
    ASK(CALL(prlimit64, 0, RLIMIT_CORE, NOWHERE, NULL));
    ASK(CALL(prlimit64, 99999, RLIMIT_CORE, NULL, &limit));
    ASK(CALL(prlimit64, -1, RLIMIT_CORE, NULL, &limit));
    struct rlimit lower = {1 << 20, 1 << 20}, higher = {1 << 20, 2 << 20}, files = {20, 20};
    ASK(CALL(prlimit64, 0, RLIMIT_CORE, &lower, NULL));
    ASK(CALL(prlimit64, 0, RLIMIT_CORE, &higher, NULL));
    ASK(CALL(prlimit64, 0, RLIMIT_NOFILE, &files, NULL));
    ASK(dup2(0, 19));
    ASK(dup2(0, 20));
    ASK(fcntl(0, F_DUPFD, 20));
    ASK(CALL(getrusage, 2, &limit));
    ASK(CALL(getrusage, -2, &limit));
}

/* Each option with all arguments 0, with 1 in each argument, and with an address. */
static void controls(void)
{
    static const int OPTIONS[] = {
        0, 1, 2, 3, 4, 7, 8, 13, 14, 15, 16, 21, 23, 27, 28, 29, 30, 35, 36, 37, 38, 39,
        40, 41, 42, 47, 50, 51, 65, 66, 67, 68, 99, 0x53564d41,
    };
    static char bytes[4096] = "name";
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        int option = OPTIONS[i];
        for (int which = 0; which < 6; which++) {
            long a[5] = {0};
            if (which && which < 5)
                a[which] = 1;
            if (which == 5)
                a[1] = (long)bytes;
            pid_t child = fork(); /* so that its changes are lost with the child */
            if (!child) {
                long result = CALL(prctl, option, a[1], a[2], a[3], a[4]);
                const char *what[] = {"nothing", "1", "0, 1", "0, 0, 1", "0, 0, 0, 1", "an address"};
                if (result < 0)
                    printf("prctl %d with %s: %s\n", option, what[which], strerrorname_np(errno));
                else
                    printf("prctl %d with %s: %ld\n", option, what[which], result);
                fflush(stdout);
                _exit(0);
            }
            waitpid(child, NULL, 0);
        }
    }
    int number = -1;
    ASK(prctl(PR_SET_PDEATHSIG, 65));
    ASK(prctl(PR_SET_PDEATHSIG, -1));
    ASK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    VALUE(prctl(PR_GET_PDEATHSIG, &number) + number);
    ASK(prctl(PR_GET_PDEATHSIG, NOWHERE));
    VALUE(prctl(PR_SET_DUMPABLE, 2));
    VALUE(prctl(PR_SET_DUMPABLE, 0) + prctl(PR_GET_DUMPABLE));
    VALUE(prctl(PR_SET_DUMPABLE, 1) + prctl(PR_GET_DUMPABLE));
    VALUE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) + prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    VALUE(prctl(PR_SET_KEEPCAPS, 1) + prctl(PR_GET_KEEPCAPS));
    VALUE(prctl(PR_SET_TIMERSLACK, 1000) + prctl(PR_GET_TIMERSLACK));
    VALUE(prctl(PR_SET_TIMERSLACK, 0) + prctl(PR_GET_TIMERSLACK));
    VALUE(prctl(PR_SET_CHILD_SUBREAPER, 7) + prctl(PR_GET_CHILD_SUBREAPER, &number) + number);
    VALUE(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) + prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}

int main(void)
{
    schedules();
    controls();
    limits();
}
