"""Which file of a submission is graded, and what is the reason where there is none?"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from emu.lab.grading.submission_files import Entry, entries, entry_at
from emu.lab.grading.submissions import LARGEST_FILE, Unreadable, read
from emu.lab.workspace.catalogue import find

COW = find("cow-fork")


def folder(top: Path, **files: str | bytes) -> str:
    for name, content in files.items():
        path = top / name.replace("__", "/").replace("_py", ".py").replace("_zip", ".zip")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(top)


def archive(path: Path, members: dict[str, str | bytes], kind: int = zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", kind) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return str(path)


def source(path: str, lab=COW, own: bool = False) -> str:
    return read(path, lab, own).files[-1].source


def problem(path: str, lab=COW) -> str:
    with pytest.raises(Unreadable) as unreadable:
        read(path, lab, own=False)
    return str(unreadable.value)


# What is found.


@pytest.mark.parametrize(
    "name",
    ["cow_fork.py", "sub/cow_fork.py", "ada_123_cow_fork.py", "cow_fork-2.py", "cow_fork (1).py"],
)
def test_the_file_is_found_where_students_and_course_systems_put_it(tmp_path, name):
    path = tmp_path / "ada" / name
    path.parent.mkdir(parents=True)
    path.write_text("here")
    assert source(str(tmp_path / "ada")) == "here"
    assert read(str(tmp_path / "ada"), None, own=False).lab is COW


def test_the_file_nearest_to_the_top_is_taken(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "cow_fork.py").write_text("old")
    (tmp_path / "cow_fork.py").write_text("new")
    assert source(str(tmp_path)) == "new"


def test_two_files_at_the_same_depth_are_not_guessed_between(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cow_fork.py").write_text(name)
    assert problem(str(tmp_path)).startswith(
        "it contains cow_fork.py more than once: a/cow_fork.py"
    )


def test_a_zip_file_and_one_in_a_folder_are_read_as_folders_are(tmp_path):
    (tmp_path / "ada").mkdir()
    members: dict[str, str | bytes] = {
        "lab/cow_fork.py": "here",
        "__MACOSX/lab/cow_fork.py": b"\x00",
    }
    assert source(archive(tmp_path / "ada.zip", members)) == "here"
    archive(tmp_path / "ada" / "hand in.zip", members)
    assert source(str(tmp_path / "ada")) == "here"


def test_a_single_file_may_have_any_name_when_the_lab_is_given(tmp_path):
    (tmp_path / "final version.py").write_text("here")
    assert source(str(tmp_path / "final version.py")) == "here"
    assert problem(str(tmp_path / "final version.py"), lab=None) == "it contains no lab's file"


def test_the_last_lab_is_graded_and_earlier_ones_are_used_only_when_wanted(tmp_path):
    path = folder(tmp_path, walk_py="w", cow_fork_py="c", shared_tables_py="s")
    assert [file.lab for file in read(path, None, own=False).files] == ["shared-tables"]
    assert [file.lab for file in read(path, COW, own=False).files] == ["cow-fork"]
    assert [file.lab for file in read(path, COW, own=True).files] == ["walk", "cow-fork"]


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf# \xc3\xa9", b"# coding: latin-1\n# \xe9"])
def test_text_is_read_in_its_own_encoding(tmp_path, data):
    (tmp_path / "cow_fork.py").write_bytes(data)
    assert source(str(tmp_path)).endswith("é")


# What is not.


@pytest.mark.parametrize(
    "data, why",
    [
        (bytes(range(256)), "is not UTF-8 text"),
        (b"# coding: punycode\n", "is not UTF-8 text"),
        (b"# coding: nothing\n", "is not UTF-8 text"),
        (b"#" * (LARGEST_FILE + 1), "is larger than 1 MiB"),
    ],
)
def test_a_file_that_is_not_text_is_a_problem(tmp_path, data, why):
    (tmp_path / "cow_fork.py").write_bytes(data)
    assert problem(str(tmp_path)) == f"cow_fork.py {why}"


def test_a_missing_file_is_a_problem(tmp_path):
    assert problem(folder(tmp_path, README="hello")) == "it does not contain cow_fork.py"


def test_links_are_not_followed(tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("secret")
    ada = tmp_path / "ada"
    ada.mkdir()
    (ada / "cow_fork.py").symlink_to(secret)
    (ada / "up").symlink_to(tmp_path)
    assert problem(str(ada)) == "it does not contain cow_fork.py"
    (tmp_path / "link.py").symlink_to(secret)
    assert problem(str(tmp_path / "link.py")) == "it is a symbolic link"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "cow_fork.py")
    assert problem(str(tmp_path)) == "it does not contain cow_fork.py"
    os.mkfifo(tmp_path / "ada.py")
    assert problem(str(tmp_path / "ada.py")) == "it is not a regular file"


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    bomb = archive(tmp_path / "ada.zip", {"cow_fork.py": bytes(64 << 20)})
    assert problem(bomb) == "cow_fork.py is larger than 1 MiB"
    slow = archive(tmp_path / "bo.zip", {"cow_fork.py": "x"}, zipfile.ZIP_LZMA)
    assert problem(slow) == "cow_fork.py is not compressed with deflate"
    many = archive(tmp_path / "cy.zip", {f"{number}.py": "" for number in range(5001)})
    assert problem(many) == "it contains more than 5000 files"


def test_a_zip_file_reaches_nothing_outside(tmp_path):
    (tmp_path / "cow_fork.py").write_text("secret")
    up = archive(tmp_path / "ada.zip", {"../cow_fork.py": "x"})
    assert problem(up) == "it does not contain cow_fork.py"
    link = zipfile.ZipInfo("cow_fork.py")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "bo.zip", "w") as file:
        file.writestr(link, str(tmp_path / "cow_fork.py"))
    assert problem(str(tmp_path / "bo.zip")) == "it does not contain cow_fork.py"


def test_a_damaged_zip_file_is_a_problem(tmp_path):
    whole = Path(archive(tmp_path / "ada.zip", {"cow_fork.py": "x" * 1000})).read_bytes()
    reasons = set()
    for at in range(0, len(whole), 3):
        data = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        (tmp_path / "ada.zip").write_bytes(data)
        try:
            read(str(tmp_path / "ada.zip"), COW, own=False)
        except Unreadable as unreadable:
            reasons.add(str(unreadable))
    assert "it is not a valid zip file" in reasons
    assert "cow_fork.py is damaged" in reasons


# Entries and the names of their results.


def test_each_folder_python_file_and_zip_file_is_a_submission(tmp_path):
    (tmp_path / "ada").mkdir()
    for name in ("bo.py", "cy.zip", "grades.csv", ".hidden.py"):
        (tmp_path / name).write_text("")
    found, others = entries(str(tmp_path))
    assert [entry.name for entry in found] == ["ada", "bo.py", "cy.zip"]
    assert others == ["grades.csv"]


@pytest.mark.parametrize(
    "name",
    ["ada", "Ada Lovelace", "Zoë", "a\nb", "a..", "%20a", "$(id)", "-rf", "x" * 250, "é" * 120],
)
def test_results_have_names_that_anything_can_handle(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / f"{name[:-1]}_").mkdir()
    found = [Entry(str(tmp_path / each)) for each in (name, f"{name[:-1]}_")]
    results = {entry.result for entry in found}
    assert len(results) == 2
    for result in results:
        assert result.isascii()
        assert not set(result) & set(" \n/$(){}'\"")
        assert len(result) <= 120
    assert entry_at(str(tmp_path / found[0].result)) == found[0]


def test_a_name_that_looks_like_the_results_of_another_takes_nothing_from_it(tmp_path):
    for name in (" a", "%20a"):
        (tmp_path / name).mkdir()
    assert entry_at(str(tmp_path / "%20a")) == Entry(str(tmp_path / " a"))
    assert entry_at(str(tmp_path / "%2520a")) == Entry(str(tmp_path / "%20a"))


def test_bytes_that_are_not_text_name_a_submission_too(tmp_path):
    os.mkdir(os.fsencode(tmp_path) + b"/\xff\xfe")
    (entry,), _ = entries(str(tmp_path))
    assert (entry.name, entry.result) == ("\\udcff\\udcfe", "%FF%FE")
