"""Does ``emu build`` have the options, outputs and exit status of a compiler?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emu.commands import EMU, emu, environment, ran


def test_is_the_program_put_beside_its_source(tmp_path: Path) -> None:
    (tmp_path / "prog.c").write_text("int main(void) { return 4; }\n")
    assert emu("build", "prog.c", cwd=tmp_path).status == 0
    assert emu("run", "./prog", cwd=tmp_path).status == 4


def test_do_flags_reach_the_compiler(tmp_path: Path) -> None:
    (tmp_path / "prog.c").write_text("int main(void) { return N; }\n")
    assert emu("build", "prog.c", "-o", "out", "--", "-DN=9", cwd=tmp_path).status == 0
    assert emu("run", "out", cwd=tmp_path).status == 9


def test_are_the_compilers_errors_shown_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "prog.c").write_text("int main(void) { return nothing; }\n")
    outcome = emu("build", "prog.c", cwd=tmp_path)
    assert outcome.status == 1
    assert "undeclared" in outcome.stderr and "Traceback" not in outcome.stderr
    assert not (tmp_path / "prog").exists()


def test_is_a_source_that_cannot_be_read_one_line(tmp_path: Path) -> None:
    outcome = emu("build", "none.c", cwd=tmp_path)
    assert (outcome.status, outcome.stderr) == (2, "emu: none.c: No such file or directory\n")
    outcome = emu("build", tmp_path, cwd=tmp_path)
    assert (outcome.status, outcome.stderr) == (2, f"emu: {tmp_path}: Is a directory\n")


def test_does_a_build_need_no_current_directory(tmp_path: Path) -> None:
    (tmp_path / "prog.c").write_text("int main(void) { return 4; }\n")
    removed = tmp_path / "gone"
    script = f'mkdir {removed}; cd {removed}; rmdir {removed}; exec "$@"'
    words = ["bash", "-c", script, "-", *EMU, "build", str(tmp_path / "prog.c")]
    outcome = ran(words, environment=environment())
    assert outcome.status == 0
    assert emu("run", tmp_path / "prog").status == 4


def test_is_a_source_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "prog").write_text("int main(void) { return 0; }\n")
    assert emu("build", "prog", cwd=tmp_path).status == 2
    assert (tmp_path / "prog").read_text().startswith("int main")


def test_is_a_compiler_that_is_not_there_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prog.c").write_text("int main(void) { return 0; }\n")
    monkeypatch.setenv("RISCV_PREFIX", "/no/such/prefix-")
    outcome = emu("build", "prog.c", cwd=tmp_path)
    assert outcome.status == 2
    assert outcome.stderr.count("\n") == 1 and "RISCV_PREFIX" in outcome.stderr
