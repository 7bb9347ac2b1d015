/* User and group IDs (credentials(7)) of root, who may take any, and of others; kill(2) and chown(2)
   by them. */
#define AS_ROOT 1
#include "calls.h"
#include <grp.h>

static void show(const char *after)
{
    uid_t u[3];
    gid_t g[3], groups[10];
    getresuid(u, u + 1, u + 2), getresgid(g, g + 1, g + 2);
    printf("%s: %d %d %d, %d %d %d, %d groups\n", after, u[0], u[1], u[2], g[0], g[1], g[2], getgroups(10, groups));
    fflush(stdout);
}

/* In a child, as a user with these IDs. */
#define AS(real, effective, saved, statements...) do { \
    if (!fork()) { setgroups(0, NULL); setresgid(real, effective, saved); setresuid(real, effective, saved); \
        show("as"); statements; _exit(0); } \
    wait(NULL); } while (0)
#define DO(call) do { ASK(call); show("  then"); } while (0)

static void changes(void)
{
    uid_t all[] = {0, 10, 20, 30, 40, -1};
    for (int a = 0; a < 6; a++) {
        AS(10, 20, 30, { printf("%d\n", a); DO(setuid(all[a])); });
        AS(10, 20, 30, { printf("%d\n", a); DO(setgid(all[a])); });
        AS(0, 20, 0, { printf("%d\n", a); DO(setuid(all[a])); });
        AS(0, 0, 0, { printf("%d\n", a); DO(setuid(all[a])); DO(setuid(0)); });
        for (int b = 0; b < 6; b++) {
            AS(10, 20, 30, { printf("%d %d\n", a, b); DO(setreuid(all[a], all[b])); });
            AS(10, 20, 30, { printf("%d %d\n", a, b); DO(setregid(all[a], all[b])); });
            AS(0, 0, 0, { printf("%d %d\n", a, b); DO(setreuid(all[a], all[b])); DO(setreuid(0, 0)); });
            AS(10, 20, 30, { printf("%d %d\n", a, b); DO(setresuid(all[a], 20, all[b])); });
            AS(10, 20, 30, { printf("%d %d\n", a, b); DO(setresgid(-1, all[b], all[a])); });
        }
    }
    gid_t groups[3] = {5, 6, 5};
    AS(10, 20, 30, DO(setgroups(0, NULL)));
    AS(0, 0, 0, { DO(setgroups(2, groups)); DO(setgroups(65537, groups)); DO(setgroups(1, NOWHERE)); DO(setgroups(0, NULL)); });
    AS(0, 0, 0, { DO(setresuid(1, 1, 1)); DO(setgid(0)); DO(setgid(5)); DO(setgroups(0, NULL)); });
}

static void signals(void)
{
    int ids[][3] = {{0, 0, 0}, {10, 10, 10}, {20, 20, 20}, {10, 20, 20}, {30, 10, 30}, {30, 30, 10}};
    for (int target = 0; target < 6; target++) {
        pid_t pid = fork();
        if (!pid) {
            setresuid(ids[target][0], ids[target][1], ids[target][2]);
            pause();
        }
        usleep(20000);
        for (int from = 0; from < 6; from++)
            AS(ids[from][0], ids[from][1], ids[from][2], { printf("%d to %d\n", from, target); ASK(kill(pid, 0)); });
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

static void owners(void)
{
    struct stat status;
    int file = bytes_file(0);
    ASK(fchown(file, 10, 20));
    VALUE(fstat(file, &status) ? -1 : status.st_uid * 1000 + status.st_gid);
    AS(10, 10, 10, { ASK(fchown(file, -1, -1)); ASK(fchown(file, 10, 10)); ASK(fchown(file, 11, -1)); ASK(fchown(file, -1, 11)); ASK(fchmod(file, 0640)); });
    AS(11, 11, 11, { ASK(fchown(file, -1, -1)); ASK(fchown(file, 11, -1)); ASK(fchmod(file, 0600)); });
    AS(12, 12, 12, { int own = bytes_file(0); VALUE(fstat(own, &status) ? -1 : status.st_uid * 1000 + status.st_gid); });
    mkdir("/dev/shm/emu_owner", 0700);
    AS(12, 12, 12, { ASK(open("/dev/shm/emu_owner/x", O_CREAT | O_RDWR, 0600)); ASK(chdir("/dev/shm/emu_owner")); });
    chown("/dev/shm/emu_owner", 12, 12);
    AS(12, 12, 12, { ASK(open("/dev/shm/emu_owner/x", O_CREAT | O_RDWR, 0600)); VALUE(stat("/dev/shm/emu_owner/x", &status) ? -1 : status.st_uid); });
    AS(13, 13, 13, ASK(unlink("/dev/shm/emu_owner/x")));
    ASK(unlink("/dev/shm/emu_owner/x"));
    ASK(rmdir("/dev/shm/emu_owner"));
}

int main(void)
{
    changes();
    signals();
    owners();
    return 0;
}
