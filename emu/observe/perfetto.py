"""A trace for Perfetto."""

from __future__ import annotations

from typing import BinaryIO

from emu.observe.records import AnyRecord


class PerfettoTrace:
    """A sink that writes to ``file``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __call__(self, record: AnyRecord) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._file.close()
