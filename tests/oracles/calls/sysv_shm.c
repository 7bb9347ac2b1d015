/* System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2). */
#include "calls.h"
#include <sys/ipc.h>
#include <sys/shm.h>

static struct shmid_ds status;

static void show(int id)
{
    if (shmctl(id, IPC_STAT, &status))
        printf("status: %s\n", strerrorname_np(errno)), errno = 0;
    else
        printf("status: %ld bytes, %ld attached, mode %o, mine %d, created by me %d, attached %d, detached %d\n",
               (long)status.shm_segsz, (long)status.shm_nattch, status.shm_perm.mode, status.shm_perm.uid == getuid(),
               status.shm_cpid == getpid(), status.shm_atime != 0, status.shm_dtime != 0);
    fflush(stdout);
}

static int names(const char *text)
{
    char line[300];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        found += !!strstr(line, text);
    fclose(maps);
    return found;
}

int main(void)
{
    key_t key = 0x656d7500 + getpid() % 250;
    char name[40];
    snprintf(name, sizeof name, "/SYSV%08x (deleted)", key);
    ASK(shmget(key, 100, 0));
    ASK(shmget(key, 0, IPC_CREAT | 0600));
    ASK(shmget(key, -1, IPC_CREAT | 0600));
    int id = shmget(key, 5000, IPC_CREAT | 0640);
    VALUE(id >= 0);
    VALUE(shmget(key, 5000, IPC_CREAT | 0640) == id);
    VALUE(shmget(key, 100, 0) == id);
    VALUE(shmget(key, 0, 0) == id);
    ASK(shmget(key, 5001, 0));
    ASK(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));
    VALUE(shmget(key, 100, 0600) == id);
    show(id);
    char *one = shmat(id, NULL, 0), *two = shmat(id, NULL, SHM_RDONLY);
    VALUE(one != (char *)-1 && two != (char *)-1 && one != two);
    strcpy(one, "shared");
    VALUE(strcmp(two, "shared"));
    show(id);
    VALUE(status.shm_lpid == getpid());
    VALUE(names(name));
    APART((two[0] = 1, 0));
    APART((one[8192] = 1, 0));
    ASK(shmat(id, one + 1, 0) == (void *)-1 ? -1 : 0);
    ASK(shmat(id, one, 0) == (void *)-1 ? -1 : 0);
    ASK(shmat(id, NULL, SHM_REMAP) == (void *)-1 ? -1 : 0);
    ASK(shmat(id, BEYOND, 0) == (void *)-1 ? -1 : 0);
    ASK(shmat(-1, NULL, 0) == (void *)-1 ? -1 : 0);
    ASK(shmat(id + (1 << 15), NULL, 0) == (void *)-1 ? -1 : 0);
    char *place = pages(4, PROT_NONE, MAP_PRIVATE);
    VALUE(shmat(id, place + 4096 + 70, SHM_RND | SHM_REMAP) == place + 4096);
    VALUE(strcmp(place + 4096, "shared"));
    ASK(shmdt(place));
    ASK(shmdt(place + 4096 + 70));
    ASK(shmdt(place + 8192));
    ASK(shmdt(place + 4096));
    ASK(shmdt(place + 4096));
    show(id);
    if (!fork()) {
        show(id);
        strcpy(one, "by the child");
        ASK(shmdt(two));
        show(id);
        _exit(0);
    }
    wait(NULL);
    VALUE(strcmp(two, "by the child"));
    show(id);
    VALUE(status.shm_lpid == getpid());
    ASK(mprotect(two, 4096, PROT_READ | PROT_WRITE));
    ASK(mprotect(one + 4096, 4096, PROT_READ));
    show(id);
    ASK(munmap(one + 4096, 4096));
    show(id);
    status.shm_perm.mode = 0600;
    ASK(shmctl(id, IPC_STAT, &status));
    status.shm_perm.mode = 0604;
    ASK(shmctl(id, IPC_SET, &status));
    show(id);
    ASK(shmctl(id, 99, &status));
    ASK(shmctl(id, IPC_STAT, NOWHERE));
    ASK(shmctl(-1, IPC_RMID, NULL));
    ASK(shmctl(id, IPC_RMID, NULL));
    show(id);
    ASK(shmget(key, 100, 0));
    VALUE(shmat(id, NULL, 0) != (void *)-1);
    VALUE(strcmp(one, "by the child"));
    ASK(shmctl(id, IPC_RMID, NULL));
    ASK(shmdt(one));
    ASK(shmdt(two));
    show(id);
    if (!fork())
        _exit(0);
    wait(NULL);
    int private = shmget(IPC_PRIVATE, 1, 0600), other = shmget(IPC_PRIVATE, 1, 0600);
    VALUE(private != other);
    VALUE(names("SYSV00000000"));
    void *at = shmat(private, NULL, SHM_EXEC);
    VALUE(names("SYSV00000000"));
    ASK(shmctl(private, IPC_RMID, NULL));
    ASK(shmctl(other, IPC_RMID, NULL));
    ASK(shmdt(at));
    ASK(shmctl(private, IPC_STAT, &status));
    /* Of another user. */
    int guarded = shmget(IPC_PRIVATE, 4096, 0000);
    VALUE(shmctl(guarded, IPC_STAT, &status));
    ASK(shmat(guarded, NULL, 0) == (void *)-1 ? -1 : 0);
    ASK(shmctl(guarded, IPC_RMID, NULL));
    return 0;
}
