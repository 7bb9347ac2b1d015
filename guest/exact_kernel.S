/* One read(2) in a child writes across the boundary of two shared pages.
 *
 * Of 4 pages the kernel's write copies 2, for the child. When it has gone, the
 * parent writes all 4: 4 reused. */
#include "exact.h"

    .globl _start
_start:
    mark 4, 'P'
    lla a0, ends
    li a1, 0
    call SYS_pipe2
    lla t0, ends
    lw s0, 0(t0)
    lw s1, 4(t0)
    mv a0, s1
    lla a1, text
    li a2, 8
    call SYS_write
    fork
    bnez a0, parent
    mv a0, s0
    lla a1, pages
    li t0, 2 * PAGE - 4
    add a1, a1, t0
    li a2, 8
    call SYS_read
    li t0, 8
    bne a0, t0, wrong
    expect 1, 'P'       /* the last 4 bytes of page 1 were written */
    expect 2, 'e'       /* and the first 4 of page 2 */
    exit 0
wrong:
    exit 2
parent:
    wait_for_child
    expect 2, 'P'
    mark 4, 'Q'
    exit 0

text:
    .ascii "abcdefgh"

    reserve 4
ends:
    .skip PAGE
