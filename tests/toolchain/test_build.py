"""Are programs built once, reproducibly, with the compiler's own errors?"""

import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toolchain import build as module
from toolchain.build import build, supports
from toolchain.errors import BuildError
from toolchain.variant import Variant

PROGRAM = "int main(void) { return 0; }\n"
ET_EXEC, ET_DYN = 2, 3


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(path: Path, text: str = PROGRAM) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def elf_type(program: Path) -> int:
    return int(struct.unpack_from("<H", program.read_bytes(), 16)[0])


def test_variants(tmp_path: Path) -> None:
    source = write(tmp_path / "p.c")
    assert elf_type(build([source])) == ET_EXEC
    dynamic = build([source], variant=Variant.DYNAMIC)
    assert elf_type(dynamic) == ET_DYN
    assert b"/lib/ld-" in dynamic.read_bytes()


def test_a_static_pie_or_a_clear_line(tmp_path: Path) -> None:
    source = write(tmp_path / "p.c")
    if supports(Variant.STATIC_PIE):
        assert elf_type(build([source], variant=Variant.STATIC_PIE)) == ET_DYN
    else:
        with pytest.raises(BuildError, match="static PIE"):
            build([source], variant=Variant.STATIC_PIE)


def test_a_bare_static_pie(tmp_path: Path) -> None:
    source = write(tmp_path / "p.S", ".globl _start\n_start: li a7, 94\necall\n")
    program = build([source], variant=Variant.STATIC_PIE, flags=["-nostdlib"])
    assert elf_type(program) == ET_DYN
    assert b"/lib/ld-" not in program.read_bytes()


def test_the_second_time_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "p.c")
    program = build([source])
    monkeypatch.setattr(module, "_compile", pytest.fail)
    assert build([source]) == program


def test_what_makes_another_program(tmp_path: Path) -> None:
    source = write(tmp_path / "p.c", '#include "p.h"\n' + PROGRAM)
    header = write(tmp_path / "p.h", "#define A 1\n")
    first = build([source])
    assert build([source], flags=["-O0"]) != first
    write(header, "extern int a;\n")
    assert build([source]) != first


def test_the_same_bytes_in_another_folder(tmp_path: Path) -> None:
    one = build([write(tmp_path / "one" / "p.c")])
    other = build([write(tmp_path / "other" / "p.c")], tmp_path / "out")
    assert one.read_bytes() == other.read_bytes()
    assert str(tmp_path).encode() not in one.read_bytes()


def test_an_output_is_replaced(tmp_path: Path) -> None:
    output = tmp_path / "out"
    build([write(tmp_path / "p.c")], output)
    before = output.stat().st_ino
    assert build([write(tmp_path / "p.c")], output) == output
    assert output.stat().st_ino != before
    assert output.stat().st_mode & 0o111


def test_an_output_that_can_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="No such file"):
        build([write(tmp_path / "p.c")], tmp_path / "none" / "out")


def test_the_compilers_own_words(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"^p\.c: compilation failed$") as error:
        build([write(tmp_path / "p.c", "int main(void) { return nothing; }\n")])
    assert "nothing" in error.value.diagnostics
    assert "error:" in error.value.diagnostics


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as error:
        build([tmp_path / "none.c"])
    assert "No such file" in error.value.diagnostics


def test_warnings_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build([write(tmp_path / "p.c", "int main(void) { int unused; return 0; }\n")])
    assert "unused" in capsys.readouterr().err


def test_libraries_come_after_sources(tmp_path: Path) -> None:
    text = "#include <math.h>\nint main(int n, char **a) { return (int)cbrt(n + (a != 0)); }\n"
    build([write(tmp_path / "p.c", text)], flags=["-lm"])


def test_several_at_once(tmp_path: Path) -> None:
    source = write(tmp_path / "p.c")
    with ThreadPoolExecutor(4) as pool:
        programs = set(pool.map(lambda _: build([source]), range(8)))
    assert len(programs) == 1
    assert [path.name for path in programs.pop().parent.iterdir()] == ["p"]
