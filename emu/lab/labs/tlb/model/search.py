"""Breadth-first search of all sequences of events for the shortest one that does harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emu.lab.labs.tlb.model.events import Event
from emu.lab.labs.tlb.model.hazards import Hazard, find_hazards
from emu.lab.labs.tlb.model.kernel import Answers, FenceReply, Kernel
from emu.lab.labs.tlb.model.machine import Machine


@dataclass(frozen=True, slots=True)
class Step:
    """One event, the student's fences in it, and the machine after it."""

    event: Event
    replies: list[FenceReply]
    machine: Machine
    before: Step | None

    def path(self) -> list[Step]:
        """Sequence of steps that ends with this one."""
        steps, step = [], self
        while True:
            steps.append(step)
            if step.before is None:
                return steps[::-1]
            step = step.before


@dataclass(frozen=True, slots=True)
class HarmfulSequence:
    """A sequence of events, and a harmful access that is possible after it."""

    steps: list[Step]
    hazard: Hazard


@dataclass(frozen=True, slots=True)
class Scenario:
    """Initial state of a search, and the events that can occur."""

    start: Machine
    events: Sequence[Event]
    pages: Sequence[int]
    """Addresses of the pages that are checked for hazards."""


def shortest(scenario: Scenario, answers: Answers, depth: int) -> HarmfulSequence | None:
    """Returns the worst of the shortest harmful sequences; None if there is none of up to ``depth``
    events. Raises :class:`StudentFailed` when a function fails.
    """
    visited = {scenario.start.state()}
    frontier = _next(scenario, answers, None, visited)
    for length in range(1, depth + 1):
        found = [
            (hazard, step)
            for step in frontier
            for hazard in find_hazards(step.machine, scenario.pages)[:1]
        ]
        if found:
            hazard, step = min(found, key=lambda pair: pair[0].harm)
            return HarmfulSequence(step.path(), hazard)
        if length < depth:
            frontier = [
                after for step in frontier for after in _next(scenario, answers, step, visited)
            ]
    return None


def _next(
    scenario: Scenario, answers: Answers, before: Step | None, visited: set[object]
) -> list[Step]:
    """Steps after ``before`` that lead to a new state."""
    start = scenario.start if before is None else before.machine
    steps = []
    for event in scenario.events:
        if not event.is_possible(start):
            continue
        kernel = Kernel(start.copy(), answers)
        event.apply(kernel)
        kernel.machine.fill()
        state = kernel.machine.state()
        if state not in visited:
            visited.add(state)
            steps.append(Step(event, kernel.replies, kernel.machine, before))
    return steps
