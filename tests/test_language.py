"""Does the word list find what it must, and nothing else?"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.language import findings


def found(folder: Path, name: str, text: str) -> list[str]:
    (folder / name).write_text(text)
    for command in (["init", "-q"], ["add", name]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return [finding.words for finding in findings(folder)]


@pytest.mark.parametrize(
    "sentence",
    [
        "let a student's code be the kernel's parts that it is about",
        "make an allocation fail, to see who survives",
        "zero or empty, as its type has it",
        "a line that is not whole is then to be left out",
        "pass over what you don't know",
        "what it wants done are orders",
        "no words may follow a trace file",
        "how the kernel says no",
        "the spec says: read-only",
        "a page that nobody maps",
    ],
)
def test_is_a_sentence_of_the_dialect_found(tmp_path: Path, sentence: str) -> None:
    assert found(tmp_path, "README.md", f"{sentence}\n")


@pytest.mark.parametrize(
    "sentence",
    [
        "The result comes from the page table; the standard outcome is a copy.",
        "The CoW bit stands for a writable mapping. Parents come first.",
        "A memory of 8 MiB is requested; nothing is passed overseas.",
    ],
)
def test_is_an_ordinary_sentence_left_alone(tmp_path: Path, sentence: str) -> None:
    assert not found(tmp_path, "README.md", f"{sentence}\n")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.py", "async def tell(x: int) -> None: ...\n", "tell"),
        ("a.py", "seen = 1\n", "seen"),
        ("a.py", "def _chosen() -> None: ...\n", "_chosen"),
        ("a.js", 'const text = "a page that nobody maps";\n', "nobody"),
        ("a.js", "const text = `${n} pages nobody\nmaps`;\n", "nobody"),
        ("a.c", 'CHECK(1, "a pipe nobody reads");\n', "nobody"),
    ],
)
def test_are_names_and_strings_read(tmp_path: Path, name: str, text: str, words: str) -> None:
    assert found(tmp_path, name, text) == [words]


def test_is_commented_out_code_of_c_not_read_as_a_string(tmp_path: Path) -> None:
    assert not found(tmp_path, "a.c", '/* "nobody maps" */ int x = 1;\n')
