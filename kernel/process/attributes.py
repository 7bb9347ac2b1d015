"""Attributes of a process that prctl(2) and files of /proc/PID set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Attributes:
    """Attributes that children inherit."""

    dumpable: int = 1
    keeps_capabilities: int = 0
    timer_slack: int = 50_000
    no_new_privileges: int = 0
    oom_score_adjustment: int = 0
    oom_score_least: int = 0
    """Minimum of ``oom_score_adjustment`` without CAP_SYS_RESOURCE."""
    core_filter: int = 0x33

    def copy(self) -> Attributes:
        return Attributes(
            self.dumpable,
            self.keeps_capabilities,
            self.timer_slack,
            self.no_new_privileges,
            self.oom_score_adjustment,
            self.oom_score_least,
            self.core_filter,
        )

    def after_exec(self) -> None:
        self.dumpable, self.keeps_capabilities = 1, 0
