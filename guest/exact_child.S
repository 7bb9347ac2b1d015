/* A child writes 5 of 16 pages and ends; then the parent writes all 16.
 *
 * 5 copied: the parent still holds them when the child writes. 16 reused: the
 * child's end, or its copy, has left the parent each page's only owner. */
#include "exact.h"

    .globl _start
_start:
    mark 16, 'P'
    fork
    bnez a0, parent
    mark 5, 'C'
    expect 4, 'C'
    expect 5, 'P'
    exit 0
parent:
    wait_for_child
    expect 4, 'P'
    mark 16, 'Q'
    expect 15, 'Q'
    exit 0

    reserve 16
