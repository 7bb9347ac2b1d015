/* Does a plain C program run? */
#include <stdio.h>

int main(void)
{
    puts("Hello from RISC-V.");
    return 0;
}
