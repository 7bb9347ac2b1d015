"""Random C programs of forks and writes, from a seed; program.h has the functions that they call.

What a program prints doesn't depend on how its processes are scheduled: one process at a time has
the turn, and only it prints, forks, or touches what others can see. The others go on meanwhile with
their private memory. What qemu-riscv64 7.2 is known to get wrong never occurs: DONTFORK and
WIPEONFORK, vfork, exec, code under two addresses, and each point marked "qemu" in steps.py.
"""

from __future__ import annotations

import random

from tests.oracles.programs.model import (
    ANONYMOUS,
    FILE_PRIVATE,
    FILE_SHARED,
    PAGE,
    PAGES,
    RW,
    SHARED,
    STACK,
    Child,
    Process,
    first_process,
)
from tests.oracles.programs.steps import PRIVATE_STEPS, STEPS, Writer, map_pages, writable

SIZES = ((3, 4), (5, 6), (8, 8), (14, 12))
"""Maximum number of processes of a program, and number of rounds of the first."""
DEEPEST = 3


def program(seed: int) -> str:
    """The text of program ``seed``."""
    return Generator(seed).text()


class Generator:
    def __init__(self, seed: int) -> None:
        self._pick = random.Random(seed)
        self._out = Writer(self._pick)
        self._most_processes, self._rounds = self._pick.choice(SIZES)
        self._processes = 1

    def text(self) -> str:
        out, first = self._out, first_process()
        out.emit("_Alignas(PAGE) byte stack[PAGES * PAGE];", "start(stack);")
        out.call("truncate_file", 4 * PAGE)
        out.call("write_file", 0, 2 * PAGE, 77)
        kinds = (ANONYMOUS, ANONYMOUS, SHARED, FILE_PRIVATE, FILE_SHARED)
        for slot, kind in enumerate(kinds):
            map_pages(out, first, slot, 0, PAGES - 1, RW, kind, 0)
        self._life(first, depth=0, turns=1)
        out.emit("leave(0);")
        return f'#include "program.h"\n\nint main(void)\n{{\n{out.text()}\n}}\n'

    def _life(self, process: Process, depth: int, turns: int) -> None:
        """Emits a process's steps in its turns and between them, and the end of its children."""
        for turn in range(turns):
            if depth:
                self._meanwhile(process)
                self._out.emit("await(line.down);")
            for _ in range(self._pick.randrange(2, 5) if depth else self._rounds):
                self._steps(process, self._pick.randrange(1, 5), alone=True)
                self._relate(process, depth)
            if turn < turns - 1:
                self._out.emit("pass(line.up);")
        while process.children:
            self._finish(process, process.children[0])
        for slot in range(STACK + 1):
            self._out.call("look", slot)

    def _relate(self, process: Process, depth: int) -> None:
        """Emits a fork, or passes the turn to a child."""
        room = depth < DEEPEST and self._processes < self._most_processes
        if room and self._pick.random() < 0.5:
            self._fork(process, depth)
        elif process.children and self._pick.random() < 0.7:
            child = self._pick.choice(process.children)
            if child.turns > 1:
                self._give_turn(process, child)
            else:
                self._finish(process, child)

    def _fork(self, process: Process, depth: int) -> None:
        out = self._out
        process.forks += 1
        self._processes += 1
        name = f"{process.name}_{process.forks}"
        turns = self._pick.randrange(1, 4)
        out.emit(f"struct line line{name};", f"open_line(&line{name});")
        out.emit(f"pid_t pid{name} = fork();", f"if (pid{name} == 0) {{")
        out.indent += 1
        out.emit(f"struct line line = line{name};", f'enter("{name}");')
        before = self._processes
        self._life(process.forked(name), depth + 1, turns)
        if self._pick.random() < 0.15:
            out.emit("die_of_a_fault();")
        out.emit(f"leave({self._pick.randrange(256)});")
        out.indent -= 1
        out.emit("}")
        process.children.append(Child(name, turns, mortal=self._processes == before))

    def _give_turn(self, process: Process, child: Child) -> None:
        self._out.emit(f"pass(line{child.name}.down);")
        self._meanwhile(process)
        self._out.emit(f"await(line{child.name}.up);")
        child.turns -= 1

    def _finish(self, process: Process, child: Child) -> None:
        """Emits the end of a child, or its kill, and the wait for it."""
        if child.mortal and self._pick.random() < 0.15:
            self._out.emit(f"kill(pid{child.name}, SIGKILL);")
        else:
            while child.turns > 1:
                self._give_turn(process, child)
            self._out.emit(f"pass(line{child.name}.down);")
            self._meanwhile(process)
        slot, page = writable(self._pick, process, 1)
        self._out.call("reap", f"pid{child.name}", f"(int *)at({slot}, {page}, 64)")
        self._out.emit(f"close_line(&line{child.name});")
        process.children.remove(child)

    def _meanwhile(self, process: Process) -> None:
        """Emits steps during the turn of another process."""
        self._steps(process, self._pick.randrange(4), alone=False)

    def _steps(self, process: Process, count: int, *, alone: bool) -> None:
        steps = STEPS if alone else PRIVATE_STEPS
        for _ in range(count):
            step = self._pick.choices([step for _, step in steps], [weight for weight, _ in steps])
            step[0](self._out, process, alone)
