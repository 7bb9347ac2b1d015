"""Texts for the outcomes of operations."""

from __future__ import annotations

from kernel.mm.outcome import Outcome

OUTCOME_NAMES: dict[str, str] = {
    Outcome.REUSED: "sole-owner-reuse",
    Outcome.COPIED: "copied-on-write",
    Outcome.SEGV_ACCERR: "read-only-is-kept",
    Outcome.SEGV_MAPERR: "nothing-is-mapped-there",
    Outcome.ZERO_SHARED: "zeroes-are-shared",
    Outcome.ZERO_FILLED: "zero-filled-on-write",
    Outcome.STACK_GROWN: "stack-grows",
    "no memory": "running-out",
    Outcome.OUT_OF_MEMORY: "running-out",
}
"""Names of failures, by the outcome that was expected."""

_WORDS: dict[str, str] = {
    "ok": "the access succeeds",
    Outcome.COPIED: "the page is copied",
    Outcome.REUSED: "the page is reused, without a copy",
    Outcome.SEGV_ACCERR: "the process is killed: its mapping forbids the access",
    Outcome.SEGV_MAPERR: "the process is killed: nothing is mapped there",
    Outcome.OUT_OF_MEMORY: "the process is killed: no frame is free",
    "no memory": "it fails: no frame is free",
    Outcome.ZERO_FILLED: "the page gets a frame of zeroes",
    Outcome.ZERO_SHARED: "the page maps the shared frame of zeroes",
    Outcome.STACK_GROWN: "the stack grows",
    Outcome.FILE: "the page maps a page of a file",
    Outcome.FILE_COPIED: "the page of a file is copied",
    Outcome.SHARED: "the page of the shared mapping is mapped",
    Outcome.SPURIOUS: "nothing is changed: the PTE allows the access",
    Outcome.BUS_ADRERR: "the process is killed: the page is beyond the file's end",
}


def outcome_text(outcome: str) -> str:
    return ", then ".join(_WORDS.get(word, word) for word in outcome.split(", "))


_WORDS_OF_A_WRITE: dict[str, str] = {
    "ok": "the bytes are written",
    Outcome.SEGV_ACCERR: "a page is not writable",
    Outcome.SEGV_MAPERR: "nothing is mapped there",
    Outcome.BUS_ADRERR: "the page is beyond the file's end",
    Outcome.OUT_OF_MEMORY: "no frame is free",
    "EFAULT": "the write ends there",
}
"""Texts for outcomes of the kernel's write, which does not kill the process."""


def write_outcome_text(outcome: str) -> str:
    words = outcome.split(", ")
    return ", then ".join(_WORDS_OF_A_WRITE.get(word, _WORDS.get(word, word)) for word in words)
