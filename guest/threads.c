/* Do threads share memory, wait for each other, and survive a fork?
 *
 * Four threads add under a mutex, hand a token round with a condition variable
 * and keep thread-local values; a thread's fork has only that thread in the
 * child, with memory of its own. */
#include "check.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 1000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static long sum;
static int turn;
static __thread long local;

static void *add(void *which)
{
    for (int round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&mutex);
        sum += (long)which;
        pthread_mutex_unlock(&mutex);
        __atomic_fetch_add(&local, 1, __ATOMIC_SEQ_CST);
    }
    return (void *)local;
}

static void *pass(void *which)
{
    for (int round = 0; round < 50; round++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != (long)which)
            pthread_cond_wait(&turned, &mutex);
        turn++;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *forks(void *unused)
{
    (void)unused;
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        long before = sum;
        sum = -1;
        _exit(before == 10 * ROUNDS && sum == -1 ? 0 : 1);
    }
    int status = status_of(pid);
    return (void *)(long)(WIFEXITED(status) && WEXITSTATUS(status) == 0 && sum == 10 * ROUNDS);
}

/* Run a function in four threads; whether each returned what was expected. */
static int all(void *(*run)(void *), long first, long expected)
{
    pthread_t threads[THREADS];
    int right = 1;
    for (long which = 0; which < THREADS; which++)
        NEED(pthread_create(&threads[which], NULL, run, (void *)(first + which)) == 0);
    for (int which = 0; which < THREADS; which++) {
        void *result;
        NEED(pthread_join(threads[which], &result) == 0);
        right &= (long)result == expected;
    }
    return right;
}

int main(void)
{
    CHECK(all(add, 1, ROUNDS) && sum == 10 * ROUNDS, "four threads add under a mutex");
    CHECK(local == 0, "thread-local values are each thread's own");
    CHECK(all(pass, 0, 0) && turn == 200, "a token goes round");
    CHECK(all(forks, 0, 1), "each thread forks");
    return verdict();
}
