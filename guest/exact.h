/* Guests without a C library, so that every page fault is one the guest asked
 * for: the counts of a run are exact. They keep everything in registers, and
 * touch no stack. */

.option norelax /* they set no gp, from which a linker would address data */

#define SYS_pipe2 59
#define SYS_close 57
#define SYS_read 63
#define SYS_write 64
#define SYS_exit_group 94
#define SYS_clone 220
#define SYS_wait4 260
#define SIGCHLD 17
#define PAGE 4096

/* A system call whose arguments are in a0… already. */
.macro call number
    li a7, \number
    ecall
.endm

/* fork(2): a0 is 0 in the child. */
.macro fork
    li a0, SIGCHLD
    li a1, 0
    li a2, 0
    li a3, 0
    li a4, 0
    call SYS_clone
.endm

/* Wait for a child, without its status: that would be a write to memory. */
.macro wait_for_child
    li a0, -1
    li a1, 0
    li a2, 0
    li a3, 0
    call SYS_wait4
.endm

.macro exit status
    li a0, \status
    call SYS_exit_group
.endm

/* Store a letter into each of `count` pages from the label `pages` on. */
.macro mark count, letter
    lla t0, pages
    li t1, \count
    li t2, \letter
    li t3, PAGE
1:  sb t2, 0(t0)
    add t0, t0, t3
    addi t1, t1, -1
    bnez t1, 1b
.endm

/* Exit with status 1 unless page number `page` holds a letter. */
.macro expect page, letter
    lla t0, pages
    li t1, PAGE * \page
    add t0, t0, t1
    lbu t1, 0(t0)
    li t2, \letter
    beq t1, t2, 1f
    exit 1
1:
.endm

/* `count` pages of zeros, none of which has a frame yet, at the label `pages`. */
.macro reserve count
    .bss
    .balign PAGE
pages:
    .skip \count * PAGE
.endm
