"""Looks through all sequences of events, the short ones first, for one that does harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emu.lab.labs.tlb.model.events import Event
from emu.lab.labs.tlb.model.hazards import Danger, dangers
from emu.lab.labs.tlb.model.kernel import Answers, Asked, Kernel
from emu.lab.labs.tlb.model.machine import Machine


@dataclass(frozen=True, slots=True)
class Step:
    """One event, what the student was asked in it, and the machine after it."""

    event: Event
    asked: list[Asked]
    machine: Machine
    before: Step | None

    def path(self) -> list[Step]:
        """The sequence that ends with it."""
        steps, step = [], self
        while True:
            steps.append(step)
            if step.before is None:
                return steps[::-1]
            step = step.before


@dataclass(frozen=True, slots=True)
class Harmful:
    """A sequence, and what a hart can do after it."""

    steps: list[Step]
    danger: Danger


@dataclass(frozen=True, slots=True)
class World:
    """Where sequences begin, and what can happen in them."""

    start: Machine
    events: Sequence[Event]
    pages: Sequence[int]
    """The pages on which processes look for harm."""


def shortest(world: World, answers: Answers, depth: int) -> Harmful | None:
    """The worst of the shortest sequences that do harm; None when none of ``depth`` events does.

    Raises :class:`StudentFailed` when a function fails.
    """
    seen = {world.start.state()}
    edge = _next(world, answers, None, seen)
    for length in range(1, depth + 1):
        found = [
            (danger, step) for step in edge for danger in dangers(step.machine, world.pages)[:1]
        ]
        if found:
            danger, step = min(found, key=lambda pair: pair[0].harm)
            return Harmful(step.path(), danger)
        if length < depth:
            edge = [after for step in edge for after in _next(world, answers, step, seen)]
    return None


def _next(world: World, answers: Answers, before: Step | None, seen: set[object]) -> list[Step]:
    """The steps from there that lead where no other sequence has led."""
    start = world.start if before is None else before.machine
    steps = []
    for event in world.events:
        if not event.may(start):
            continue
        kernel = Kernel(start.copy(), answers)
        event.do(kernel)
        kernel.machine.fill()
        state = kernel.machine.state()
        if state not in seen:
            seen.add(state)
            steps.append(Step(event, kernel.asked, kernel.machine, before))
    return steps
