"""Are the system's properties and the user's identity as reported by Linux?"""

from tests.kernel.syscalls.guests import output, run, same_as_qemu


def test_uname_and_sysinfo() -> None:
    assert output(r"""
#include <sys/utsname.h>
#include <sys/sysinfo.h>
int main(void) {
    struct utsname name;
    uname(&name);
    say("%s %s\n", name.sysname, name.machine);
    struct sysinfo info;
    sysinfo(&info);
    say("%lu %d %d\n", info.totalram * info.mem_unit >> 20, info.freeram < info.totalram, info.procs);
    TRY(uname((void *)8));
    TRY(sysinfo((void *)8));
    return 0;
}
""", memory=64 << 20) == ["Linux riscv64", "64 1 1", "uname((void *)8): EFAULT", "sysinfo((void *)8): EFAULT"]  # fmt: skip  # noqa: E501


def test_ids_can_be_set_to_what_they_are() -> None:
    assert output(r"""
    TRY(setuid(getuid()));
    TRY(setgid(getgid()));
    TRY(setresuid(-1, -1, -1));
    TRY(setuid(getuid() + 1));
    TRY(setreuid(getuid(), getuid() + 1));
    uid_t a, b, c;
    getresuid(&a, &b, &c);
    say("%d\n", a == getuid() && b == geteuid() && c == a);
    TRY(getgroups(0, NULL));
    TRY(getgroups(-1, NULL));
    return 0;
""", user=(1000, 1000)) == [
         "setuid(getuid()): ok", "setgid(getgid()): ok", "setresuid(-1, -1, -1): ok",
         "setuid(getuid() + 1): EPERM", "setreuid(getuid(), getuid() + 1): EPERM", "1",
         "getgroups(0, NULL): ok", "getgroups(-1, NULL): EINVAL"]  # fmt: skip


def test_getrandom() -> None:
    source = r"""
    unsigned char a[300], b[300];
    SHOW(syscall(SYS_getrandom, a, 300, 0));
    SHOW(syscall(SYS_getrandom, b, 300, 1));
    say("differ %d\n", !!memcmp(a, b, 300));
    TRY(syscall(SYS_getrandom, a, 1, 8));
    TRY(syscall(SYS_getrandom, a, 1, 6));
    TRY(syscall(SYS_getrandom, 8, 1, 0));
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    return 0;
"""
    assert same_as_qemu(source)[2] == "differ 1"
    first = run('unsigned x; getentropy(&x, 4); say("%u\\n", x); return 0;', deterministic=True)
    again = run('unsigned x; getentropy(&x, 4); say("%u\\n", x); return 0;', deterministic=True)
    assert first.stdout == again.stdout


def test_prctl() -> None:
    same_as_qemu(r"""
    char name[17] = "";
    TRY(prctl(PR_SET_NAME, "a name that is far too long"));
    prctl(PR_GET_NAME, name);
    say("%s\n", name);
    int signo = 9;
    TRY(prctl(PR_SET_PDEATHSIG, 99));
    TRY(prctl(PR_GET_PDEATHSIG, &signo));
    say("%d\n", signo);
    TRY(prctl(987654));
    TRY(prctl(PR_SET_NAME, 8));
    return 0;
""")


def test_the_name_is_the_threads_and_in_proc() -> None:
    assert output(r"""
    prctl(PR_SET_NAME, "renamed");
    char text[40] = "";
    int fd = open("/proc/self/comm", O_RDONLY);
    read(fd, text, 39);
    say("%s", text);
    return 0;
""") == ["renamed"]  # fmt: skip


def test_what_is_not_there_is_enosys_and_what_is_refused_eperm() -> None:
    assert output(r"""
    TRY(syscall(5000));
    TRY(syscall(-1));
    TRY(syscall(SYS_bpf, 0, 0, 0));
    TRY(syscall(SYS_mount, "a", "/", "b", 0, 0));
    TRY(sethostname("x", 1));
    TRY(syscall(SYS_settimeofday, 0, 0));
    return 0;
""") == ["syscall(5000): ENOSYS", "syscall(-1): ENOSYS", "syscall(SYS_bpf, 0, 0, 0): ENOSYS",
         'syscall(SYS_mount, "a", "/", "b", 0, 0): EPERM', 'sethostname("x", 1): EPERM',
         "syscall(SYS_settimeofday, 0, 0): EPERM"]  # fmt: skip


def test_one_hart() -> None:
    assert output(r"""
    cpu_set_t set;
    CPU_ZERO(&set);
    SHOW(syscall(SYS_sched_getaffinity, 0, 128, &set));
    say("%d of %ld, on %d\n", CPU_COUNT(&set), sysconf(_SC_NPROCESSORS_ONLN), sched_getcpu());
    TRY(sched_getaffinity(0, 4, &set));
    TRY(sched_getaffinity(99999, 128, &set));
    CPU_ZERO(&set);
    TRY(sched_setaffinity(0, sizeof set, &set));
    CPU_SET(3, &set);
    TRY(sched_setaffinity(0, sizeof set, &set));
    return 0;
""")[1] == "1 of 1, on 0"  # fmt: skip


def test_hwprobe_knows_what_it_knows() -> None:
    assert output(r"""
    struct { int64_t key; uint64_t value; } pairs[2] = {{3, 0}, {99, 5}};
    SHOW(syscall(258, pairs, 2, 0, 0, 0));
    say("%ld %lu, %ld %lu\n", pairs[0].key, pairs[0].value, pairs[1].key, pairs[1].value);
    TRY(syscall(258, pairs, 2, 0, 0, 1));
    TRY(syscall(258, 8, 2, 0, 0, 0));
    return 0;
""") == ["syscall(258, pairs, 2, 0, 0, 0) = 0", "3 1, -1 0",
         "syscall(258, pairs, 2, 0, 0, 1): EINVAL",
         "syscall(258, 8, 2, 0, 0, 0): EFAULT"]  # fmt: skip
