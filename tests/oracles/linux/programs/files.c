/* Files in memory: does the folder of the other programs work on both sides? */
#include "oracle.h"

int main(void)
{
    enter_folder();
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    say("ftruncate: %s", ftruncate(fd, 3 * PAGE) ? strerrorname_np(errno) : "ok");
    char *at = region_of(3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    settle();
    long before = minor_faults();
    store_pages(at, 3, 1);
    say("store to a shared file: %ld faults", minor_faults() - before);
    say("unlink: %s", unlink("file") ? strerrorname_np(errno) : "ok");
    leave_folder();
}
