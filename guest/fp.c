/* Do processes keep their floating-point registers and rounding mode apart?
 *
 * Parent and child compute different series in registers and hand a token to and
 * fro after every step, so that each switches in the middle of its sum. The
 * results are exact to the last bit, the rounding mode and the flags too. */
#include "check.h"

#include <fenv.h>

/* Sum 1/(start + i) while the other side runs between the steps; fs registers hold it all. */
static double series(double start, struct gate *mine, struct gate *other, int steps)
{
    double sum = 0, square = 0, product = 1, place = start;
    for (int step = 0; step < steps; step++) {
        gate_wait(mine);
        sum += 1 / place;
        square += 1 / (place * place);
        product *= 1 + 1 / (place * place);
        place += 1;
        gate_open(other);
    }
    return sum + square + product;
}

/* The same without anyone in between. */
static double alone(double start, int steps)
{
    double sum = 0, square = 0, product = 1, place = start;
    for (int step = 0; step < steps; step++, place += 1) {
        sum += 1 / place;
        square += 1 / (place * place);
        product *= 1 + 1 / (place * place);
    }
    return sum + square + product;
}

int main(void)
{
    enum { STEPS = 200 };
    struct gate to_parent, to_child;
    gate_make(&to_parent);
    gate_make(&to_child);
    volatile double one = 1, three = 3;
    feclearexcept(FE_ALL_EXCEPT);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(fesetround(FE_UPWARD) == 0);
        double got = series(1000, &to_child, &to_parent, STEPS);
        CHECK(got == alone(1000, STEPS), "child: its series");
        CHECK(fegetround() == FE_UPWARD, "child: its rounding mode");
        volatile double up = one / three; /* volatile: divided before the mode changes back */
        NEED(fesetround(FE_TONEAREST) == 0);
        volatile double nearest = one / three;
        CHECK(up > nearest, "child: rounded upward");
        CHECK(fetestexcept(FE_INEXACT), "child: the inexact flag");
        _exit(verdict());
    }
    gate_open(&to_parent);
    double got = series(1, &to_parent, &to_child, STEPS);
    join(pid);
    CHECK(got == alone(1, STEPS), "parent: its series");
    CHECK(fegetround() == FE_TONEAREST, "parent: its rounding mode");
    CHECK(!fetestexcept(FE_DIVBYZERO), "parent: no flag of a division by zero");
    volatile double infinite = one / (three - 3);
    CHECK(infinite > 1e300 && fetestexcept(FE_DIVBYZERO), "parent: then it has");
    return verdict();
}
