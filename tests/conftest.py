"""What all tests rely on."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

_DEFAULTS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGQUIT: signal.SIG_DFL,
}


@pytest.fixture(autouse=True)
def signals_are_received() -> Iterator[None]:
    """They may be ignored in the process that runs the tests: under nohup, or in the background."""
    ignored = [number for number in _DEFAULTS if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, _DEFAULTS[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
