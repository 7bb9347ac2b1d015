"""Is the compiler found, and a missing one reported in one line?"""

from pathlib import Path

import pytest

from toolchain.errors import ToolchainNotFoundError
from toolchain.find import find
from toolchain.interpreters import INTERPRETERS


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RISCV_PREFIX", raising=False)
    monkeypatch.delenv("CC", raising=False)
    find.cache_clear()
    yield
    find.cache_clear()


def fake_gcc(folder: Path, name: str, machine: str) -> Path:
    path = folder / name
    path.write_text(f'#!/bin/sh\n[ "$1" = -dumpmachine ] && echo {machine} || echo fake 1.0\n')
    path.chmod(0o755)
    return path


def test_its_sysroot_holds_the_dynamic_linker() -> None:
    toolchain = find()
    assert toolchain.gcc.exists()
    assert "gcc" in toolchain.version
    assert toolchain.sysroot is not None
    assert any((toolchain.sysroot / "lib" / name).exists() for name in INTERPRETERS)


def test_nothing_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainNotFoundError, match="install gcc-riscv64-linux-gnu") as error:
        find()
    assert "\n" not in str(error.value)


def test_a_prefix_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_gcc(tmp_path, "riscv64-own-linux-gnu-gcc", "riscv64-own-linux-gnu")
    monkeypatch.setenv("RISCV_PREFIX", f"{tmp_path}/riscv64-own-linux-gnu-")
    assert find().version == "fake 1.0"
    assert find().sysroot is None


def test_a_prefix_that_is_wrong_is_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISCV_PREFIX", "/no/such-")
    with pytest.raises(ToolchainNotFoundError, match="RISCV_PREFIX=/no/such-"):
        find()


@pytest.mark.parametrize("machine", ["x86_64-linux-gnu", "riscv64-unknown-elf", "riscv32-linux"])
def test_a_compiler_for_something_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", str(fake_gcc(tmp_path, "cc", machine)))
    with pytest.raises(ToolchainNotFoundError):
        find()


def test_an_unknown_prefix_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gcc = fake_gcc(tmp_path, "riscv64-buildroot-linux-musl-gcc", "riscv64-buildroot-linux-musl")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr("toolchain.find.KNOWN_PREFIXES", ())
    assert find().gcc == gcc
