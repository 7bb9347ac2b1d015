"""Are the compiled modules used, and only where they can be?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emu.compilation import finder
from emu.compilation.modules import BY_CYTHON, BY_MYPYC
from tests.emu.compilation.variants import needs_compiled

TEXT = """
import sys
from emu.compilation import finder
finder.choose({pure!r})
import kernel.kernel
from emu.machine import sv39
print(finder.variant(), sv39.__file__)
"""


def variant(pure: str = "", **environment: str) -> tuple[str, str]:
    """Returns the variant that a new process uses, and the suffix of one of its modules."""
    done = subprocess.run(
        [sys.executable, "-c", TEXT.format(pure=pure)],
        capture_output=True, text=True, check=True, env=os.environ | environment,
    )  # fmt: skip
    name, _, file = done.stdout.strip().rpartition(" ")
    return name, Path(file).suffix


@needs_compiled
def test_are_compiled_modules_used_by_default() -> None:
    assert variant(EMU_PURE="") == ("compiled", ".so")
    assert variant(EMU_PURE="0") == ("compiled", ".so")


def test_does_emu_pure_select_the_sources() -> None:
    assert variant(EMU_PURE="1") == ("pure Python: EMU_PURE is set", ".py")


def test_does_a_reason_select_the_sources() -> None:
    assert variant("labs need it", EMU_PURE="0") == ("pure Python: labs need it", ".py")


@needs_compiled
def test_are_there_all_modules() -> None:
    for module in (*BY_MYPYC, *BY_CYTHON):
        assert Path(finder._FILES[module]).exists(), module


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of the sources of a build, of one source."""
    source = tmp_path / "module.py"
    source.write_text("x = 1\n")
    found = source.stat()
    sources = tmp_path / "sources"
    sources.write_text(f"{found.st_size} {found.st_mtime_ns} module.py\n")
    monkeypatch.setattr(finder, "_FILES", {})
    monkeypatch.setattr(finder, "_ROOT", str(tmp_path))
    monkeypatch.setattr(finder, "FOLDER", str(tmp_path))
    monkeypatch.setattr(finder, "SOURCES", str(sources))
    monkeypatch.setenv("EMU_PURE", "0")
    return source


def test_is_a_build_used_as_long_as_its_sources_are_unchanged(built: Path) -> None:
    assert finder._obstacle() == ""
    built.write_text("x = 22\n")
    assert finder._obstacle().startswith("sources have changed")
    built.unlink()
    assert finder._obstacle().startswith("sources have changed")


@pytest.mark.usefixtures("built")
def test_is_a_module_that_is_imported_already_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "_FILES", {"sys": "sys.so"})
    assert finder._obstacle() == "modules were imported before emu.api"


def test_is_the_build_of_an_installed_package_not_compared(built: Path) -> None:
    built.with_name("sources").write_text(finder.INSTALLED)
    built.unlink()
    assert finder._obstacle() == ""


def test_is_a_missing_build_named(built: Path) -> None:
    built.with_name("sources").unlink()
    assert finder._obstacle() == "not compiled (make setup)"


@pytest.mark.parametrize("content", [b"", b"x y\n", b"\xff\xfe", b"12 module.py\n"])
def test_is_a_damaged_list_a_reason_for_the_sources(built: Path, content: bytes) -> None:
    built.with_name("sources").write_bytes(content)
    assert "(make setup)" in finder._obstacle()
