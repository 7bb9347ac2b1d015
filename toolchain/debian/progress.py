"""Reports of long work."""

from __future__ import annotations


class Progress:
    """Receives what is being done; this one ignores it."""

    def step(self, text: str) -> None:
        """A step begins, which may take seconds or minutes."""

    def detail(self, text: str) -> None:
        """The step goes on; replaces the detail before."""
