"""What was done about a page fault, in words: of a line, of a page's story, of a run's counts."""

from __future__ import annotations

COPIES = frozenset(("copied", "file_copied"))
"""The outcomes that copy a page."""

OWN = COPIES | {"zero_filled", "stack_grown", "reused"}
"""The outcomes that leave a page with a frame of the process's own."""

TABLE_UNSHARED = "table_unshared"
"""Not an outcome of its own: a leaf table that fork had shared was copied first, then what the
outcome says was done."""

_ZEROES = "new page of zeroes"
_NOTHING = "nothing to do"
_NO_MEMORY = "out of memory"

IN_A_LINE = {
    "zero_shared": "zero page mapped",
    "zero_filled": "zero-filled",
    "stack_grown": "stack grown",
    "file": "file page mapped",
    "file_copied": "file page copied",
    "shared": "shared page mapped",
    "copied": "COPIED",
    "reused": "REUSED",
    "spurious": "already mapped",
    "segv_maperr": "SIGSEGV (nothing mapped)",
    "segv_accerr": "SIGSEGV (not allowed)",
    "bus_adrerr": "SIGBUS (beyond the file's end)",
    "out_of_memory": _NO_MEMORY,
}
IN_A_STORY = IN_A_LINE | {
    "zero_filled": _ZEROES,
    "stack_grown": f"stack grown, {_ZEROES}",
    "file": "the file's page mapped",
    "file_copied": "private copy of the file's page",
    "copied": "sharing broken: COPIED",
    "reused": "TAKEN OVER without a copy",
    "spurious": _NOTHING,
    "segv_maperr": "SIGSEGV, nothing mapped",
    "segv_accerr": "SIGSEGV, not allowed",
    "bus_adrerr": "SIGBUS, beyond the file's end",
}
IN_A_SUMMARY = IN_A_LINE | {
    "zero_shared": "read of untouched memory, the zero page",
    "zero_filled": _ZEROES,
    "file": "page of a file",
    "file_copied": "private copy of a file's page",
    "shared": "page of a shared mapping",
    "copied": "copied: a page that fork had shared",
    "reused": "reused: by the frame's last user, no copy",
    "spurious": _NOTHING,
    "segv_maperr": "SIGSEGV: nothing mapped",
    "segv_accerr": "SIGSEGV: not allowed",
    "bus_adrerr": "SIGBUS: beyond the file's end",
}
