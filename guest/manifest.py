"""The table of guests: build flags, run options and expected counts of each.

A guest's question is the first line of its source. It prints its results in
lines that begin with `ok` or `FAIL`, and exits with 0 when all are `ok`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Counts:
    """Frames that store page faults copied, and frames reused without a copy.

    `from_file` counts the first private copy of a file page, which no fork causes.
    """

    copied: int
    reused: int
    from_file: int = 0


@dataclass(frozen=True)
class Guest:
    """One guest program.

    `per_page` has the increase of the counts for each page of its argument N, which
    excludes the C library's own faults; `total` has all counts of a guest without a
    C library. `compare` is false where qemu-riscv64 is known to differ from Linux;
    the opening comment of the source explains it.
    """

    name: str
    per_page: Counts | None = None
    total: Counts | None = None
    compare: bool = True
    libraries: tuple[str, ...] = ()
    memory: str | None = None  # size of physical memory, as for --mem
    musl: bool = True  # can also be built with musl
    huge: bool = False  # has memory for huge pages, and is also run with them everywhere

    @property
    def bare(self) -> bool:
        """True when it runs without a C library."""
        return self.source.suffix == ".S"

    @cached_property
    def source(self) -> Path:
        """Its only source file."""
        assembly = FOLDER / f"{self.name}.S"
        return assembly if assembly.exists() else FOLDER / f"{self.name}.c"

    @property
    def flags(self) -> tuple[str, ...]:
        """Compiler flags in addition to the usual ones."""
        return ("-nostdlib",) if self.bare else tuple(f"-l{name}" for name in self.libraries)

    @property
    def question(self) -> str:
        """The question that it answers, in one line."""
        first = self.source.read_text().partition("\n")[0]
        return first.removeprefix("/*").removesuffix("*/").strip()


GUESTS = (
    # Without a C library: every count is exact.
    Guest("hello_bare", total=Counts(copied=0, reused=0)),
    Guest("exact_child", total=Counts(copied=5, reused=16)),
    Guest("exact_parent", total=Counts(copied=16, reused=16)),
    Guest("exact_chain", total=Counts(copied=24, reused=8)),
    Guest("exact_zero", total=Counts(copied=0, reused=0)),
    Guest("exact_kernel", total=Counts(copied=2, reused=4)),
    # Fork and copy-on-write.
    Guest("hello"),
    Guest("demo_cow"),
    Guest("isolation", per_page=Counts(copied=2, reused=2)),
    Guest("sole_owner", per_page=Counts(copied=0, reused=1)),
    Guest("second_write", per_page=Counts(copied=1, reused=1)),
    Guest("read_only", per_page=Counts(copied=0, reused=0)),
    Guest("zero_page", per_page=Counts(copied=0, reused=0)),
    Guest("fork_tree"),
    Guest("fork_chain", per_page=Counts(copied=7, reused=1)),
    Guest("fork_storm", per_page=Counts(copied=128, reused=1)),
    Guest("snapshot"),
    Guest("segments"),
    Guest("kernel_writes", per_page=Counts(copied=1, reused=0)),
    Guest("straddle", per_page=Counts(copied=2, reused=2)),
    Guest("atomics", per_page=Counts(copied=12, reused=0)),
    # Memory calls. musl does not let a program move the break.
    Guest("brk", per_page=Counts(copied=1, reused=1), musl=False),
    Guest("mappings", per_page=Counts(copied=1, reused=0, from_file=1)),
    Guest("mremap", per_page=Counts(copied=1, reused=0)),
    Guest("madvise", per_page=Counts(copied=0, reused=0)),
    Guest("fork_advice", compare=False),
    Guest("protect", per_page=Counts(copied=2, reused=2)),
    Guest("truncate"),
    Guest("stack_overflow"),
    Guest("large_pages", huge=True),
    Guest("huge_pages", huge=True),
    Guest("oom", compare=False, memory="5M"),
    # Faults that a program catches, and code that changes.
    Guest("segv"),
    # musl dereferences a pointer that glibc passes to the kernel.
    Guest("bad_pointers", musl=False),
    Guest("self_modify"),
    Guest("huge_code", huge=True),
    Guest("code_alias", compare=False),
    # Processes.
    Guest("fork_exec"),
    Guest("spawn"),
    Guest("vfork", per_page=Counts(copied=0, reused=0), compare=False),
    Guest("status"),
    Guest("signals"),
    Guest("pipes"),
    Guest("threads"),
    Guest("robust", compare=False),
    Guest("cpu_time"),
    Guest("interrupted"),
    Guest("fp", libraries=("m",)),
)

BY_NAME = {guest.name: guest for guest in GUESTS}
