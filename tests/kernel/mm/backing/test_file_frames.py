"""Do files in memory consist of the machine's frames, and do mappings show these frames?"""

import pytest

from emu.lab.simulation.cpu import Killed
from emu.machine.pte import PAGE_SIZE, ppn
from kernel.base.errors import Errno
from kernel.mm.outcome import Outcome
from kernel.mm.physical.frames import Kind
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.memfs.memfs import MemFs
from tests.emu.commands import machine, program
from tests.kernel.worlds import BASE, World, mapped_file

P = PAGE_SIZE


@pytest.fixture
def world() -> World:
    """A world whose files are in its own frames."""
    new_world = World(128)
    new_world.files = MemFs(owner=Credentials(0, 0), pages=new_world.cache.memory)
    return new_world


def test_do_the_bytes_of_a_file_take_frames(world: World) -> None:
    before = world.frames.used
    node = world.file(b"x" * (2 * P + 1))
    assert world.frames.used == before + 3
    node.truncate_file(P)
    assert world.frames.used == before + 1
    node.write_file(100 * P, b"far")
    assert world.frames.used == before + 2, "a hole uses no frame"
    assert world.files.statfs().bfree == 64 - 2, "the file system has half of the memory"
    world.check()


def test_does_a_mapping_show_the_files_frames(world: World) -> None:
    node = world.file(b"one page")
    space = world.space()
    mapped_file(world, space, node, 1, at=BASE, shared=True)
    used, tables = world.frames.used, world.frames.tables_made
    changed = node.stat().mtime
    world.load(space, BASE)
    world.store(space, BASE, b"ONE")
    assert node.stat().mtime == changed, "a page that was read takes stores without a fault"
    assert node.read_file(0, 8) == b"ONE page"
    node.write_file(4, b"PAGE")
    assert world.load(space, BASE, 8) == b"ONE PAGE"
    frame = ppn(space.table.pte(BASE))
    assert list(node.blocks.held().values()) == [frame]
    assert (world.frames.kind(frame), world.frames.count(frame)) == (Kind.CACHE, 2)
    assert world.frames.used - used == world.frames.tables_made - tables, "only tables were added"
    world.check()


def test_does_a_store_to_a_page_that_was_not_read_change_the_files_time(world: World) -> None:
    node = world.file(b"one page")
    space = world.space()
    mapped_file(world, space, node, 1, at=BASE, shared=True)
    changed = node.stat().mtime
    world.store(space, BASE, b"ONE")
    assert node.stat().mtime > changed


def test_does_a_private_store_leave_the_file_unchanged(world: World) -> None:
    node = world.file(b"one page")
    space = world.space()
    mapped_file(world, space, node, 1, at=BASE)
    world.store(space, BASE, b"ONE")
    assert world.outcomes[-1] is Outcome.FILE_COPIED
    assert node.read_file(0, 8) == b"one page"
    world.check()


def test_does_a_file_live_for_as_long_as_it_is_mapped(world: World) -> None:
    before = world.frames.used
    node = world.file(b"kept" * P)
    space = world.space()
    mapped_file(world, space, node, 4, at=BASE, shared=True)
    world.files.root.unlink("file0")
    del node
    assert world.load(space, BASE + 3 * P, 4) == b"kept"
    world.check()
    world.exit(space)
    assert world.frames.used == before, "its frames are released with the last mapping"
    world.check()


def test_is_a_page_beyond_the_new_end_unmapped(world: World) -> None:
    node = world.file(b"x" * 3 * P)
    space = world.space()
    mapped_file(world, space, node, 3, at=BASE, shared=True)
    world.store(space, BASE + 2 * P, b"stored")
    node.truncate_file(P + 1)
    with pytest.raises(Killed) as caught:
        world.load(space, BASE + 2 * P)
    assert caught.value.outcome is Outcome.BUS_ADRERR
    node.truncate_file(3 * P)
    assert world.load(space, BASE + P, 2) == b"x\0", "bytes beyond the end read as zeros"
    assert world.load(space, BASE + 2 * P, 6) == bytes(6)
    world.check()


def test_is_a_store_without_free_space_a_bus_error(world: World) -> None:
    node = world.file(b"")
    node.truncate_file(1000 * P)
    space = world.space()
    mapped_file(world, space, node, 1000, at=BASE, shared=True)
    for page in range(64):  # half of memory
        world.store(space, BASE + page * P, b"x")
    with pytest.raises(Killed) as caught:
        world.store(space, BASE + 64 * P, b"x")
    assert caught.value.outcome is Outcome.BUS_ADRERR
    world.check()


def test_do_files_leave_frames_to_processes(world: World) -> None:
    everything = MemFs(owner=Credentials(0, 0), pages=world.cache.memory, limit=1 << 30)
    node = everything.root.create("all", 0o600)
    size = everything.statfs().bfree * P
    assert node.write_file(0, bytes(size + P)) == size
    with pytest.raises(Errno, match="ENOSPC"):
        node.write_file(size, b"x")
    assert world.frames.total - world.frames.used == world.frames.total // 16
    assert everything.statfs().bfree == 0
    node.truncate_file(0)
    assert node.write_file(0, b"again") == 5


def test_is_a_hole_punched_through_mappings(world: World) -> None:
    node = world.file(b"x" * 4 * P)
    used = world.frames.used
    node.punch(10, 2 * P + 10)
    assert world.frames.used == used - 1, "the only whole page"
    assert node.read_file(0, 4 * P) == b"x" * 10 + bytes(2 * P) + b"x" * (2 * P - 10)
    space = world.space()
    mapped_file(world, space, node, 4, at=BASE, shared=True)
    world.store(space, BASE + 3 * P, b"stored")
    node.punch(3 * P, 4 * P)
    assert world.load(space, BASE + 3 * P, 6) == bytes(6)
    world.check()


def test_is_all_space_reserved_or_none(world: World) -> None:
    node = world.file(b"x" * P)
    used = world.frames.used
    node.reserve(0, 4 * P)
    assert world.frames.used == used + 3
    with pytest.raises(Errno, match="ENOSPC"):
        node.reserve(4 * P, 100 * P)
    with pytest.raises(Errno, match="ENOSPC"):
        node.reserve(0, 1 << 60)
    assert world.frames.used == used + 3
    assert node.size == P
    node.truncate_file(0)
    assert world.frames.used == used - 1


def test_do_memory_statistics_include_files() -> None:
    text = """
    #include <fcntl.h>
    #include <stdio.h>
    #include <sys/statvfs.h>
    #include <sys/sysinfo.h>
    #include <unistd.h>
    static char block[1 << 20];
    static void figures(void) {
        struct sysinfo all;
        struct statvfs tmp;
        sysinfo(&all);
        statvfs("/tmp", &tmp);
        long free = 0, shared = 0;
        char line[80];
        FILE *meminfo = fopen("/proc/meminfo", "r");
        while (fgets(line, sizeof line, meminfo))
            sscanf(line, "MemFree: %ld", &free), sscanf(line, "Shmem: %ld", &shared);
        fclose(meminfo);
        long page = all.mem_unit / 1024;
        printf("%ld %ld %ld %ld %ld %ld\\n", all.totalram * page, all.freeram * page,
               all.sharedram * page, free, shared, tmp.f_bfree * 4);
    }
    int main(void) {
        for (int n = 0; n < 1 << 20; n += 4096) block[n] = 1;
        figures(); /* brings in its own code and stdio's */
        figures();
        int file = open("/tmp/file", O_CREAT | O_WRONLY, 0600);
        for (int n = 0; n < 8; n++) if (write(file, block, sizeof block) != sizeof block) return 1;
        figures();
        return ftruncate(file, 0) ? 1 : (figures(), 0);
    }
    """
    result = machine(memory=32 << 20).run([program("figures", text)])
    assert result.status == 0, result
    lines = [list(map(int, line.split())) for line in result.stdout.splitlines()]
    before, full, after = lines[1:]
    assert before[0] == 32 << 10
    assert (before[2], before[4], before[5]) == (0, 0, 16 << 10)
    changes = [full[n] - before[n] for n in range(1, 6)]
    assert [round(change / 1024) for change in changes] == [-8, 8, -8, 8, -8], "MiB"
    assert after[4:] == before[4:]
    assert abs(after[1] - before[1]) < 64, "KiB: except for stdio's buffers"
