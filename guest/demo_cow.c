/* What does a fork share, and what does a write cost?
 *
 * A parent fills eight pages and forks. The child writes three of them while
 * both hold them: three copies. When it has gone, the parent writes one of the
 * three and one that was not written: both are its alone, and no copy is made. */
#include "check.h"

enum { PAGES = 8 };

static char pages[PAGES][PAGE] __attribute__((aligned(4096)));

static void show(const char *who)
{
    char letters[PAGES + 1] = "";
    for (int page = 0; page < PAGES; page++)
        letters[page] = pages[page][0];
    say("%s sees  %s", who, letters);
}

static __attribute__((noinline)) void write_page(int page, char letter)
{
    pages[page][0] = letter;
}

int main(void)
{
    for (int page = 0; page < PAGES; page++)
        memset(pages[page], 'p', PAGE);
    show("parent");
    pid_t pid = fork();
    if (pid == 0) {
        write_page(1, 'C');
        write_page(2, 'C');
        write_page(5, 'C');
        show(" child");
        _exit(0);
    }
    status_of(pid);
    write_page(1, 'P');
    write_page(7, 'P');
    show("parent");
    return 0;
}
