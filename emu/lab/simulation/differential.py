"""Runs a sequence of operations on a student's code and on the reference, and compares the states.

After each operation the invariants must hold, every process must see the same memory, and the cost
(frames copied, PTEs written, frames in use) must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from emu.lab.components.lab_machine import REFERENCE_LIMITS
from emu.lab.host.failures import Finding, KernelStopped, StudentFailed
from emu.lab.host.student import LabFile
from emu.lab.simulation.cpu import EndlessFault
from emu.lab.simulation.machine import OperationResult, SimulatedMachine
from emu.lab.simulation.messages import broken_invariant, page_line, writer_lines
from emu.lab.simulation.operations import Exit, FailAllocation, Fork, Operation, Read, Store
from emu.lab.simulation.outcome_text import OUTCOME_NAMES, outcome_text, write_outcome_text
from emu.lab.simulation.policies import POLICIES
from emu.lab.simulation.state_diff import StateDifference, differing_pages
from emu.lab.simulation.state_view import StateView
from emu.lab.text.pte_text import PAGE_PREFIX
from emu.machine.pte import PAGE_SIZE, RSW1, A, D, G
from kernel.mm.outcome import Outcome

MACHINE_FRAMES = 256
_MOST_WRITES = 4


@dataclass(slots=True)
class Failure:
    """A failure, and the operations that reproduce it."""

    name: str
    """Name of the invariant, or of the expectation."""
    when: str
    lines: list[str]
    operations: list[Operation] = field(default_factory=list)
    """The operations up to the one that failed."""
    policy: str = ""
    frames: int = 0
    """Number of frames of the machine."""
    cause: tuple[str, ...] = ()
    """Equal in failures that the same lines of code cause."""
    difference: StateDifference | None = None
    """Difference from the reference; None if the code did not return from the last operation."""
    reference_steps: frozenset[int] = frozenset()
    """Indices of the operations that the reference did."""

    @property
    def names(self) -> frozenset[str]:
        """Names of all errors found."""
        return self.difference.names if self.difference is not None else frozenset((self.name,))

    @classmethod
    def of(cls, failed: StudentFailed) -> Failure:
        """Returns the failure of a test that ended before the first operation."""
        return cls(failed.name, failed.headline, failed.details)


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """Configuration of a differential run."""

    files: Sequence[LabFile]
    solutions: Sequence[LabFile]
    """The reference solution of each of ``files``."""
    policy: str
    """Fork policy of the reference kernel."""
    frames: int = MACHINE_FRAMES
    reference_steps: frozenset[int] = frozenset()
    """Indices of the operations in which ``solutions`` replace ``files``."""

    def reference(self) -> SimulatedMachine:
        """Returns a machine with the project's kernel, and the lab's solution for superpages, which
        that kernel does not have.
        """
        files = [file for file in self.solutions if file.lab == "superpages"]
        return SimulatedMachine(self.frames, POLICIES[self.policy], files, REFERENCE_LIMITS)


def cause_of(failure: StudentFailed) -> tuple[str, ...]:
    """Returns the failure without the line about the page concerned: equal for equal causes."""
    details = [line for line in failure.details if not line.startswith(PAGE_PREFIX)]
    return (failure.name, failure.headline, *details)


def run_differential(
    config: SimulationConfig, operations: Sequence[Operation], trace: Trace | None = None
) -> Failure | None:
    """Returns the first failure, or None."""
    try:
        ours = SimulatedMachine(config.frames, POLICIES[config.policy], config.files)
    except StudentFailed as failed:
        return Failure.of(failed)
    reference = config.reference()
    try:
        run = _DifferentialRun(ours, reference, trace)
        for number, operation in enumerate(operations):
            reference_steps = number in config.reference_steps
            ours.replace_student(config.solutions if reference_steps else [])
            failure = run.step(operation)
            if failure is not None:
                failure.operations = list(operations[: number + 1])
                failure.policy, failure.frames = config.policy, config.frames
                failure.reference_steps = config.reference_steps
                return _of_reference(failure) if reference_steps else failure
        return None
    finally:
        ours.close()
        reference.close()


def _of_reference(failure: Failure) -> Failure:
    """Failure in an operation of the reference, caused by earlier ones of the student's code."""
    if failure.difference is not None:
        return failure
    lines = ["the reference, which replaces your code here, fails"]
    return replace(failure, name=KernelStopped.name, when=_UNUSABLE_STATE, lines=lines, cause=())


_UNUSABLE_STATE = "the state that your code left in memory does not allow the run to continue"


class Trace:
    """Observer of a run, called after each operation (``emu lab replay``)."""

    def operation(
        self, operation: Operation, result: OperationResult | None, world: SimulatedMachine
    ) -> None:
        """``result`` is None if the student's code failed in the operation."""


class _DifferentialRun:
    """The two machines, and what has been observed of them so far."""

    def __init__(
        self, ours: SimulatedMachine, reference: SimulatedMachine, trace: Trace | None
    ) -> None:
        self._ours = ours
        self._reference = reference
        self._found = StateView(ours)
        self._wanted = StateView(reference)
        self._trace = trace or Trace()
        self._forks_failed = False
        self._newest = 0
        """Number of the newest process before the operation."""

    def step(self, operation: Operation) -> Failure | None:
        self._newest = self._ours.newest
        self._found, self._wanted = StateView(self._ours), StateView(self._reference)
        wanted = self._reference.do(operation)
        if isinstance(operation, Fork) and "no memory" in wanted.outcome:
            self._forks_failed = True
        result: OperationResult | None = None
        try:
            result, finding = self._done(operation)
        except EndlessFault as endless:
            finding = self._endless_finding(operation, endless)
        except StudentFailed as failure:
            self._trace.operation(operation, None, self._ours)
            names_page = any(line.startswith(PAGE_PREFIX) for line in failure.details)
            page = [] if names_page else self._pages(operation)
            return Failure(
                failure.name,
                self._during(operation, failure),
                [*failure.details, *page],
                cause=cause_of(failure),
            )
        self._trace.operation(operation, result, self._ours)
        if finding is None:
            assert result is not None
            finding = next(self._differences(operation, result, wanted), None)
        if finding is None:
            return None
        difference = self._damage(operation, finding, result, wanted)
        return Failure(finding.name, self._when(operation), finding.lines, difference=difference)

    def _damage(
        self,
        operation: Operation,
        finding: Finding,
        result: OperationResult | None,
        wanted: OperationResult,
    ) -> StateDifference:
        """Returns the difference from the state of the reference."""
        names = finding.also | {finding.name}
        if result is None:
            return StateDifference(names, frozenset(), missing=True, fatal=True)
        try:
            names |= {each.name for each in self._differences(operation, result, wanted)}
            pages, missing = differing_pages(self._found, self._wanted)
        except Exception:  # any error caused by the student's tables
            return StateDifference(names, frozenset(), missing=True, fatal=True)
        ends = [self._as_compared(operation, each.outcome) for each in (result, wanted)]
        lives = all(word in _RESOLVED for end in ends for word in end.split(", "))
        return StateDifference(names, pages, missing, fatal=ends[0] != ends[1] and not lives)

    def _done(self, operation: Operation) -> tuple[OperationResult, Finding | None]:
        """Executes the operation on the student's machine, and checks the invariants."""
        try:
            return self._ours.do(operation), broken_invariant(self._ours)
        except (StudentFailed, EndlessFault):
            raise
        except Exception as error:
            raise KernelStopped(error) from error

    # Comparisons, most specific first.

    def _differences(
        self, operation: Operation, result: OperationResult, wanted: OperationResult
    ) -> Iterator[Finding]:
        found: list[Callable[[], Finding | None]] = [
            lambda: self._of_outcome(operation, result, wanted),
            lambda: self._of_content(operation),
            self._of_bits,
            lambda: self._of_inherited_bits(operation, result),
            lambda: self._of_cost(operation, result, wanted),
        ]
        for look in found:
            if (finding := look()) is not None:
                yield finding

    def _of_outcome(
        self, operation: Operation, result: OperationResult, wanted: OperationResult
    ) -> Finding | None:
        got = self._as_compared(operation, result.outcome)
        due = self._as_compared(operation, wanted.outcome)
        if got == due:
            return None
        name = OUTCOME_NAMES.get(due, "right-outcome")
        text = write_outcome_text if isinstance(operation, Read) else outcome_text
        lines = [f"your kernel: {text(result.outcome)}; expected: {text(wanted.outcome)}"]
        return Finding(name, lines + self._pages(operation))

    def _as_compared(self, operation: Operation, outcome: str) -> str:
        """Removes parts of an outcome that may differ: after a failed fork pages may be left COW
        and reused later; the order in which the kernel's write reaches pages is not specified.
        """
        if isinstance(operation, Read):
            return next((word for word in ("EFAULT", "no memory") if word in outcome), "ok")
        if not self._forks_failed:
            return outcome
        words = [word for word in outcome.split(", ") if word not in (Outcome.REUSED, "ok")]
        return ", ".join(words) or "ok"

    def _of_content(self, operation: Operation) -> Finding | None:
        for pid in self._reference.spaces:
            ptes = self._found.pages(pid)
            for va, pte in self._wanted.pages(pid).items():
                wanted = self._wanted.content(pte)
                found = self._found.content(ptes[va]) if va in ptes else None
                if wanted is not None and found != wanted:
                    return self._wrong_bytes(operation, pid, va, wanted, found)
        return None

    def _wrong_bytes(
        self, operation: Operation, pid: int, va: int, wanted: bytes, found: bytes | None
    ) -> Finding:
        if found is None:
            lines = [f"pid {pid} has lost its page at {va:#x}", page_line(self._ours, pid, va)]
            return Finding("isolation", lines)
        at = next(index for index in range(PAGE_SIZE) if wanted[index] != found[index])
        lines = [
            f"pid {pid} has {found[at]:#04x} at {va + at:#x} (expected {wanted[at]:#04x})",
            page_line(self._ours, pid, va),
        ]
        writer = getattr(operation, "pid", None)
        if writer not in (None, pid) and isinstance(operation, Store | Read):
            lines.append(f"pid {writer} wrote it: the two processes are not isolated")
            lines.append(page_line(self._ours, writer, va))
        return Finding("isolation", lines)

    def _of_bits(self) -> Finding | None:
        """Checks that A and D are not cleared: D shows which pages must be written back (priv.
        spec, "Addressing and Memory Protection" of Sv32).
        """
        for pid in self._reference.spaces:
            found = self._found.pages(pid)
            for va, wanted in self._wanted.pages(pid).items():
                if found.get(va, wanted) & ~wanted & G:
                    lines = [f"{page_line(self._ours, pid, va)}   ← G was set"]
                    return Finding("bits-are-kept", lines)
                if lost := wanted & ~found.get(va, wanted) & (A | D):
                    verb = "are" if lost == A | D else "is"
                    return self._wrong_bits(pid, va, f"{_bits(lost)} {verb} missing")
        return None

    def _wrong_bits(self, pid: int, va: int, what: str) -> Finding:
        """Returns a finding with the page and the line that wrote its PTE."""
        line = f"{page_line(self._ours, pid, va)}   ← {what}"
        address = self._ours.spaces[pid].table.pte_address(va) or 0
        return Finding("bits-are-kept", [line, *writer_lines(self._ours.bus, address)])

    def _of_inherited_bits(self, operation: Operation, result: OperationResult) -> Finding | None:
        """Checks that a child's PTEs have the bits of its parent's: no D for a page without a
        store, and no G, which would let an address space use translations of another.
        """
        child = max(self._ours.spaces, default=0)
        if not isinstance(operation, Fork) or operation.pid not in self._ours.spaces:
            return None
        if result.outcome != "ok":
            return None
        parents = self._found.pages(operation.pid)
        for va, pte in self._found.pages(child).items():
            if wrong := (pte ^ parents.get(va, pte)) & (A | D | G | RSW1):
                return self._wrong_bits(child, va, f"{_bits(wrong)} differs from the parent")
        return None

    def _of_cost(
        self, operation: Operation, result: OperationResult, wanted: OperationResult
    ) -> Finding | None:
        if result.copies > wanted.copies and "no memory" not in wanted.outcome:
            lines = [f"{_number(result.copies, 'frame')} copied (expected {wanted.copies})"]
            return Finding("exact-copies", lines)
        if result.used > wanted.used:
            more = result.used - wanted.used
            return Finding(
                "nothing-is-lost",
                [f"{result.used} frames are in use, {more} too many"],
            )
        if result.used < wanted.used:
            return Finding(
                "nothing-is-lost",
                [f"{result.used} frames are in use (expected {wanted.used})"],
            )
        counted = isinstance(operation, Fork | Store | Read) and not self._forks_failed
        # A killed process exits, which may clear its tables.
        lives = getattr(operation, "pid", 0) in self._reference.spaces
        if counted and lives and result.ptes > wanted.ptes:
            lines = [
                f"{_number(result.ptes, 'PTE')} written (expected {wanted.ptes})",
                *_pte_writes(self._ours.command_log()),
            ]
            return Finding("exact-pte-writes", lines)
        return None

    # Messages.

    def _endless_finding(self, operation: Operation, endless: EndlessFault) -> Finding:
        outcomes = ", ".join(endless.outcomes)
        lines = [
            f"the access to {endless.va:#x} faults repeatedly, and the handler returns: {outcomes}",
            *self._pages(operation),
        ]
        return Finding("fault-is-repaired", lines)

    def _pages(self, operation: Operation) -> list[str]:
        """Returns a line about the page of the operation, in its current state."""
        va = getattr(operation, "va", None)
        pid = getattr(operation, "pid", 0)
        if va is None or pid not in self._ours.spaces:
            return []
        return [page_line(self._ours, pid, va)]

    def _when(self, operation: Operation) -> str:
        if isinstance(operation, Fork):
            child = self._ours.newest
            if child == self._newest:
                return f"after a fork() without a free frame, pid {operation.pid}"
            if operation.children > 1:
                return f"after fork(), pid {operation.pid}, {operation.children} times"
            return f"after fork(), pid {operation.pid} → {child}"
        if isinstance(operation, Exit):
            return f"after exit(), pid {operation.pid}"
        return f"after: {operation}"

    def _during(self, operation: Operation, failure: StudentFailed) -> str:
        if isinstance(operation, FailAllocation):
            return failure.headline
        return f"{failure.headline}   when {operation}"


_RESOLVED = {
    "ok",
    Outcome.COPIED,
    Outcome.REUSED,
    Outcome.ZERO_FILLED,
    Outcome.ZERO_SHARED,
    Outcome.STACK_GROWN,
    Outcome.SPURIOUS,
}
"""Outcomes after which the access succeeds."""

_BITS = ((A, "A"), (D, "D"), (G, "G"), (RSW1, "RSW1"))


def _bits(pte: int) -> str:
    """Returns the names of the bits that are set."""
    return " and ".join(name for bit, name in _BITS if pte & bit)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{' was' if count == 1 else 's were'}"


def _pte_writes(log: list[str]) -> list[str]:
    """Returns the writes of leaf PTEs: those of PTEs written twice, or the last ones."""
    writes = [line for line in log if line.startswith("PTE at ") and " ------- " not in line]
    ptes = [line.split(":")[0] for line in writes]
    twice = [line for line, pte in zip(writes, ptes, strict=True) if ptes.count(pte) > 1]
    return [" ".join(line.split()) for line in (twice or writes)[-_MOST_WRITES:]]
