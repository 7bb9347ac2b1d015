"""Do the memory calls behave as in their man pages, with the same errors?"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from emu.lab.simulation.cpu import Killed
from emu.machine.pte import PAGE_SIZE
from kernel.base.budget import Budget, Cost
from kernel.base.errors import Errno, OutOfMemory
from kernel.base.resource_limits import INFINITY, Resource
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.vma import LOWEST, USER_END, Prot
from kernel.syscalls.memory.mappings import Map
from kernel.vfs.core.linux_abi import O_RDONLY, O_RDWR, O_WRONLY
from kernel.vfs.core.open_file import RegularFile
from tests.kernel.syscalls.guests import output, same_as_qemu
from tests.kernel.worlds import BASE, RW, Caller, World, anonymous, mapped_file

P = PAGE_SIZE
ANON = Map.PRIVATE | Map.ANONYMOUS
HUGE = (1 << 64) - 1


@pytest.fixture
def call(world: World) -> Caller:
    caller = Caller(world, world.space())
    caller.process.space.mmap_top = 1 << 37
    return caller


def refused(step: Callable[[], Any]) -> str:
    with pytest.raises(Errno) as caught:
        step()
    return str(caught.value)


def new(call: Caller, pages: int = 4, prot: int = RW, flags: int = 0) -> int:
    return call.mmap(BASE, pages * P, prot, ANON | Map.FIXED | flags, -1, 0)


# mmap.


@pytest.mark.parametrize(
    "address, length, prot, flags, offset, error",
    [
        (0, 0, 3, ANON, 0, "EINVAL"),
        (0, P, 3, Map.ANONYMOUS, 0, "EINVAL"),
        (0, P, 3, ANON, 1, "EINVAL"),
        (0, HUGE, 3, ANON, 0, "ENOMEM"),
        (0, USER_END, 0, ANON, 0, "ENOMEM"),
        (BASE + 1, P, 3, ANON | Map.FIXED, 0, "EINVAL"),
        (USER_END - P, 2 * P, 3, ANON | Map.FIXED, 0, "ENOMEM"),
        (HUGE & ~4095, P, 3, ANON | Map.FIXED, 0, "ENOMEM"),
        (0, P, 3, ANON | Map.FIXED, 0, "EPERM"),
        (0, P, 3, ANON | Map.HUGETLB, 0, "ENOMEM"),
        (0, 1 << 30, 3, ANON, 0, "ENOMEM"),
    ],
)
def test_mmap_refuses(
    call: Caller, address: int, length: int, prot: int, flags: int, offset: int, error: str
) -> None:
    assert refused(lambda: call.mmap(address, length, prot, flags, -1, offset)) == error
    assert call.process.space.vmas == []


@pytest.mark.parametrize(
    "mode, prot, flags, error",
    [
        (O_WRONLY, Prot.READ, Map.PRIVATE, "EACCES"),
        (O_RDONLY, RW, Map.SHARED, "EACCES"),
        (O_WRONLY, Prot.WRITE, Map.SHARED, "EACCES"),
    ],
)
def test_a_mapping_may_do_no_more_than_its_descriptor(
    world: World, call: Caller, mode: int, prot: int, flags: int, error: str
) -> None:
    file = RegularFile(world.file(bytes(P)), mode, "/f").acquire()
    assert refused(lambda: call.mmap(0, P, prot, flags, file, 0)) == error


def test_a_private_mapping_of_a_read_only_file_may_be_written(world: World, call: Caller) -> None:
    file = RegularFile(world.file(b"file"), O_RDONLY, "/f").acquire()
    at = call.mmap(0, P, RW, Map.PRIVATE, file, 0)
    world.store(call.process.space, at, b"mine")
    shared = call.mmap(0, P, Prot.READ, Map.SHARED, file, 0)
    assert refused(lambda: call.mprotect(shared, P, RW)) == "EACCES"


def test_an_address_is_a_hint_without_map_fixed(call: Caller) -> None:
    first = new(call)
    assert call.mmap(BASE + P, P, RW, ANON, -1, 0) not in range(first, first + 4 * P)
    assert call.mmap(BASE + 100 * P + 5, P, RW, ANON, -1, 0) == BASE + 100 * P


def test_map_fixed_replaces_and_noreplace_does_not(world: World, call: Caller) -> None:
    new(call)
    world.store(call.process.space, BASE + P, b"old")
    flags = ANON | Map.FIXED_NOREPLACE
    assert refused(lambda: call.mmap(BASE + P, P, RW, flags, -1, 0)) == "EEXIST"
    assert world.load(call.process.space, BASE + P, 3) == b"old"
    call.mmap(BASE + P, P, RW, ANON | Map.FIXED, -1, 0)
    assert world.load(call.process.space, BASE + P, 3) == bytes(3)


def test_noreserve_may_promise_more_than_there_is(call: Caller) -> None:
    assert call.mmap(0, 1 << 33, RW, ANON | Map.NORESERVE, -1, 0)
    assert call.mmap(0, 1 << 33, Prot.NONE, ANON, -1, 0)


def test_map_populate_brings_the_pages_in(call: Caller) -> None:
    at = call.mmap(0, 3 * P, RW, ANON | Map.POPULATE, -1, 0)
    call.mem.write(at, bytes(8))
    result = at
    call.mincore(at, 3 * P, result)
    assert call.mem.read(result, 3) == b"\1\1\1"


def test_the_limit_of_address_space(call: Caller) -> None:
    call.process.limits[Resource.AS] = (10 * P, 10 * P)
    new(call, 8)
    assert refused(lambda: call.mmap(0, 3 * P, RW, ANON, -1, 0)) == "ENOMEM"
    assert call.mmap(0, 2 * P, RW, ANON, -1, 0)


# munmap, mprotect, madvise, msync, mincore: ranges.


@pytest.mark.parametrize(
    "name, extra", [("munmap", ()), ("mprotect", (3,)), ("madvise", (4,)), ("msync", (4,)),
                    ("mincore", (BASE,))]
)  # fmt: skip
def test_ranges(call: Caller, name: str, extra: tuple[int, ...]) -> None:
    new(call)
    step = getattr(call, name)
    outside = "EINVAL" if name == "munmap" else "ENOMEM"
    wraps = "EINVAL" if name in ("munmap", "madvise") else "ENOMEM"
    assert refused(lambda: step(BASE + 1, P, *extra)) == "EINVAL"
    assert refused(lambda: step(BASE, HUGE & ~4095, *extra)) == wraps
    if name == "msync":
        assert step(BASE, HUGE, *extra) == 0, "the size wraps to 0 when rounded up, as in Linux"
    else:
        assert refused(lambda: step(BASE, HUGE, *extra)) == wraps
    assert refused(lambda: step(USER_END, P, *extra)) == outside
    if name == "munmap":
        assert refused(lambda: step(BASE, 0)) == "EINVAL"
        assert step(BASE + 100 * P, P) == 0
    else:
        assert step(BASE, 0, *extra) == 0
        assert refused(lambda: step(BASE + 3 * P, 2 * P, *extra)) == "ENOMEM"
        assert step(BASE, 1, *extra) == 0


def test_mprotect_refuses_bits_it_does_not_know(call: Caller) -> None:
    new(call)
    assert call.mprotect(BASE, P, 8) == 0, "PROT_SEM is ignored"
    assert refused(lambda: call.mprotect(BASE, P, 16)) == "EINVAL"
    assert refused(lambda: call.mprotect(BASE, P, 0x0300_0000)) == "EINVAL"


@pytest.mark.parametrize("advice, error", [(99, "EINVAL"), (-1, "EINVAL"), (9, "EINVAL")])
def test_unknown_advice(call: Caller, advice: int, error: str) -> None:
    new(call)
    assert refused(lambda: call.madvise(BASE, P, advice)) == error


def test_advice_that_does_nothing_is_taken(call: Caller) -> None:
    new(call)
    for advice in (0, 1, 2, 3, 12, 13, 14, 15, 16, 17, 20, 21):
        assert call.madvise(BASE, P, advice) == 0


def test_discarded_memory_is_zero_and_its_frames_are_back(world: World, call: Caller) -> None:
    new(call)
    world.store(call.process.space, BASE, b"x" * 4 * P)
    used = world.frames.used
    call.madvise(BASE + P, 2 * P, 4)
    assert world.frames.used == used - 2
    assert world.load(call.process.space, BASE + P, P) == bytes(P)
    assert world.load(call.process.space, BASE) == b"x"


def test_discarded_file_memory_is_the_files_again(world: World, call: Caller) -> None:
    mapped_file(world, call.process.space, world.file(b"file"), 1)
    world.store(call.process.space, BASE, b"mine")
    call.madvise(BASE, P, 4)
    assert world.load(call.process.space, BASE, 4) == b"file"


def test_wipe_on_fork_is_for_private_anonymous_memory(world: World, call: Caller) -> None:
    mapped_file(world, call.process.space, world.file(b"file"), 1)
    call.mmap(BASE + P, P, RW, Map.SHARED | Map.ANONYMOUS | Map.FIXED, -1, 0)
    for page in (0, 1):
        assert refused(partial(call.madvise, BASE + page * P, P, 18)) == "EINVAL"


def test_msync_flags(call: Caller) -> None:
    new(call)
    assert refused(lambda: call.msync(BASE, P, 8)) == "EINVAL"
    assert refused(lambda: call.msync(BASE, P, 5)) == "EINVAL"
    assert call.msync(BASE, P, 1) == call.msync(BASE, P, 6) == 0


def test_mincore_says_what_is_in_memory(world: World, call: Caller) -> None:
    new(call)
    world.store(call.process.space, BASE + 2 * P, b"x")
    call.mincore(BASE, 4 * P, BASE + 2 * P)
    assert call.mem.read(BASE + 2 * P, 4) == b"\0\0\1\0"
    assert refused(lambda: call.mincore(BASE, P, 8)) == "EFAULT"


# mremap.


@pytest.mark.parametrize(
    "old, old_size, new_size, flags, to, error",
    [
        (BASE + 1, P, P, 0, 0, "EINVAL"),
        (BASE, P, 0, 0, 0, "EINVAL"),
        (BASE, P, P, 8, 0, "EINVAL"),
        (BASE, P, P, 2, BASE + 50 * P, "EINVAL"),
        (BASE, P, P, 3, BASE + 50 * P + 1, "EINVAL"),
        (BASE, 2 * P, 2 * P, 3, BASE + P, "EINVAL"),
        (BASE, P, P, 3, USER_END, "EINVAL"),
        (BASE, P, P, 3, 0, "EPERM"),
        (BASE, 5 * P, P, 3, BASE + P, "EINVAL"),
        (BASE + 9 * P, P, 2 * P, 1, 0, "EFAULT"),
        (BASE, 5 * P, 6 * P, 1, 0, "EFAULT"),
        (BASE, 4 * P, 6 * P, 0, 0, "ENOMEM"),
        (BASE, 4 * P, 1 << 36, 1, 0, "ENOMEM"),
        (BASE, HUGE, P, 1, 0, "EINVAL"),
        (BASE, P, HUGE, 1, 0, "EINVAL"),
        (BASE, 0, P, 1, 0, "EINVAL"),
    ],
)
def test_mremap_refuses(
    world: World,
    call: Caller,
    old: int,
    old_size: int,
    new_size: int,
    flags: int,
    to: int,
    error: str,
) -> None:
    new(call)
    call.mmap(BASE + 4 * P, P, Prot.READ, ANON | Map.FIXED, -1, 0)
    world.store(call.process.space, BASE, b"kept")
    assert refused(lambda: call.mremap(old, old_size, new_size, flags, to)) == error
    assert world.load(call.process.space, BASE, 4) == b"kept"


def test_mremap_grows_in_place_where_there_is_room_and_moves_where_not(
    world: World, call: Caller
) -> None:
    space = call.process.space
    new(call, 2)
    world.store(space, BASE + P, b"data")
    assert call.mremap(BASE, 2 * P, 4 * P, 0, 0) == BASE
    call.mmap(BASE + 4 * P, P, Prot.READ, ANON | Map.FIXED, -1, 0)
    moved = call.mremap(BASE, 4 * P, 5 * P, 1, 0)
    assert moved != BASE
    assert world.load(space, moved + P, 4) == b"data"
    assert world.load(space, moved + 4 * P) == b"\0"
    with pytest.raises(Killed, match="maperr"):
        world.load(space, BASE)


def test_mremap_shrinks(world: World, call: Caller) -> None:
    new(call)
    world.store(call.process.space, BASE, bytes(4 * P))
    used = world.frames.used
    assert call.mremap(BASE, 4 * P, P, 0, 0) == BASE
    assert world.frames.used == used - 3


def test_mremap_to_a_place_replaces_what_is_there(world: World, call: Caller) -> None:
    space = call.process.space
    new(call, 2)
    to = call.mmap(BASE + 20 * P, 3 * P, RW, ANON | Map.FIXED, -1, 0)
    world.store(space, BASE, b"source")
    world.store(space, to, b"target")
    assert call.mremap(BASE, 2 * P, 2 * P, 3, to) == to
    assert world.load(space, to, 6) == b"source"
    assert [(vma.start, vma.end) for vma in space.vmas] == [(to, to + 3 * P)]


@pytest.mark.parametrize("policy", POLICIES)
def test_pages_that_move_leave_their_range_mapped(world: World, policy: str) -> None:
    """MREMAP_DONTUNMAP, also when it fails for lack of a frame: then nothing has moved."""
    space = world.space()
    anonymous(space, 4)
    world.store(space, BASE, b"moves")
    child = world.fork(space, policy)
    call, to, left = Caller(world, child), BASE + 700 * P, 0
    while True:
        world.frames.total = world.frames.touched + left
        try:
            assert call.mremap(BASE, 2 * P, 2 * P, 7, to) == to
            break
        except OutOfMemory:
            left += 1
        finally:
            world.frames.total = world.ram.frame_count
            world.check()
        assert world.load(child, BASE, 5) == b"moves"
        assert child.find(to) is None
    assert left, "a frame was needed"
    assert world.load(child, to, 5) == b"moves"
    assert world.load(child, BASE, 5) == bytes(5)
    assert world.load(space, BASE, 5) == b"moves", "the parent's page stays"
    world.check()


def test_no_page_moves_if_its_old_range_could_not_stay_mapped(
    world: World, call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    new(call)
    world.store(call.process.space, BASE, b"stays")
    monkeypatch.setattr("kernel.syscalls.memory.mremap.MAX_VMAS", len(call.process.space.vmas) + 2)
    assert refused(lambda: call.mremap(BASE, P, P, 5, 0)) == "ENOMEM"
    assert world.load(call.process.space, BASE, 5) == b"stays"


def test_mremap_of_size_zero_maps_shared_memory_twice(world: World, call: Caller) -> None:
    space = call.process.space
    first = call.mmap(BASE, 2 * P, RW, Map.SHARED | Map.ANONYMOUS | Map.FIXED, -1, 0)
    second = call.mremap(first, 0, 2 * P, 1, 0)
    world.store(space, first + P, b"twice")
    assert world.load(space, second + P, 5) == b"twice"


@pytest.mark.parametrize(
    "to", [0, 8, BASE + 90 * P + 1, USER_END, USER_END - P, (1 << 64) - P, BASE]
)
def test_mremap_of_size_zero_to_a_hostile_place(world: World, call: Caller, to: int) -> None:
    first = call.mmap(BASE, 2 * P, RW, Map.SHARED | Map.ANONYMOUS | Map.FIXED, -1, 0)
    error = "EINVAL" if to else "EPERM"
    assert refused(lambda: call.mremap(first, 0, 2 * P, 3, to)) == error
    world.check()


# brk.


def test_brk_moves_the_end_of_the_heap_and_answers_the_old_one_when_it_can_not(
    world: World, call: Caller
) -> None:
    space = call.process.space
    space.brk_start = space.brk = BASE
    assert call.brk(0) == BASE
    assert call.brk(BASE - 1) == BASE
    assert call.brk(BASE + 100) == BASE + 100
    world.store(space, BASE + 99, b"x")
    assert call.brk(BASE + 3 * P) == BASE + 3 * P
    assert call.brk(BASE + 10) == BASE + 10
    assert call.brk(BASE + 2 * P) == BASE + 2 * P
    assert world.load(space, BASE + 99) == b"x", "the page that stays half in use"
    assert world.load(space, BASE + P) == b"\0"
    call.mmap(BASE + 5 * P, P, RW, ANON | Map.FIXED, -1, 0)
    assert call.brk(BASE + 6 * P) == BASE + 2 * P
    assert call.brk(USER_END) == call.brk(HUGE) == BASE + 2 * P
    call.process.limits[Resource.DATA] = (3 * P, 3 * P)
    assert call.brk(BASE + 4 * P) == BASE + 2 * P
    assert call.brk(BASE) == BASE
    assert [vma.start for vma in space.vmas] == [BASE + 5 * P]


# Whole programs.


def test_errors_as_qemu_gives_them() -> None:
    same_as_qemu(r"""
    long page = 4096;
    char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRY(mmap(NULL, page, PROT_READ, MAP_PRIVATE, 99, 0));
    TRY(mmap(NULL, page, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0));
    TRY(munmap(p + 1, page));
    munmap(p + page, page);
    TRY(munmap(p, 4 * page));
    TRY(mprotect(p, page, PROT_READ));
    TRY(msync(p, page, MS_SYNC));
    TRY(mremap(p, page, 2 * page, 0));
    return 0;
""")


def test_memory_is_shared_between_processes_only_when_it_is_asked_for() -> None:
    assert same_as_qemu(r"""
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char name[] = "/tmp/emu-test-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    ftruncate(fd, 100);
    char *file = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!fork()) { *shared = 1; *own = 1; strcpy(file, "child"); _exit(0); }
    wait(NULL);
    char text[10] = "";
    pread(fd, text, 6, 0);
    say("%d %d %s %s\n", *shared, *own, file, text);
    return 0;
""") == ["1 0 child child"]  # fmt: skip


def test_kernel_writes_are_seen_at_once_by_one_who_has_read_the_page() -> None:
    """The TLB has the zero frame, or a frame shared by fork, when read(2) replaces it."""
    assert same_as_qemu(r"""
    int pipes[2];
    pipe(pipes);
    volatile char *page = mmap(NULL, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char before = page[0];
    write(pipes[1], "first", 6);
    read(pipes[0], (char *)page, 6);
    say("%d %s\n", before, (char *)page);
    if (!fork()) {
        before = page[0];
        write(pipes[1], "child", 6);
        read(pipes[0], (char *)page, 6);
        say("%c %s\n", before, (char *)page);
        _exit(0);
    }
    wait(NULL);
    say("%s\n", (char *)page);
    return 0;
""") == ["0 first", "f child", "first"]  # fmt: skip


def test_a_file_that_shrinks_under_a_mapping_is_a_bus_error() -> None:
    assert output(r"""
static void on(int signo) { say("signal %d\n", signo); _exit(0); }
int main(void) {
    catch(SIGBUS, on, 0);
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    ftruncate(fd, 8192);
    char *file = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    file[5000] = 'x';
    ftruncate(fd, 100);
    say("%d\n", file[0]);
    say("%d\n", file[5000]);
}
""") == ["0", "signal 7"]  # fmt: skip


@pytest.mark.parametrize("kind", [Map.SHARED | Map.ANONYMOUS, Map.SHARED, Map.PRIVATE])
def test_only_private_anonymous_memory_grows_down(world: World, call: Caller, kind: int) -> None:
    call.files.get_usable = lambda fd: RegularFile(world.file(b"file"), O_RDWR, "/file")
    flags = kind | Map.FIXED | Map.GROWSDOWN
    assert refused(lambda: call.mmap(BASE, P, RW, flags, 3, 0)) == "EINVAL"


def test_memory_does_not_grow_down_to_where_null_pointers_point(world: World, call: Caller) -> None:
    call.mmap(LOWEST, P, RW, ANON | Map.FIXED | Map.GROWSDOWN, -1, 0)
    with pytest.raises(Killed, match="segv_maperr"):
        world.store(call.process.space, 8, b"x")


def test_the_heap_does_not_grow_over_what_straddles_its_end() -> None:
    same_as_qemu(r"""
    unsigned long end = (syscall(SYS_brk, 0) + 4095) & -4096UL;
    end = syscall(SYS_brk, end + 8192);
    mmap((void *)(end - 4096), 8192, 3, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say("%d\n", syscall(SYS_brk, end + 4 * 4096) == end);
    return 0;
    """)


def test_what_the_heap_gets_may_be_used_whatever_its_last_page_may() -> None:
    same_as_qemu(r"""
    unsigned long end = (syscall(SYS_brk, 0) + 4095) & -4096UL;
    end = syscall(SYS_brk, end + 4096);
    SHOW(mprotect((void *)(end - 4096), 4096, PROT_NONE));
    say("%d\n", syscall(SYS_brk, end + 4096) == end + 4096);
    *(volatile char *)end = 1;
    return 0;
    """)


def test_bringing_in_much_memory_stops_when_the_user_wants_something(call: Caller) -> None:
    start = call.mmap(0, 1 << 36, Prot.READ, ANON | Map.NORESERVE, -1, 0)
    call.kernel.requests = True
    resident = call.process.space.resident_pages()
    call.mmap(0, 1 << 30, Prot.READ, ANON | Map.NORESERVE | Map.POPULATE, -1, 0)
    assert call.process.space.resident_pages() == resident, "MAP_POPULATE promises nothing"
    assert refused(lambda: call.madvise(start, 1 << 36, 22)) == "EAGAIN"
    call.process.limits[Resource.MEMLOCK] = INFINITY, INFINITY
    assert refused(lambda: call.mlock(start, 1 << 36)) == "EAGAIN"


def test_all_processes_together_have_a_limit_of_mappings(world: World, call: Caller) -> None:
    world.frames.budget = Budget(10 * Cost.MAPPING)
    for page in range(0, 12, 2):
        new_page = BASE + page * P
        call.mmap(new_page, P, RW, ANON | Map.FIXED, -1, 0)
    with pytest.raises(Errno, match="ENOMEM"):
        world.fork(call.process.space)
    world.check()
    assert world.frames.budget.used == 6 * Cost.MAPPING, "the child's mappings are released"
    call.munmap(BASE, 2 * P)
    child = world.fork(call.process.space)
    assert world.frames.budget.used == 10 * Cost.MAPPING
    flags = ANON | Map.FIXED
    assert refused(lambda: call.mmap(BASE + 20 * P, P, RW, flags, -1, 0)) == "ENOMEM"
    world.exit(child)
    assert world.frames.budget.used == 5 * Cost.MAPPING
