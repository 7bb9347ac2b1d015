"""Do futexes block threads and wake the right ones?"""

from tests.kernel.syscalls.guests import output, same_as_qemu

FUTEX = r"""
#define FUTEX(word, op, value, timeout, second, third) \
    syscall(SYS_futex, (word), (op), (value), (timeout), (second), (third))
"""


def test_errors() -> None:
    same_as_qemu(
        FUTEX
        + r"""
int main(void) {
    static uint32_t word = 5, other;
    struct timespec time = {0, 1000000}, bad = {0, -1};
    TRY(FUTEX(&word, FUTEX_WAIT, 4, NULL, NULL, 0));
    TRY(FUTEX(&word, FUTEX_WAIT, 5, &time, NULL, 0));
    TRY(FUTEX(&word, FUTEX_WAIT, 5, &bad, NULL, 0));
    TRY(FUTEX((char *)&word + 1, FUTEX_WAIT, 5, NULL, NULL, 0));
    TRY(FUTEX(8, FUTEX_WAIT, 5, NULL, NULL, 0));
    TRY(FUTEX(&word, FUTEX_WAIT_BITSET, 5, NULL, NULL, 0));
    TRY(FUTEX(&word, FUTEX_WAKE_BITSET, 5, NULL, NULL, 0));
    TRY(FUTEX(&word, 77, 5, NULL, NULL, 0));
    SHOW(FUTEX(&word, FUTEX_WAKE, 5, NULL, NULL, 0));
    TRY(FUTEX(&word, FUTEX_CMP_REQUEUE, 1, 1, &other, 4));
    SHOW(FUTEX(&word, FUTEX_CMP_REQUEUE, 1, 1, &other, 5));
}
"""
    )


def test_waiters_are_woken_in_order_and_only_as_many_as_asked_for() -> None:
    assert output(FUTEX + r"""
static uint32_t word, other, started;
static void *waiter(void *number) {
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    long r = FUTEX(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
    say("woken %ld: %ld\n", (long)number, r);
    return NULL;
}
int main(void) {
    pthread_t t[5];
    for (long i = 0; i < 5; i++) {
        pthread_create(&t[i], NULL, waiter, (void *)i);
        while (started <= i) sched_yield();
        nap(2);
    }
    SHOW(FUTEX(&word, FUTEX_WAKE, 2, NULL, NULL, 0));
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    SHOW(FUTEX(&word, FUTEX_REQUEUE, 1, 1, &other, 0));
    pthread_join(t[2], NULL);
    SHOW(FUTEX(&other, FUTEX_WAKE, 9, NULL, NULL, 0));
    pthread_join(t[3], NULL);
    SHOW(FUTEX(&word, FUTEX_WAKE, -1, NULL, NULL, 0));
    pthread_join(t[4], NULL);
}
""") == [
        "FUTEX(&word, FUTEX_WAKE, 2, NULL, NULL, 0) = 2", "woken 0: 0", "woken 1: 0",
        "FUTEX(&word, FUTEX_REQUEUE, 1, 1, &other, 0) = 2", "woken 2: 0",
        "FUTEX(&other, FUTEX_WAKE, 9, NULL, NULL, 0) = 1", "woken 3: 0",
        "FUTEX(&word, FUTEX_WAKE, -1, NULL, NULL, 0) = 1", "woken 4: 0",
    ]  # fmt: skip


def test_bitsets_choose_whom_to_wake() -> None:
    assert output(FUTEX + r"""
static uint32_t word, started;
static void *waiter(void *bits) {
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    FUTEX(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, (long)bits);
    say("woken %ld\n", (long)bits);
    return NULL;
}
int main(void) {
    pthread_t a, b;
    pthread_create(&a, NULL, waiter, (void *)1L);
    pthread_create(&b, NULL, waiter, (void *)2L);
    while (started < 2) sched_yield();
    nap(5);
    SHOW(FUTEX(&word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 2));
    pthread_join(b, NULL);
    SHOW(FUTEX(&word, FUTEX_WAKE, 9, NULL, NULL, 0));
    pthread_join(a, NULL);
}
""") == ["FUTEX(&word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 2) = 1", "woken 2",
         "FUTEX(&word, FUTEX_WAKE, 9, NULL, NULL, 0) = 1", "woken 1"]  # fmt: skip


def test_a_word_in_shared_memory_is_one_word_in_all_processes_and_mappings() -> None:
    assert output(FUTEX + r"""
int main(void) {
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    ftruncate(fd, 4096);
    uint32_t *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t *b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!fork()) {
        FUTEX(a, FUTEX_WAIT, 0, NULL, NULL, 0);
        say("child sees %u\n", *a);
        _exit(0);
    }
    nap(20);
    *b = 7;
    SHOW(FUTEX(b, FUTEX_WAKE, 1, NULL, NULL, 0));
    wait(NULL);
    static uint32_t own;
    if (!fork()) {
        struct timespec time = {0, 50000000};
        TRY(FUTEX(&own, FUTEX_WAIT, 0, &time, NULL, 0));
        _exit(0);
    }
    nap(20);
    SHOW(FUTEX(&own, FUTEX_WAKE, 1, NULL, NULL, 0));
    wait(NULL);
}
""") == ["FUTEX(b, FUTEX_WAKE, 1, NULL, NULL, 0) = 1", "child sees 7",
         "FUTEX(&own, FUTEX_WAKE, 1, NULL, NULL, 0) = 0",
         "FUTEX(&own, FUTEX_WAIT, 0, &time, NULL, 0): ETIMEDOUT"]  # fmt: skip


def test_two_words_of_a_shared_page_are_two() -> None:
    assert output(FUTEX + r"""
int main(void) {
    uint32_t *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!fork()) {
        FUTEX(&words[1], FUTEX_WAIT, 0, NULL, NULL, 0);
        _exit(0);
    }
    nap(20);
    SHOW(FUTEX(&words[0], FUTEX_WAKE, 9, NULL, NULL, 0));
    SHOW(FUTEX(&words[1], FUTEX_WAKE, 9, NULL, NULL, 0));
    wait(NULL);
}
""") == ["FUTEX(&words[0], FUTEX_WAKE, 9, NULL, NULL, 0) = 0",
         "FUTEX(&words[1], FUTEX_WAKE, 9, NULL, NULL, 0) = 1"]  # fmt: skip


def test_who_was_moved_to_another_word_can_be_moved_on_and_leave_by_itself() -> None:
    assert output(FUTEX + r"""
static uint32_t a, b, c, started;
static void *waiter(void *argument) {
    struct timespec time = {0, 200000000};
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    TRY(FUTEX(&a, FUTEX_WAIT, 0, argument ? &time : NULL, NULL, 0));
    return NULL;
}
int main(void) {
    pthread_t t[2];
    for (long i = 0; i < 2; i++) pthread_create(&t[i], NULL, waiter, (void *)i);
    while (started < 2) sched_yield();
    nap(10);
    SHOW(FUTEX(&a, FUTEX_REQUEUE, 0, 9, &b, 0));
    SHOW(FUTEX(&b, FUTEX_REQUEUE, 0, 9, &c, 0));
    SHOW(FUTEX(&a, FUTEX_WAKE, 9, NULL, NULL, 0));
    pthread_join(t[1], NULL);
    SHOW(FUTEX(&c, FUTEX_WAKE, 9, NULL, NULL, 0));
    pthread_join(t[0], NULL);
}
""") == [
        "FUTEX(&a, FUTEX_REQUEUE, 0, 9, &b, 0) = 2", "FUTEX(&b, FUTEX_REQUEUE, 0, 9, &c, 0) = 2",
        "FUTEX(&a, FUTEX_WAKE, 9, NULL, NULL, 0) = 0",
        "FUTEX(&a, FUTEX_WAIT, 0, argument ? &time : NULL, NULL, 0): ETIMEDOUT",
        "FUTEX(&c, FUTEX_WAKE, 9, NULL, NULL, 0) = 1",
        "FUTEX(&a, FUTEX_WAIT, 0, argument ? &time : NULL, NULL, 0): ok",
    ]  # fmt: skip


def test_wake_op() -> None:
    same_as_qemu(
        FUTEX
        + r"""
int main(void) {
    static uint32_t a, b = 10;
    SHOW(FUTEX(&a, FUTEX_WAKE_OP, 1, 1, &b, FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 10)));
    say("%u\n", b);
    SHOW(FUTEX(&a, FUTEX_WAKE_OP, 1, 1, &b, FUTEX_OP(FUTEX_OP_SET, -1, FUTEX_OP_CMP_GT, 0)));
    say("%u\n", b);
    SHOW(FUTEX(&a, FUTEX_WAKE_OP, 1, 1, &b, FUTEX_OP(FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_LT, 0)));
    say("%u\n", b);
    int op = FUTEX_OP(FUTEX_OP_XOR | FUTEX_OP_OPARG_SHIFT, 4, FUTEX_OP_CMP_LE, 0);
    SHOW(FUTEX(&a, FUTEX_WAKE_OP, 1, 1, &b, op));
    say("%u\n", b);
}
"""
    )


def test_a_signal_interrupts_a_wait() -> None:
    """The signal is sent repeatedly: on a busy host the first may precede the wait."""
    same_as_qemu(
        FUTEX
        + r"""
static volatile sig_atomic_t handled;
static void on(int signo) { handled = 1; }
static void show_wait(struct timespec *time) {
    static uint32_t word;
    pid_t me = getpid(), sender = fork();
    if (!sender)
        for (;;) { nap(20); kill(me, SIGUSR1); }
    TRY(FUTEX(&word, FUTEX_WAIT, 0, time, NULL, 0));
    kill(sender, SIGKILL);
    while (waitpid(sender, NULL, 0) < 0 && errno == EINTR) {}
    say("handled %d\n", (int)handled);
    handled = 0;
}
int main(void) {
    catch(SIGUSR1, on, 0);
    show_wait(NULL);
    struct timespec time = {30, 0};
    show_wait(&time);
}
"""
    )


def test_mutexes_condition_variables_and_join() -> None:
    assert output(r"""
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int total, turn;
static void *worker(void *number) {
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&lock);
        while (turn != (long)number) pthread_cond_wait(&changed, &lock);
        total++;
        turn = (turn + 1) % 4;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return number;
}
int main(void) {
    pthread_t t[4];
    for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, worker, (void *)i);
    long sum = 0;
    void *result;
    for (int i = 0; i < 4; i++) { pthread_join(t[i], &result); sum += (long)result; }
    say("%d %ld\n", total, sum);
}
""") == ["800 6"]  # fmt: skip


def test_a_robust_mutex_reports_that_its_owner_died() -> None:
    assert output(r"""
int main(void) {
    pthread_mutex_t *lock = mmap(NULL, 4096, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(lock, &attributes);
    if (!fork()) { pthread_mutex_lock(lock); nap(20); _exit(0); }
    nap(10);
    say("%s\n", strerrorname_np(pthread_mutex_lock(lock)));
}
""") == ["EOWNERDEAD"]  # fmt: skip
