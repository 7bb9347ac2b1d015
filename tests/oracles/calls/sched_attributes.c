/* Attributes of scheduling: sched_getattr(2), sched_setattr(2), sched_rr_get_interval(2). */
#include "calls.h"

static struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t least, most;
    uint64_t more[16];
} a;

static long set(int policy, long flags, int nice, int priority)
{
    a = (struct attributes){.size = 48, .policy = policy, .flags = flags, .nice = nice, .priority = priority};
    return CALL(sched_setattr, 0, &a, 0);
}

static void show(int size)
{
    memset(&a, 0, sizeof a);
    long result = CALL(sched_getattr, 0, &a, size, 0);
    printf("%ld: size %d policy %d flags %d nice %d priority %d\n", result, a.size, a.policy, (int)a.flags, a.nice, a.priority);
}

int main(void)
{
    ASK(CALL(sched_getattr, 0, NULL, 48, 0));
    ASK(CALL(sched_getattr, -1, &a, 48, 0));
    ASK(CALL(sched_getattr, 0, &a, 47, 0));
    ASK(CALL(sched_getattr, 0, &a, 4097, 0));
    ASK(CALL(sched_getattr, 0, &a, 48, 1));
    ASK(CALL(sched_getattr, 99999, &a, 48, 0));
    ASK(CALL(sched_getattr, 0, NOWHERE, 48, 0));
    show(48);
    show(100);
    ASK(CALL(sched_setattr, 0, NULL, 0));
    ASK(CALL(sched_setattr, -1, &a, 0));
    ASK(CALL(sched_setattr, 0, &a, 1));
    ASK(CALL(sched_setattr, 0, NOWHERE, 0));
    a = (struct attributes){.size = 40};
    ASK(CALL(sched_setattr, 0, &a, 0));
    VALUE(a.size);
    a = (struct attributes){.size = 5000};
    ASK(CALL(sched_setattr, 0, &a, 0));
    VALUE(a.size);
    a = (struct attributes){.size = 100, .more = {0, 1}};
    ASK(CALL(sched_setattr, 0, &a, 0));
    a = (struct attributes){.size = 100};
    ASK(CALL(sched_setattr, 0, &a, 0));
    a = (struct attributes){.size = 48};
    ASK(CALL(sched_setattr, 99999, &a, 0));
    ASK(set(-1, 0, 0, 0));
    ASK(set(4, 0, 0, 0));
    ASK(set(0, 0x80, 0, 0));
    ASK(set(0, 0x20, 0, 0));
    ASK(set(0, 0, 0, 1));
    ASK(set(1, 0, 0, 0));
    ASK(set(1, 0, 0, 100));
    ASK(set(1, 0, 0, 1));
    ASK(set(2, 0, 0, 99));
    ASK(set(0, 0, -1, 0));
    ASK(set(3, 0, 5, 0));
    show(48);
    ASK(set(3, 0, 4, 0));
    ASK(set(0, 8, 7, 0));
    show(48);
    ASK(set(0, 16, 0, 0));
    show(48);
    ASK(set(0, 0, 100, 0));
    show(48);
    APART(set(5, 0, 19, 0));
    APART(set(0, 1, 19, 0));
    struct timespec slice;
    ASK(CALL(sched_rr_get_interval, -1, &slice));
    ASK(CALL(sched_rr_get_interval, 99999, &slice));
    ASK(CALL(sched_rr_get_interval, 0, NOWHERE));
    ASK(CALL(sched_rr_get_interval, 0, &slice));
    VALUE(slice.tv_sec);
}
