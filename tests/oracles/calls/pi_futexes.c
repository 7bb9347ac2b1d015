/* Futexes with priority inheritance: FUTEX_LOCK_PI and its relatives, and glibc's mutexes on them. */
#include "calls.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#define FUTEX(word, op, value, timeout, second, third) \
    CALL(futex, (word), (op), (value), (timeout), (second), (third))
#define OWNED(word) ((word) & FUTEX_TID_MASK)
#define BITS(word) ((word) >> 30)

static volatile uint32_t lock, other, word;
static int tid_of_other;

static long tid(void) { return CALL(gettid, 0); }
static void nap(void) { usleep(30000); }

static struct timespec *after(clockid_t clock, long milliseconds)
{
    static struct timespec at;
    clock_gettime(clock, &at);
    at.tv_nsec += milliseconds * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000, at.tv_nsec %= 1000000000;
    return &at;
}

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    pthread_create(&thread, NULL, body, argument);
    return thread;
}

static void errors(void)
{
    struct timespec bad = {0, -1}, past = {1, 0};
    uint32_t *read_only = (uint32_t *)pages(1, PROT_READ, MAP_PRIVATE);
    ASK(FUTEX((char *)&lock + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(NOWHERE, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(BEYOND, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(read_only, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, NOWHERE, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, &bad, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_TRYLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_CMP_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 1, NULL, &other, 0));
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(NOWHERE, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX((char *)&lock + 1, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    lock = 0;
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    VALUE(lock == tid());
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_LOCK_PI2, 0, NULL, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    VALUE(lock == tid());
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    VALUE(lock);
    ASK(FUTEX(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    lock |= FUTEX_WAITERS; /* no waiter is there: the word becomes 0 */
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    VALUE(lock);
    lock = FUTEX_OWNER_DIED;
    ASK(FUTEX(&lock, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0));
    VALUE(OWNED(lock) == tid());
    VALUE(BITS(lock));
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    lock = FUTEX_WAITERS;
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    VALUE(OWNED(lock) == tid());
    VALUE(BITS(lock));
    lock = 4000000; /* no such thread */
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    VALUE(BITS(lock));
    ASK(FUTEX(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(&word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &word, 0));
    ASK(FUTEX(&word, FUTEX_WAIT_REQUEUE_PI, 1, NULL, &other, 0));
    ASK(FUTEX(&word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, NOWHERE, 0));
    ASK(FUTEX(NOWHERE, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &other, 0));
    ASK(FUTEX(&word, FUTEX_WAIT_REQUEUE_PI, 0, &past, &other, 0));
    ASK(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 0, NULL, &other, 0));
    ASK(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 2, NULL, &other, 0));
    ASK(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, NULL, &word, 0));
    ASK(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, NULL, &other, 5));
    ASK(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)-1L, &other, 0));
    ASK(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, NULL, NOWHERE, 0));
    VALUE(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)5, &other, 0));
}

static volatile int turns[8], turn;

static void *locks(void *number)
{
    long result = FUTEX(&lock, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
    turns[turn++] = result ? -errno : (int)(long)number;
    if (OWNED(lock) != tid())
        turns[turn++] = -1000;
    FUTEX(&lock, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
    return NULL;
}

static void waits(void)
{
    pthread_t threads[3];
    lock = tid();
    for (long i = 0; i < 3; i++)
        threads[i] = start(locks, (void *)(i + 1)), nap();
    VALUE(BITS(lock));
    VALUE(OWNED(lock) == tid());
    ASK(FUTEX(&lock, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0)); /* wakes no waiter of a lock */
    ASK(FUTEX(&lock, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 0, (void *)1, &other, 0));
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    VALUE(turns[0] * 100 + turns[1] * 10 + turns[2]);
    VALUE(lock);
}

static void *holds(void *milliseconds)
{
    FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    tid_of_other = tid();
    usleep(1000 * (long)milliseconds);
    FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    return NULL;
}

static void *waits_with_word(void *unused)
{
    return (void *)FUTEX(&lock, FUTEX_WAIT, lock, NULL, NULL, 0);
}

static void times_out(void)
{
    lock = 0;
    pthread_t thread = start(holds, (void *)300L);
    nap();
    ASK(FUTEX(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    VALUE(BITS(lock));
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, after(CLOCK_REALTIME, 20), NULL, 0));
    ASK(FUTEX(&lock, FUTEX_LOCK_PI2, 0, after(CLOCK_MONOTONIC, 20), NULL, 0));
    ASK(FUTEX(&lock, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, after(CLOCK_REALTIME, 20), NULL, 0));
    VALUE(OWNED(lock) == tid_of_other);
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, after(CLOCK_REALTIME, 5000), NULL, 0));
    pthread_join(thread, NULL);
    VALUE(OWNED(lock) == tid());
    /* An ordinary waiter on the same word. */
    thread = start(waits_with_word, NULL);
    nap();
    pthread_t second = start(holds, 0L);
    nap();
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    lock = 0;
    VALUE(FUTEX(&lock, FUTEX_WAKE, 9, NULL, NULL, 0));
    pthread_join(thread, NULL), pthread_join(second, NULL);
    lock = 0;
}

static void *crosses(void *unused)
{
    FUTEX(&other, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    nap();
    FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    FUTEX(&other, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    return NULL;
}

static void deadlocks(void)
{
    lock = tid(), other = 0;
    pthread_t thread = start(crosses, NULL);
    nap(), nap();
    ASK(FUTEX(&other, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    pthread_join(thread, NULL);
    VALUE(lock);
    VALUE(OWNED(other));
}

static void *dies(void *unused)
{
    FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    usleep(60000);
    return NULL;
}

static void ends(void)
{
    lock = 0;
    pthread_t thread = start(dies, NULL);
    nap();
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0)); /* until the owner has ended */
    pthread_join(thread, NULL);
    VALUE(OWNED(lock) == tid());
    VALUE(BITS(lock));
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    VALUE(lock);
}

static volatile int handled;
static void handler(int signo) { handled++; }
static pthread_t main_thread;

static void *interrupts(void *unused)
{
    FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    tid_of_other = 1;
    nap();
    pthread_kill(main_thread, SIGUSR1);
    nap();
    turns[0] = handled;
    FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    return NULL;
}

static void interrupted(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    main_thread = pthread_self(), lock = 0;
    pthread_t thread = start(interrupts, NULL);
    usleep(10000);
    ASK(FUTEX(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0)); /* goes on after the handler */
    VALUE(handled);
    VALUE(turns[0]);
    pthread_join(thread, NULL);
    FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

static void *requeued(void *number)
{
    long result = FUTEX(&word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &lock, 0);
    turns[turn++] = result ? -errno : (int)(long)number;
    if (OWNED(lock) == tid())
        FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    return NULL;
}

static void *requeued_until(void *unused)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += 1;
    at.tv_nsec = 0;
    return (void *)(FUTEX(&word, FUTEX_WAIT_REQUEUE_PI, 0, &at, &lock, 0) ? (long)errno : 0L);
}

static void requeues(void)
{
    pthread_t threads[3];
    void *result;
    word = lock = turn = 0;
    for (long i = 0; i < 3; i++)
        threads[i] = start(requeued, (void *)(i + 1)), nap();
    ASK(FUTEX(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
    ASK(FUTEX(&word, FUTEX_REQUEUE, 1, NULL, &lock, 0));
    ASK(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)5, &other, 0)); /* not the lock they asked for */
    /* The lock is free: one gets it, the others wait for it. */
    VALUE(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)INT_MAX, &lock, 0));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    VALUE(turns[0] * 100 + turns[1] * 10 + turns[2]);
    VALUE(lock);
    /* The caller has the lock. */
    turn = 0, lock = tid();
    for (long i = 0; i < 3; i++)
        threads[i] = start(requeued, (void *)(i + 1)), nap();
    VALUE(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &lock, 0));
    VALUE(BITS(lock));
    VALUE(OWNED(lock) == tid());
    VALUE(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)INT_MAX, &lock, 0));
    VALUE(turn);
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    VALUE(turns[0] * 100 + turns[1] * 10 + turns[2]);
    /* The deadline passes before it is moved, and after. */
    threads[0] = start(requeued_until, NULL);
    pthread_join(threads[0], &result);
    VALUE((long)result == ETIMEDOUT);
    lock = tid();
    threads[0] = start(requeued_until, NULL);
    nap();
    VALUE(FUTEX(&word, FUTEX_CMP_REQUEUE_PI, 1, NULL, &lock, 0));
    pthread_join(threads[0], &result);
    VALUE((long)result == ETIMEDOUT);
    ASK(FUTEX(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

static pthread_mutex_t *mutex;
static long counter;

static void *counts(void *unused)
{
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(mutex);
        counter++;
        if (i % 20 == 0)
            sched_yield();
        pthread_mutex_unlock(mutex);
    }
    return NULL;
}

static void mutexes(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    static pthread_mutex_t plain, checking;
    VALUE(pthread_mutex_init(&plain, &attributes));
    mutex = &plain;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = start(counts, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    VALUE(counter);
    VALUE(pthread_mutex_lock(mutex));
    VALUE(pthread_mutex_trylock(mutex));
    VALUE(pthread_mutex_unlock(mutex));
    VALUE(pthread_mutex_destroy(mutex));
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&checking, &attributes);
    VALUE(pthread_mutex_lock(&checking));
    VALUE(pthread_mutex_lock(&checking));
    VALUE(pthread_mutex_unlock(&checking));
    VALUE(pthread_mutex_unlock(&checking));
    /* Robust, in memory of two processes. */
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_NORMAL);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    mutex = (pthread_mutex_t *)pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    VALUE(pthread_mutex_init(mutex, &attributes));
    for (int when = 0; when < 2; when++) { /* it ends before, and while the parent waits */
        pid_t child = fork();
        if (!child) {
            pthread_mutex_lock(mutex);
            usleep(when * 60000);
            _exit(0);
        }
        if (when)
            nap();
        else
            waitpid(child, NULL, 0);
        VALUE(pthread_mutex_lock(mutex) == EOWNERDEAD);
        if (when)
            waitpid(child, NULL, 0);
        VALUE(OWNED(mutex->__data.__lock) == tid());
        VALUE(pthread_mutex_consistent(mutex));
        VALUE(pthread_mutex_unlock(mutex));
        VALUE(mutex->__data.__lock);
    }
    /* Not made consistent. */
    pid_t child = fork();
    if (!child) {
        pthread_mutex_lock(mutex);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    VALUE(pthread_mutex_lock(mutex) == EOWNERDEAD);
    VALUE(pthread_mutex_unlock(mutex));
    VALUE(pthread_mutex_lock(mutex) == ENOTRECOVERABLE);
}

/* A lock in shared memory between two processes, at different addresses. */
static void shares(void)
{
    int file = bytes_file(PAGE), status;
    volatile uint32_t *mine = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    volatile uint32_t *theirs = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    *mine = tid();
    pid_t child = fork();
    if (!child) {
        munmap((void *)mine, PAGE);
        long result = FUTEX(theirs, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
        _exit(result ? errno : OWNED(*theirs) == tid() ? 100 : 101);
    }
    nap();
    VALUE(BITS(*mine));
    ASK(FUTEX(mine, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    VALUE(waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1);
    VALUE(OWNED(*mine) == child);
}

int main(void)
{
    errors();
    waits();
    times_out();
    deadlocks();
    ends();
    interrupted();
    requeues();
    mutexes();
    shares();
    return 0;
}
