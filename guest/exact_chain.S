/* Four processes in a chain share 8 pages; the last writes first, the root last.
 *
 * 24 copied: each of the three below the root finds an ancestor still holding
 * the frame. 8 reused by the root. */
#include "exact.h"

    .globl _start
_start:
    mark 8, 'P'
    li s0, 3            /* forks to come */
down:
    beqz s0, up
    addi s0, s0, -1
    fork
    beqz a0, down
    wait_for_child
up:
    expect 7, 'P'
    mark 8, 'C'
    expect 7, 'C'
    exit 0

    reserve 8
