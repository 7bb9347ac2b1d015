"""Graded tests that run guest programs, which check their own memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from emu.lab.components.lab_machine import LabMachine
from emu.lab.graded.submission import Submission
from emu.lab.host.failures import KernelStopped, StudentFailed
from emu.lab.host.student_process import Limits
from emu.lab.simulation.differential import Failure, cause_of
from emu.lab.simulation.messages import invariant_finding
from emu.options import Options

_MEMORY = 16 << 20
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class GuestProgram:
    """A program of :mod:`guest` that checks itself, run on the student's kernel."""

    name: str
    question: str
    guest: str
    points: int = 5
    status: int = 0
    """Exit status of a correct run."""
    memory: int = _MEMORY
    source: Path | None = None
    """C file to use instead of the project's guest of that name."""

    def run(self, submission: Submission) -> Failure | None:
        program = build_guest(self.source or guest_source(self.guest))
        options = Options(memory=self.memory, timeout=_SECONDS, check=True)
        try:
            machine = LabMachine(submission.files, self.memory, Limits(seconds=5))
        except StudentFailed as failed:
            return Failure.of(failed)
        try:
            return self._run(machine, options, program)
        except StudentFailed as failed:
            return self._stopped(failed)
        finally:
            machine.close()

    def _stopped(self, failed: StudentFailed) -> Failure:
        when = f"{failed.headline}   in guest {self.guest}"
        return Failure(failed.name, when, failed.details, cause=cause_of(failed))

    def _run(self, machine: LabMachine, options: Options, program: Path) -> Failure | None:
        from emu.api import Machine
        from kernel.check.violation import InvariantBroken

        try:
            result = Machine(options, machine.parts()).run([program], record=False)
        except InvariantBroken as broken:
            finding = invariant_finding(broken, machine.bus)
            return Failure(finding.name, f"in guest {self.guest}", finding.lines)
        except StudentFailed:
            raise
        except Exception as error:
            raise KernelStopped(error) from error
        if result.status != self.status:
            output = (result.stdout + result.stderr).decode(errors="replace").splitlines()[-6:]
            when = f"guest {self.guest} ended with status {result.status}"
            return Failure("isolation", when, [*output, *result.notes[-3:]])
        if self.source is None and (
            lost := _missing(result.stdout, reference_output(program, self.memory))
        ):
            when = f"guest {self.guest} printed less than on the reference kernel"
            return Failure("isolation", when, [f"not printed: {line}" for line in lost[:6]])
        if leaked := result.summary["frames_leaked"]:
            return Failure("nothing-is-lost", f"guest {self.guest}", [f"{leaked} frames are lost"])
        return None


def guest_source(name: str) -> Path:
    """Returns the C file of a guest of the project."""
    import guest

    return Path(guest.__file__).with_name(f"{name}.c")


@cache
def reference_output(program: Path, memory: int) -> bytes:
    """Returns the output of a guest on the reference kernel: the same in every run."""
    from emu.api import Machine

    machine = Machine(memory=memory, timeout=_SECONDS)
    return machine.run([program], record=False).stdout


def _missing(reference_output: bytes, expected: bytes) -> list[str]:
    """Returns the lines that occur more often in ``expected`` than in ``printed``."""
    missing = Counter(expected.splitlines()) - Counter(reference_output.splitlines())
    return [line.decode(errors="replace") for line in missing.elements()]


@cache
def build_guest(source: Path) -> Path:
    """Builds the program, or takes it from the toolchain's cache."""
    from toolchain.build import build

    return build([source])
