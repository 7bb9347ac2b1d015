"""The terminal of a session: what a process knows of its controlling terminal (credentials(7))."""

from __future__ import annotations


class SessionTerminal:
    """A terminal that a session may have as its controlling terminal."""

    outlives_leader = False
    """True when the end of the session's leader takes it from no process."""

    def __init__(self, device: int) -> None:
        self.device = device
        """Device number, as in /proc/PID/stat."""
        self.session = 0
        """The session that it controls; 0 without one."""
        self.foreground = 0
        """Foreground process group; 0 without one."""
