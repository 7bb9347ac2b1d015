/* Does a robust mutex outlive the thread or process that held it?
 *
 * However the owner ends (a thread returns, a process is killed, a process execs),
 * the next to lock gets EOWNERDEAD, also one that was waiting already. qemu-riscv64
 * does not register robust lists with the host, so the waiter keeps waiting. */
#include "check.h"

#include <pthread.h>
#include <signal.h>

static pthread_mutex_t *mutex;

static void *lock_and_end(void *unused)
{
    (void)unused;
    NEED(pthread_mutex_lock(mutex) == 0);
    return NULL;
}

static void make_mutex(void)
{
    pthread_mutexattr_t robust;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
    NEED(pthread_mutex_init(mutex, &robust) == 0);
}

/* A child that holds the mutex and waits to be killed. */
static pid_t holder(void)
{
    struct gate held;
    gate_make(&held);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(pthread_mutex_lock(mutex) == 0);
        gate_open(&held);
        for (;;)
            pause();
    }
    gate_wait(&held);
    return pid;
}

static void killed_while_awaited(void)
{
    pid_t owner = holder();
    pid_t killer = fork();
    NEED(killer >= 0);
    if (killer == 0) {
        usleep(20000);
        _exit(kill(owner, SIGKILL));
    }
    CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD, "a process was killed, and one waited");
    CHECK(pthread_mutex_unlock(mutex) == 0, "given up");
    CHECK(pthread_mutex_lock(mutex) == ENOTRECOVERABLE, "and so of no use to anyone");
    NEED(status_of(owner) == SIGKILL);
    join(killer);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return 0;
    mutex = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(mutex != MAP_FAILED);
    make_mutex();
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, lock_and_end, NULL) == 0);
    NEED(pthread_join(thread, NULL) == 0);
    CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD, "a thread ended with it");
    CHECK(pthread_mutex_consistent(mutex) == 0, "made good");
    CHECK(pthread_mutex_unlock(mutex) == 0, "let go");
    CHECK(pthread_mutex_lock(mutex) == 0, "and as good as new");
    CHECK(pthread_mutex_unlock(mutex) == 0, "let go again");
    make_mutex();
    killed_while_awaited();
    make_mutex();
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(pthread_mutex_lock(mutex) == 0);
        execl("/proc/self/exe", argv[0], "again", (char *)NULL);
        _exit(9);
    }
    join(pid);
    CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD, "a process exec'd with it");
    return verdict();
}
