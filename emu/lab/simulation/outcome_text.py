"""Texts for the outcomes of operations."""

from __future__ import annotations

OUTCOME_NAMES = {
    "reused": "sole-owner-reuse",
    "copied": "copied-on-write",
    "segv_accerr": "read-only-is-kept",
    "segv_maperr": "nothing-is-mapped-there",
    "zero_shared": "zeroes-are-shared",
    "zero_filled": "zero-filled-on-write",
    "stack_grown": "stack-grows",
    "no memory": "running-out",
    "out_of_memory": "running-out",
}
"""The names of failures that test for an outcome, by the outcome that is missing."""

_WORDS = {
    "ok": "the access just happens",
    "copied": "the page is copied",
    "reused": "the page is taken over, without a copy",
    "segv_accerr": "the process is killed, for what its mapping forbids",
    "segv_maperr": "the process is killed, for nothing is mapped there",
    "out_of_memory": "the process is killed, for no frame is left",
    "no memory": "it fails for want of memory",
    "zero_filled": "the page gets a frame of zeroes",
    "zero_shared": "the page shows the shared frame of zeroes",
    "stack_grown": "the stack grows",
}


def outcome_text(outcome: str) -> str:
    return ", then ".join(_WORDS.get(word, word) for word in outcome.split(", "))


_WORDS_OF_A_WRITE = {
    "ok": "the bytes are written",
    "segv_accerr": "a page may not be written",
    "segv_maperr": "nothing is mapped there",
    "out_of_memory": "no frame is left",
    "EFAULT": "the write ends there",
}
"""Outcomes of the kernel's own write, which kills no process."""


def write_outcome_text(outcome: str) -> str:
    words = outcome.split(", ")
    return ", then ".join(_WORDS_OF_A_WRITE.get(word, _WORDS.get(word, word)) for word in words)
