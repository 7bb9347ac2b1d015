/* Does a program run that has no C library at all? */
#include "exact.h"

    .globl _start
_start:
    li a0, 1
    lla a1, text
    li a2, 27
    call SYS_write
    exit 0

text:
    .ascii "Hello without a C library.\n"
