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
"""Names of failures, by the outcome that was expected."""

_WORDS = {
    "ok": "the access succeeds",
    "copied": "the page is copied",
    "reused": "the page is reused, without a copy",
    "segv_accerr": "the process is killed: its mapping forbids the access",
    "segv_maperr": "the process is killed: nothing is mapped there",
    "out_of_memory": "the process is killed: no frame is free",
    "no memory": "it fails: no frame is free",
    "zero_filled": "the page gets a frame of zeroes",
    "zero_shared": "the page maps the shared frame of zeroes",
    "stack_grown": "the stack grows",
}


def outcome_text(outcome: str) -> str:
    return ", then ".join(_WORDS.get(word, word) for word in outcome.split(", "))


_WORDS_OF_A_WRITE = {
    "ok": "the bytes are written",
    "segv_accerr": "a page is not writable",
    "segv_maperr": "nothing is mapped there",
    "out_of_memory": "no frame is free",
    "EFAULT": "the write ends there",
}
"""Texts for outcomes of the kernel's write, which does not kill the process."""


def write_outcome_text(outcome: str) -> str:
    words = outcome.split(", ")
    return ", then ".join(_WORDS_OF_A_WRITE.get(word, _WORDS.get(word, word)) for word in words)
