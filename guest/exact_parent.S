/* The parent writes 16 pages while its child waits; then the child writes them.
 *
 * 16 copied by the parent, since the child still holds them. 16 reused by the
 * child, which is then alone. The child waits for the end of an empty pipe: a
 * read(2) that returns 0 writes nothing. */
#include "exact.h"

    .globl _start
_start:
    mark 16, 'P'
    lla a0, ends
    li a1, 0
    call SYS_pipe2
    lla t0, ends
    lw s0, 0(t0)
    lw s1, 4(t0)
    fork
    bnez a0, parent
    mv a0, s1
    call SYS_close
    mv a0, s0
    lla a1, ends
    li a2, 1
    call SYS_read       /* until the parent closes its end */
    expect 15, 'P'
    mark 16, 'C'
    expect 15, 'C'
    exit 0
parent:
    mark 16, 'Q'
    mv a0, s1
    call SYS_close
    wait_for_child
    expect 15, 'Q'
    exit 0

    reserve 16
ends:                   /* a page of its own, not written after the fork */
    .skip PAGE
