"""Small C programs that test for errors in a kernel's processes. Each prints `ok`."""

from __future__ import annotations

QUESTIONS = {
    "a signal's frame is the child's own": r"""
        static char room[16 * 4096] __attribute__((aligned(4096)));
        static volatile int on_it;
        static void handler(int signo) {
            char here;
            on_it = &here > room && &here < room + sizeof room;
        }
        int main(void) {
            memset(room, 'p', sizeof room);
            stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
            sigaltstack(&stack, NULL);
            catch(SIGUSR1, handler, SA_ONSTACK);
            if (!fork()) {
                raise(SIGUSR1);
                _exit(!on_it);
            }
            int status;
            wait(&status);
            for (size_t i = 0; i < sizeof room; i++)
                if (room[i] != 'p') {
                    say("FAIL the child's frame is in the parent's memory\n");
                    return 1;
                }
            say(status ? "FAIL the child has no alternative stack\n" : "ok\n");
        }""",
    "a status that wait4 writes is the child's own": r"""
        static int page[1024] __attribute__((aligned(4096)));
        int main(void) {
            page[0] = 7;
            if (!fork()) {
                if (!fork())
                    _exit(3);
                wait(page);
                _exit(page[0] >> 8);
            }
            int status;
            wait(&status);
            say(page[0] == 7 && status >> 8 == 3 ? "ok\n" : "FAIL %d %x\n", page[0], status);
        }""",
    "what a child inherits": r"""
        static void handler(int signo) {}
        int main(void) {
            sigset_t usr1 = set_of(SIGUSR1, 0), seen;
            sigprocmask(SIG_BLOCK, &usr1, NULL);
            kill(getpid(), SIGUSR1);
            catch(SIGUSR2, handler, 0);
            if (!syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) { /* libc's fork sets the mask */
                int wrong = 0;
                sigpending(&seen);
                wrong |= sigismember(&seen, SIGUSR1) ? 1 : 0;
                sigprocmask(SIG_BLOCK, NULL, &seen);
                wrong |= sigismember(&seen, SIGUSR1) ? 0 : 2;
                signal(SIGUSR2, SIG_DFL);
                close(2);
                chdir("/tmp");
                _exit(wrong);
            }
            int status;
            wait(&status);
            struct sigaction action;
            sigaction(SIGUSR2, NULL, &action);
            char where[100] = "";
            getcwd(where, sizeof where);
            sigpending(&seen);
            say(status ? "FAIL child %x\n" : "ok\n", status);
            say(action.sa_handler == handler ? "ok\n" : "FAIL the child changed a handler\n");
            say(fcntl(2, F_GETFD) == 0 ? "ok\n" : "FAIL the child closed a descriptor\n");
            say(strcmp(where, "/tmp") ? "ok\n" : "FAIL the child changed the directory\n");
            say(sigismember(&seen, SIGUSR1) ? "ok\n" : "FAIL a signal was lost\n");
        }""",
    "an exec that fails changes nothing": r"""
        int main(void) {
            static char word[120000], *words[13], *more[13];
            memset(word, 'x', sizeof word - 1);
            for (int i = 0; i < 12; i++)
                words[i] = more[i] = word;
            for (int i = 0; i < 3; i++)
                SHOW(execve("/proc/self/exe", words, more)); /* too much for the new stack */
        }""",
    "a thread and its process are one memory": r"""
        static volatile int word;
        static void *body(void *argument) { word = 5; return NULL; }
        int main(void) {
            pthread_t thread;
            pthread_create(&thread, NULL, body, NULL);
            pthread_join(thread, NULL);
            pid_t child = vfork();
            if (!child) {
                word++;
                _exit(0);
            }
            waitpid(child, NULL, 0);
            say(word == 6 ? "ok\n" : "FAIL %d\n", word);
        }""",
    "code that a child changes": r"""
        static unsigned code[1024] __attribute__((aligned(4096))) = {
            0x00100513 /* li a0, 1 */, 0x00008067 /* ret */};
        static int call(void) { return ((int (*)(void))code)(); }
        int main(void) {
            mprotect(code, sizeof code, PROT_READ | PROT_WRITE | PROT_EXEC);
            int before = call(), status;
            if (!fork()) {
                int first = call();
                *(volatile unsigned *)code = 0x00200513; /* li a0, 2 */
                asm volatile("fence.i" ::: "memory");
                _exit(first * 10 + call());
            }
            wait(&status);
            say("%d %d %d\n", before, status >> 8, call());
        }""",
    "a handler that uses floating point": r"""
        static void handler(int signo) {
            asm volatile("fmv.d.x ft0, zero" ::: "ft0");
            if (!fork())
                _exit(0);
            wait(NULL); /* while another process has the hart */
        }
        int main(void) {
            catch(SIGUSR1, handler, 0);
            register long a0 asm("a0") = getpid();
            register long a1 asm("a1") = SIGUSR1;
            register long a7 asm("a7") = SYS_kill;
            long value = 42;
            asm volatile("fmv.d.x ft0, %0; ecall; fmv.x.d %0, ft0"
                         : "+r"(value), "+r"(a0) : "r"(a1), "r"(a7) : "ft0", "memory");
            say("%ld\n", value);
        }""",
    "data that is run as code": r"""
        static unsigned code[] = {0x00100513 /* li a0, 1 */, 0x00008067 /* ret */};
        int main(void) {
            int status;
            if (!fork())
                _exit(((int (*)(void))code)());
            wait(&status);
            say("%s\n", how(status));
        }""",
    "what .bss holds at the start": r"""
        static volatile char bss[3 * 4096];
        int main(void) {
            for (size_t i = 0; i < sizeof bss; i++)
                if (bss[i]) {
                    say("FAIL byte %zu of .bss is %d\n", i, bss[i]);
                    return 1;
                }
            say("ok\n");
        }""",
}

VECTOR_QUESTIONS = {
    "a signal to oneself comes at once": r"""
        static volatile int count;
        static void on(int signo) { count++; }
        int main(void) {
            catch(SIGUSR1, on, 0);
            catch(SIGRTMIN, on, 0);
            for (int i = 0; i < 20; i++) {
                kill(getpid(), i & 1 ? SIGUSR1 : SIGRTMIN);
                if (count != i + 1) {
                    say("FAIL %d signals, %d seen\n", i + 1, count);
                    return 1;
                }
            }
            say("ok\n");
        }""",
    "a mask that lasts for one call": r"""
        #include <poll.h>
        static volatile int count;
        static void on(int signo) { count++; }
        int main(void) {
            int pipes[2];
            pipe(pipes);
            write(pipes[1], "x", 1);
            catch(SIGUSR1, on, 0);
            sigset_t set = set_of(SIGUSR1, 0);
            struct pollfd ready = {pipes[0], POLLIN};
            for (int i = 0; i < 4; i++) {
                if (ppoll(&ready, 1, NULL, &set) != 1)
                    say("FAIL nothing is ready\n");
                kill(getpid(), SIGUSR1);
                if (count != i + 1)
                    say("FAIL the mask stays\n");
            }
            say("ok\n");
        }""",
    "code that read changes": r"""
        static unsigned code[1024] __attribute__((aligned(4096))) = {
            0x00000513 /* li a0, 0 */, 0x00008067 /* ret */};
        int main(void) {
            int pipes[2], found = 0;
            pipe(pipes);
            mprotect(code, sizeof code, PROT_READ | PROT_WRITE | PROT_EXEC);
            for (unsigned i = 1; i < 9; i++) {
                unsigned li = 0x00000513 | i << 20;
                found += ((int (*)(void))code)();
                write(pipes[1], &li, 4);
                read(pipes[0], code, 4);
                if (((int (*)(void))code)() != i)
                    say("FAIL old code is run\n");
            }
            say(found == 28 ? "ok\n" : "FAIL %d\n", found);
        }""",
    "stores that are refused": r"""
        #include <setjmp.h>
        static sigjmp_buf back;
        static char *volatile where;
        static volatile int loads;
        static void on(int signo, siginfo_t *info, void *context) {
            where = info->si_addr;
            if (loads) {
                say("FAIL a load was refused\n");
                _exit(1);
            }
            siglongjmp(back, 1);
        }
        int main(void) {
            catch_info(SIGSEGV, on, 0);
            char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            munmap(page + 4096, 4096);
            for (int i = 0; i < 4; i++) {
                char *volatile at = page + i * 2000 + 3;
                if (!sigsetjmp(back, 1)) {
                    *at = 1;
                    say("FAIL the store was done\n");
                } else if (where != at)
                    say("FAIL it was at %+ld\n", (long)(where - page));
            }
            loads = 1;
            long size = 200 * 4096; /* some of these loads are not answered at once */
            volatile char *more = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            for (long i = 0; i < size; i += 4096)
                if (more[i])
                    say("FAIL it is not zero\n");
            say("ok\n");
        }""",
    "who yields lets the others run": r"""
        int main(void) {
            volatile int *turns = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
            int missed = 0;
            turns[0] = 0;
            if (!fork()) {
                for (int i = 0; i < 200; i++)
                    turns[0]++, sched_yield();
                _exit(0);
            }
            for (int i = 0; i < 200; i++) {
                int before = turns[0];
                sched_yield();
                missed += before < 200 && turns[0] == before;
            }
            wait(NULL);
            /* A time slice may end anywhere, so a few turns may be missed. */
            say(missed < 100 ? "ok\n" : "FAIL %d turns of the other's are missed\n", missed);
        }""",
    "a call that waits is begun once more after a handler": r"""
        static volatile int count;
        static void on(int signo) { count++; }
        int main(void) {
            int pipes[2], seen = 0;
            char byte = 0;
            pipe(pipes);
            catch(SIGUSR1, on, SA_RESTART);
            for (int i = 0; i < 3; i++) {
                pid_t child = fork();
                if (!child) {
                    kill(getppid(), SIGUSR1);
                    while (sched_yield(), count < i)
                        ;
                    write(pipes[1], "x", 1);
                    _exit(0);
                }
                int result = read(pipes[0], &byte, 1);
                if (result == 1 && byte == 'x')
                    seen++;
                waitpid(child, NULL, 0);
            }
            say(seen == 3 && count == 3 ? "ok\n" : "FAIL %d %d\n", seen, count);
        }""",
}
"""Programs for errors of a vector; their counts do not depend on time."""
