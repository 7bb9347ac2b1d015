"""Does unbounded recursion in a student's code raise a RecursionError at its own line?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.lab.mutants.cheats import CHEATS
from emu.lab.workspace.catalogue import LABS
from tests.emu.lab.submissions import submission

KINDS = {
    "with defaults": "def cheat(a=1, *_):\n    cheat(a)\n",
    "with keywords": "def cheat(*_, a=1, **k):\n    cheat(**k)\n",
    "a method": "class A:\n    def m(self, *_):\n        self.m()\ncheat = A().m\n",
    "a closure": "def cheat(*_):\n    def f(*_):\n        f()\n    f()\n",
    "two functions": "def a(*_):\n    b()\ndef b(*_):\n    a()\ncheat = a\n",
    "a comprehension": "def cheat(*_):\n    return [cheat() for _ in (1,)]\n",
    "a generator": "def g(*_):\n    for x in g():\n        yield x\n"
    "def cheat(*_):\n    list(g())\n",
    "sorted": "def cheat(*_):\n    sorted([2, 1], key=cheat)\n",
    "map": "def cheat(*_):\n    list(map(cheat, [1]))\n",
    "equality": "class E:\n    def __eq__(self, o):\n        return self == o\n"
    "def cheat(*_):\n    E() == E()\n",
    "repr": "class R:\n    def __repr__(self):\n        return repr(self)\n"
    "def cheat(*_):\n    repr(R())\n",
    "an attribute": "class G:\n    def __getattr__(self, n):\n        return getattr(self, n)\n"
    "def cheat(*_):\n    G().x\n",
    "making": "class I:\n    def __init__(self, *_):\n        I()\ndef cheat(*_):\n    I()\n",
    "a cache": "import functools\n@functools.lru_cache(None)\ndef f(n):\n    return f(n + 1)\n"
    "def cheat(*_):\n    f(0)\n",
    "while handling": "def cheat(*_):\n    try:\n        1 / 0\n"
    "    except ZeroDivisionError:\n        cheat()\n",
}
LAB = LABS["walk"]
RECURSES = next(cheat for cheat in CHEATS if cheat.name == "recurses")


@pytest.mark.parametrize("code", KINDS.values(), ids=list(KINDS))
def test_is_recursion_reported_at_the_students_line(code: str) -> None:
    install = "\ncheat_ = cheat\ndef cheat(*given):\n    cheat_()\n" if "cheat = " in code else ""
    failure = LAB.tests[0].run(submission(LAB, replace(RECURSES, code=code + install).apply(LAB)))
    assert failure is not None and failure.name == "raised", failure
    assert "RecursionError" in failure.when
    assert [line for line in failure.lines if line.startswith(f"{LAB.file}:")]
