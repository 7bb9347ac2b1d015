"""Ways to get points without a solution, which no lab may reward.

Each is put behind a lab's skeleton. None is secret: what keeps them out is the process and its
walls (:mod:`emu.lab.sandbox`), and that the grader looks at the machine and not at what is said.
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
"""Python leaves a way to every module that is loaded."""


@dataclass(frozen=True, slots=True)
class Cheat:
    """``code`` runs when the file is loaded; a ``cheat()`` in it takes the place of all functions.

    It may use NAMES, the functions' names, and SOLUTION, MODULE and PATH of the reference.
    """

    name: str
    breaks: str
    code: str
    caught: tuple[str, ...]
    """What may tell it, as of a wrong solution."""

    def apply(self, lab: Lab) -> str:
        """The file that is handed in."""
        module = f"emu.lab.labs.{lab.module}.{lab.module}"
        path = str(files("emu.lab.labs") / lab.module / lab.file)
        given = f"NAMES = {list(ENTRIES[lab.name])!r}\nMODULE = {module!r}\nPATH = {path!r}\n"
        install = _INSTALL if "def cheat(" in self.code else ""
        return f"{lab.skeleton}\n\n{given}\n{self.code}\n{install}"


_ANY_VALUE = ("wrong-result", "not-allowed", "frames-exist")
"""A value that is made up is of the wrong type, or names what is not there."""

CHEATS = (
    Cheat(
        "prints-ok",
        "prints that all is well",
        'def cheat(*_):\n    print("ok")\n    print("PASS: 100 of 100 points")\n',
        _ANY_VALUE,
    ),
    Cheat(
        "tells-nought",
        "takes W from the kit's Memory, and returns 0",
        "from emu.lab.kit import Memory\n"
        "Memory.store = Memory.write = Memory.copy_frame = lambda *_: None\n"
        "def cheat(*_):\n    return 0\n",
        _ANY_VALUE,
    ),
    Cheat(
        "equals-everything",
        "returns a number that equals every other",
        "class Any(int):\n"
        "    __eq__ = __le__ = __ge__ = lambda *_: True\n"
        "    __hash__ = int.__hash__\n"
        "def cheat(*_):\n    return Any()\n",
        _ANY_VALUE,
    ),
    Cheat("exits", "ends with status 0 when it is loaded", "raise SystemExit(0)\n", ("raised",)),
    Cheat(
        "exits-at-once",
        "ends with status 0, without a word",
        _MODULES + '_modules["posix"]._exit(0)\n',
        ("ended",),
    ),
    Cheat(
        "exits-when-called",
        "ends with status 0 in the first call",
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
        "goes-on-regardless",
        "tries all of that, and catches what it gets",
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
        "has everything of the grader's that it finds say that nothing is wrong",
        _MODULES + "for module in list(_modules.values()):\n"
        '    for name in ("run_differential", "run", "violations", "decode_result"):\n'
        "        setattr(module, name, lambda *_: None)\n",
        ("not-implemented",),
    ),
    Cheat(
        "forges-a-reply",
        "writes a result to every descriptor that is open",
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
        "talks-nonsense",
        "writes what is no message",
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
        "prints without end",
        'def cheat(*_):\n    while True:\n        print("all is well " * 100_000)\n',
        ("raised", "not-allowed", "ended", "too-long"),
    ),
    Cheat(
        "writes-the-machine",
        "writes to the machine's memory past the grader",
        "def cheat(*arguments):\n"
        "    for argument in arguments:\n"
        '        memory = getattr(argument, "_bytes", None)\n'
        "        if memory is not None:\n"
        "            memory[0] = 1\n",
        ("raised", *_ANY_VALUE),
    ),
    Cheat(
        "forks",
        "leaves a process behind",
        _MODULES + '_modules["posix"].fork()\n',
        ("raised",),
    ),
    Cheat(
        "starts-a-program",
        "becomes another program",
        _MODULES + '_modules["posix"].execv("/bin/true", ["true"])\n',
        ("raised",),
    ),
    Cheat(
        "loops", "never returns", "def cheat(*_):\n    while True:\n        pass\n", ("too-long",)
    ),
    Cheat(
        "loops-deafly",
        "never returns, and will not be asked where it is",
        _MODULES + 'def cheat(*_):\n    _modules["_signal"].signal(10, lambda *_: None)\n'
        "    while True:\n        pass\n",
        ("too-long",),
    ),
    Cheat(
        "eats-memory",
        "takes memory without end",
        "def cheat(*_):\n    held = []\n    while True:\n        held.append(bytearray(1 << 24))\n",
        ("raised",),
    ),
    Cheat("recurses", "calls itself without end", "def cheat(*_):\n    cheat()\n", ("raised",)),
    Cheat(
        "leaves-it-to-the-reference",
        "fails in every function, so that the reference stands in",
        'def cheat(*_):\n    raise ValueError("not implemented")\n',
        ("raised",),
    ),
    Cheat(
        "finds-no-memory",
        "runs out of memory in every function, as tests of running out expect",
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
        "raises-a-stranger",
        "raises what is no Exception, and can't be told",
        "class Stranger(BaseException):\n"
        "    def __str__(self):\n        raise self\n"
        "def cheat(*_):\n    raise Stranger\n",
        ("raised",),
    ),
)
