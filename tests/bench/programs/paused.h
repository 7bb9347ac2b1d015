/* Processes that wait until all are released. */
#ifndef PAUSED_H
#define PAUSED_H

#include "bench.h"

struct crowd {
    struct gate here, leave;
    size_t members;
};

static void crowd_make(struct crowd *crowd)
{
    gate_make(&crowd->here);
    gate_make(&crowd->leave);
    crowd->members = 0;
}

/* Forks one; returns when it has begun to wait. */
static void crowd_add(struct crowd *crowd)
{
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        char byte;
        close(crowd->leave.ends[1]);
        gate_open(&crowd->here);
        _exit(read(crowd->leave.ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    gate_wait(&crowd->here);
    crowd->members++;
}

/* Ends all, and waits for them. */
static void crowd_end(struct crowd *crowd)
{
    close(crowd->leave.ends[1]);
    for (; crowd->members; crowd->members--) {
        int status;
        NEED(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

#endif
