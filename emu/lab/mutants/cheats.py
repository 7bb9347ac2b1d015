"""Attempts to get points without a solution; no lab may reward them.

Each is appended to a lab's skeleton. None is secret: the sandbox (:mod:`emu.lab.sandbox`) defeats
them, and the grader, which checks the machine and not what the code claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from emu.lab.protocol.entry_points import ENTRIES

if TYPE_CHECKING:
    from emu.lab.workspace.catalogue import Lab

_INSTALL = """
for _name in NAMES:
    if "Allocator" in globals():
        setattr(Allocator, _name, cheat)
    else:
        globals()[_name] = cheat
"""
_MODULES = "import enum\n_modules = enum.sys.modules\n"
"""Python gives access to every loaded module."""


@dataclass(frozen=True, slots=True)
class Cheat:
    """Code that runs when the file is loaded; a ``cheat()`` in it replaces all functions.

    ``code`` may use NAMES, the functions' names, and MODULE and PATH of the reference.
    """

    name: str
    breaks: str
    code: str
    detected_by: tuple[str, ...]
    """Names of the failures by which it may be detected."""

    def apply(self, lab: Lab) -> str:
        """Source of the file that is submitted."""
        module = f"emu.lab.labs.{lab.module}.{lab.module}"
        path = str(files("emu.lab.labs") / lab.module / lab.file)
        given = f"NAMES = {list(ENTRIES[lab.name])!r}\nMODULE = {module!r}\nPATH = {path!r}\n"
        install = _INSTALL if "def cheat(" in self.code else ""
        return f"{lab.skeleton}\n\n{given}\n{self.code}\n{install}"


_ANY_VALUE = ("wrong-result", "not-allowed", "frames-exist")
"""An invented value has the wrong type, or names a frame that does not exist."""

CHEATS = (
    Cheat(
        "prints-ok",
        "prints that all tests passed",
        'def cheat(*_):\n    print("ok")\n    print("PASS: 100 of 100 points")\n',
        _ANY_VALUE,
    ),
    Cheat(
        "disables-stores",
        "disables the stores of the kit's Memory, and returns 0",
        "from emu.lab.kit import Memory\n"
        "Memory.store = Memory.write = Memory.copy_frame = lambda *_: None\n"
        "def cheat(*_):\n    return 0\n",
        _ANY_VALUE,
    ),
    Cheat(
        "equals-everything",
        "returns a number that equals every other one",
        "class Any(int):\n"
        "    __eq__ = __le__ = __ge__ = lambda *_: True\n"
        "    __hash__ = int.__hash__\n"
        "def cheat(*_):\n    return Any()\n",
        _ANY_VALUE,
    ),
    Cheat("exits", "ends with status 0 when it is loaded", "raise SystemExit(0)\n", ("raised",)),
    Cheat(
        "exits-at-once",
        "calls _exit(0) when it is loaded",
        _MODULES + '_modules["posix"]._exit(0)\n',
        ("ended",),
    ),
    Cheat(
        "exits-when-called",
        "calls _exit(0) in the first call",
        _MODULES + 'def cheat(*_):\n    _modules["posix"]._exit(0)\n',
        ("ended",),
    ),
    Cheat(
        "imports-the-solution",
        "imports the reference solution",
        '_modules = __import__(MODULE, fromlist=["*"])\n',
        ("raised",),
    ),
    Cheat(
        "finds-the-solution",
        "imports the reference solution by another module's importlib",
        _MODULES + '_modules["importlib"].import_module(MODULE)\n',
        ("raised",),
    ),
    Cheat("opens-the-solution", "opens the reference's file", "open(PATH)\n", ("raised",)),
    Cheat(
        "ignores-refusals",
        "tries all of that, and catches every exception",
        _MODULES + "for attempt in (\n"
        '    lambda: exec(f"from {MODULE} import *", globals()),\n'
        '    lambda: exec(_modules["io"].open(PATH).read(), globals()),\n'
        '    lambda: exec(_modules["inspect"].getsource(_modules[MODULE]), globals()),\n'
        '    lambda: _modules["posix"].kill(_modules["posix"].getppid(), 9),\n'
        "):\n"
        "    try:\n"
        "        attempt()\n"
        "    except BaseException:\n"
        "        pass\n",
        ("not-implemented",),
    ),
    Cheat(
        "patches-the-grader",
        "replaces the grader's checks that it finds by functions that report no failure",
        _MODULES + "for module in list(_modules.values()):\n"
        '    for name in ("run_differential", "run", "violations", "decode_result"):\n'
        "        setattr(module, name, lambda *_: None)\n",
        ("not-implemented",),
    ),
    Cheat(
        "forges-a-reply",
        "writes a result to every open descriptor",
        _MODULES + "def cheat(*_):\n"
        '    reply = b\'{"commands":[],"result":null,"passed":true,"points":100}\'\n'
        "    for descriptor in range(3, 1024):\n"
        "        try:\n"
        '            _modules["posix"].write(descriptor, reply)\n'
        "        except OSError:\n"
        "            pass\n",
        (*_ANY_VALUE, "count-is-the-number-of-holders"),
    ),
    Cheat(
        "sends-garbage",
        "writes bytes that are not a message to every open descriptor",
        _MODULES + "def cheat(*_):\n"
        "    for descriptor in range(3, 1024):\n"
        "        try:\n"
        '            _modules["posix"].write(descriptor, b"\\xff" * 4096)\n'
        "        except OSError:\n"
        "            pass\n",
        ("not-allowed",),
    ),
    Cheat(
        "floods-the-grader",
        "prints endlessly",
        'def cheat(*_):\n    while True:\n        print("all is well " * 100_000)\n',
        ("raised", "not-allowed", "ended", "too-long"),
    ),
    Cheat(
        "writes-the-machine",
        "writes to the machine's memory without the grader",
        "def cheat(*arguments):\n"
        "    for argument in arguments:\n"
        '        memory = getattr(argument, "_bytes", None)\n'
        "        if memory is not None:\n"
        "            memory[0] = 1\n",
        ("raised", *_ANY_VALUE),
    ),
    Cheat(
        "forks",
        "forks",
        _MODULES + '_modules["posix"].fork()\n',
        ("raised",),
    ),
    Cheat(
        "starts-a-program",
        "executes another program",
        _MODULES + '_modules["posix"].execv("/bin/true", ["true"])\n',
        ("raised",),
    ),
    Cheat(
        "loops", "never returns", "def cheat(*_):\n    while True:\n        pass\n", ("too-long",)
    ),
    Cheat(
        "loops-and-ignores-signals",
        "never returns, and ignores the signal that asks for its position",
        _MODULES + 'def cheat(*_):\n    _modules["_signal"].signal(10, lambda *_: None)\n'
        "    while True:\n        pass\n",
        ("too-long",),
    ),
    Cheat(
        "exhausts-memory",
        "allocates memory endlessly",
        "def cheat(*_):\n    held = []\n    while True:\n        held.append(bytearray(1 << 24))\n",
        ("raised",),
    ),
    Cheat("recurses", "calls itself endlessly", "def cheat(*_):\n    cheat()\n", ("raised",)),
    Cheat(
        "leaves-it-to-the-reference",
        "raises in every function, so that the reference is used",
        'def cheat(*_):\n    raise ValueError("not implemented")\n',
        ("raised",),
    ),
    Cheat(
        "finds-no-memory",
        "raises OutOfFrames in every function, as tests of exhausted memory expect",
        "from emu.lab.kit import OutOfFrames\ndef cheat(*_):\n    raise OutOfFrames\n",
        ("wrong-result", "right-outcome", "running-out", "zero-filled-on-write", "isolation"),
    ),
    Cheat(
        "allows-nothing",
        "refuses every fault, as tests of read-only pages expect",
        "from emu.lab.kit import Outcome\ndef cheat(*_):\n    return Outcome.NOT_ALLOWED\n",
        (*_ANY_VALUE, "zero-filled-on-write"),
    ),
    Cheat(
        "raises-base-exception",
        "raises a BaseException that cannot be converted to a string",
        "class Unprintable(BaseException):\n"
        "    def __str__(self):\n        raise self\n"
        "def cheat(*_):\n    raise Unprintable\n",
        ("raised",),
    ),
)
