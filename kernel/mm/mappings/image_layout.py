"""Addresses of a program's parts, as /proc/PID/stat shows them (struct mm_struct)."""

from __future__ import annotations

from typing import NamedTuple


class ImageLayout(NamedTuple):
    """Starts and ends of an image's code, data, arguments and environment, and its first sp."""

    code_start: int = 0
    code_end: int = 0
    data_start: int = 0
    data_end: int = 0
    stack_start: int = 0
    arguments_start: int = 0
    arguments_end: int = 0
    environment_start: int = 0
    environment_end: int = 0
