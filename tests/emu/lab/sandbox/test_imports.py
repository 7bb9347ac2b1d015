"""Can a student's code import exactly the allowed modules, and is the message clear?"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.lab.sandbox.imports import ALLOWED
from tests.emu.commands import PROJECT, Outcome
from tests.emu.lab.children import python

RUN = """
def student(text):
    module = type(sys)("cow_fork")
    sys.modules["cow_fork"] = module
    exec(compile(text, "cow_fork.py", "exec"), vars(module))
imports.restrict_imports()
"""


def student(text: str, folder: Path | None = None, then: str = "") -> Outcome:
    return python(f"{RUN}{then}\nstudent({text!r})", folder)


@pytest.fixture
def with_kit(tmp_path: Path) -> Path:
    """A copy of the package whose kit has a component and a requirement of its own."""
    inside = tmp_path / "emu" / "lab" / "sandbox"
    inside.mkdir(parents=True)
    for path in ("emu/__init__.py", "emu/lab/__init__.py"):
        (tmp_path / path).write_bytes((PROJECT / path).read_bytes())
    for source in (PROJECT / "emu/lab/sandbox").glob("*.py"):
        (inside / source.name).write_bytes(source.read_bytes())
    kit = tmp_path / "emu" / "lab" / "kit"
    kit.mkdir()
    (kit / "__init__.py").write_text(
        "from emu.lab.kit.frames import Frame\ndef later():\n    import os\n    return os\n"
    )
    (kit / "frames.py").write_text("class Frame: pass\n")
    (kit / "spare.py").write_text("NUMBER = 3\n")
    return tmp_path


def last_line(outcome: Outcome) -> str:
    return outcome.stderr.rstrip().splitlines()[-1]


def test_a_message_names_the_line_and_what_is_allowed_instead() -> None:
    outcome = student("import math\n\nimport os\n")
    assert outcome.status == 1
    message = last_line(outcome)
    assert message.startswith(
        "ImportError: cow_fork.py:3: module 'os' cannot be imported (allowed: "
        "__future__, abc, array, bisect, collections, "
    )
    assert message.endswith(", typing, emu.lab.kit)")


@pytest.mark.parametrize(
    "line, name",
    [
        ("import sys", "sys"),
        ("from os import path", "os"),
        ("import os.path", "os.path"),
        ("import importlib", "importlib"),
        ("from ctypes import CDLL", "ctypes"),
        ("from re import match", "re"),  # loaded, by those that may be imported
        ("import emu", "emu"),
        ("from emu import api", "emu"),
        ("import emu.lab.sandbox.confinement", "emu.lab.sandbox.confinement"),
        ("from emu.lab import sandbox", "emu.lab"),
        ("from emu.lab import *", "emu.lab"),
        ("import emu.lab.kitchen", "emu.lab.kitchen"),
        ("import kernel.mm.forking.fork", "kernel.mm.forking.fork"),
        ("from . import fork", "."),
        ("from .fork import fork", ".fork"),
        ("__import__('os')", "os"),
        ("__import__('os', vars(__builtins__) if 0 else {})", "os"),
        ("import nothing_of_this_name", "nothing_of_this_name"),
        ("def f():\n    import os\nf()", "os"),
        ("class A:\n    import os", "os"),
        ("eval('__import__(\"os\")')", "os"),
    ],
)
def test_no_other_module(line: str, name: str) -> None:
    message = last_line(student(line))
    assert f": module '{name}' cannot be imported (allowed: " in message


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_an_allowed_module(name: str) -> None:
    outcome = student(f"import {name} as module\nimport {name}\nprint(module.__name__)")
    assert outcome.stdout == f"{name}\n", outcome.stderr


def test_allowed_modules_are_there_when_no_file_can_be_opened() -> None:
    text = "\n".join(f"import {name}" for name in sorted(ALLOWED)) + "\nprint('had')"
    outcome = student(text, then="confinement.confine(1 << 29, 10)")
    assert outcome.stdout == "had\n", outcome.stderr


@pytest.mark.parametrize(
    "line",
    [
        "from emu.lab.kit import Frame",
        "from emu.lab.kit.frames import Frame",
        "import emu.lab.kit.frames as frames; Frame = frames.Frame",
        "from emu.lab import kit; Frame = kit.Frame",
        "from emu.lab.kit import spare as Frame",
    ],
)
def test_the_kit_may_be_imported(line: str, with_kit: Path) -> None:
    text = f"{line}\nprint(Frame.__name__)"
    outcome = student(text, with_kit, then="confinement.confine(1 << 29, 10)")
    assert outcome.stdout in ("Frame\n", "emu.lab.kit.spare\n"), outcome.stderr


def test_beside_the_kit_nothing_of_ours(with_kit: Path) -> None:
    message = last_line(student("from emu.lab import kit, sandbox", with_kit))
    assert "module 'emu.lab' cannot be imported" in message


def test_the_kit_and_the_library_import_what_they_need(with_kit: Path) -> None:
    text = "from emu.lab.kit import later\nprint(later().__name__)"
    assert student(text, with_kit).stdout == "os\n"


def test_a_part_of_the_kit_that_is_not_there(with_kit: Path) -> None:
    message = last_line(student("import emu.lab.kit.absent", with_kit))
    assert message == "ModuleNotFoundError: No module named 'emu.lab.kit.absent'"


def test_an_import_that_may_fail_is_caught_as_ever() -> None:
    outcome = student("try:\n    import numpy\nexcept ImportError as e:\n    print(e.name)")
    assert outcome.stdout == "numpy\n"


def test_nothing_more_is_loaded() -> None:
    outcome = python(RUN + "import wave")
    assert last_line(outcome) == "ModuleNotFoundError: No module named 'wave'"
