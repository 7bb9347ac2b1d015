/* Two processes send one byte there and back through two pipes. */
#include "bench.h"

int main(int argc, char **argv)
{
    size_t times = argument(argc, argv, 1, 5000);
    struct gate there, back;
    gate_make(&there);
    gate_make(&back);
    pid_t child = fork();
    if (child == 0) {
        for (size_t time = 0; time <= times; time++) {
            gate_wait(&there);
            gate_open(&back);
        }
        _exit(0);
    }
    gate_open(&there); /* once before the clock runs: the child is there */
    gate_wait(&back);
    uint64_t start = now();
    for (size_t time = 0; time < times; time++) {
        gate_open(&there);
        gate_wait(&back);
    }
    uint64_t taken = now() - start;
    must_succeed(child);
    report("pingpong", taken, times);
    return 0;
}
