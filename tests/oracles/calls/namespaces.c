/* Calls that need privilege, and what works without: unshare, setns, file handles, fanotify. */
#include "calls.h"
#include <pthread.h>

static void *sleeps(void *unused) { return pause(), NULL; }

int main(void)
{
    int file = bytes_file(0), process = CALL(pidfd_open, getpid(), 0), nothing = open("/", O_PATH);
    ASK(unshare(0));
    ASK(unshare(1));
    ASK(unshare(CLONE_PARENT));
    ASK(unshare(CLONE_NEWNS | 1));
    ASK(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM));
    ASK(unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM));
    ASK(unshare(CLONE_NEWNS));
    ASK(unshare(CLONE_NEWPID | CLONE_NEWNET));
    ASK(unshare(CLONE_NEWUTS | CLONE_FS));
    ASK(unshare(CLONE_NEWIPC));
    ASK(unshare(CLONE_NEWCGROUP));
    ASK(setns(-1, 0));
    ASK(setns(file, 0));
    ASK(setns(file, CLONE_NEWNS));
    ASK(setns(nothing, CLONE_NEWNS));
    ASK(setns(process, 0));
    ASK(setns(process, 1));
    ASK(setns(process, CLONE_NEWNS));
    ASK(setns(process, CLONE_NEWUSER));
    ASK(CALL(fanotify_init, 0, 0));
    ASK(CALL(fanotify_init, -1, 0));
    ASK(CALL(fanotify_mark, -1, 1, 1L, AT_FDCWD, "/"));
    ASK(CALL(fanotify_mark, file, 1, 1L, AT_FDCWD, "/"));
    ASK(CALL(fanotify_mark, -1, 0, 1L, AT_FDCWD, "/"));
    ASK(CALL(fanotify_mark, -1, 3, 1L, AT_FDCWD, "/"));
    ASK(CALL(fanotify_mark, -1, 1, 1L << 32, AT_FDCWD, "/"));
    struct file_handle *handle = calloc(1, 256);
    int mount;
    ASK(CALL(name_to_handle_at, AT_FDCWD, "/no such file", handle, &mount, 0));
    ASK(CALL(name_to_handle_at, AT_FDCWD, "/", handle, &mount, 1 << 30));
    ASK(CALL(name_to_handle_at, AT_FDCWD, NOWHERE, handle, &mount, 0));
    ASK(CALL(name_to_handle_at, -1, "a", handle, &mount, 0));
    handle->handle_bytes = 128;
    ASK(CALL(name_to_handle_at, AT_FDCWD, "/proc/self/stat", handle, &mount, 0));
    ASK(CALL(open_by_handle_at, AT_FDCWD, handle, O_RDONLY));
    ASK(CALL(open_by_handle_at, AT_FDCWD, NOWHERE, O_RDONLY));
    handle->handle_bytes = 129;
    ASK(CALL(open_by_handle_at, AT_FDCWD, handle, O_RDONLY));

    /* A table and a working directory that two processes share, until one wants its own. */
    int own = dup(file), before = dup(file);
    pid_t child = CALL(clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0);
    if (!child) {
        close(before);
        chdir("/proc");
        if (unshare(CLONE_FILES | CLONE_FS))
            _exit(1);
        close(own);
        chdir("/dev");
        _exit(0);
    }
    int status;
    char here[64];
    VALUE(waitpid(child, &status, 0) == child ? status : -1);
    ASK(fcntl(before, F_GETFD));
    ASK(fcntl(own, F_GETFD));
    VALUE(strcmp(getcwd(here, sizeof here), "/proc"));

    pthread_t thread;
    pthread_create(&thread, NULL, sleeps, NULL);
    ASK(unshare(CLONE_VM));
    ASK(unshare(CLONE_SIGHAND));
    ASK(unshare(CLONE_THREAD));
    ASK(unshare(CLONE_NEWUSER));
    ASK(unshare(0));
    exit(0);
}
