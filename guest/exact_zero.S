/* Pages that were only read, then written on both sides of a fork.
 *
 * 8 pages read as zeros; the child writes 5 of them, then the parent writes all.
 * 13 pages are zero-filled, none copied, none reused. */
#include "exact.h"

    .globl _start
_start:
    expect 0, 0
    expect 1, 0
    expect 2, 0
    expect 3, 0
    expect 4, 0
    expect 5, 0
    expect 6, 0
    expect 7, 0
    fork
    bnez a0, parent
    mark 5, 'C'
    expect 5, 0
    exit 0
parent:
    wait_for_child
    expect 4, 0
    mark 8, 'P'
    exit 0

    reserve 8
