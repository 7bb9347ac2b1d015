/* Floating point: four bodies of a spring chain, with division and square root. */
#include "bench.h"

#define BODIES 4

static double root(double value)
{
    return __builtin_sqrt(value); /* one instruction with -fno-math-errno */
}

int main(int argc, char **argv)
{
    size_t rounds = argument(argc, argv, 1, 1000000);
    double place[BODIES] = {0.0, 1.0, 2.1, 3.3}, speed[BODIES] = {0.0, 0.1, -0.1, 0.0};
    uint64_t start = now();
    for (size_t round = 0; round < rounds; round++) {
        for (int body = 0; body + 1 < BODIES; body++) {
            double apart = place[body + 1] - place[body];
            double length = root(apart * apart + 0.01);
            double pull = (length - 1.0) / length * apart * 0.001;
            speed[body] += pull;
            speed[body + 1] -= pull;
        }
        for (int body = 0; body < BODIES; body++)
            place[body] += speed[body] * 0.001;
    }
    uint64_t taken = now() - start;
    NEED(place[3] - place[0] > 2.0 && place[3] - place[0] < 4.0);
    report("floating", taken, rounds);
    return 0;
}
