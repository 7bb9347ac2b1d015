"""Are libraries listed in the cache under the names by which programs need them?"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from toolchain.build import build
from toolchain.debian.configuration.elf_libraries import Library, read_library
from toolchain.debian.configuration.library_cache import write_library_cache
from toolchain.debian.tree import Tree
from toolchain.variant import Variant


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("library")
    (folder / "x.c").write_text("int x(void) { return 1; }\n")
    flags = ("-shared", "-nostdlib", "-Wl,-soname,libx.so.2")
    build([folder / "x.c"], folder / "libx.so", Variant.DYNAMIC, flags)
    return (folder / "libx.so").read_bytes()


def entries(tree: Tree) -> list[tuple[str, str]]:
    """Names and paths, in the order of the file."""
    data = tree.read("etc/ld.so.cache")
    assert data is not None and data.startswith(b"glibc-ld.so.cache1.1")
    (count,) = struct.unpack_from("<I", data, 20)
    rows = [struct.unpack_from("<iIIIQ", data, 48 + 24 * at) for at in range(count)]
    assert {row[0] for row in rows} <= {0x1003}
    return [
        (data[row[1] :].partition(b"\0")[0].decode(), data[row[2] :].partition(b"\0")[0].decode())
        for row in rows
    ]


def test_names_of_libraries(tmp_path: Path, library: bytes) -> None:
    tree = Tree(tmp_path)
    tree.folder("usr/lib")
    tree.link("lib", "usr/lib")
    tree.write("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf # more\n")
    tree.write("etc/ld.so.conf.d/a.conf", "/lib/multi\n/opt/none\n")
    tree.write("etc/ld.so.conf.d/no", "/opt/lib\n")
    tree.write("usr/lib/multi/libx.so.2.10", library)
    tree.link("usr/lib/multi/libx.so.2", "libx.so.2.10")
    tree.link("usr/lib/multi/libx.so", "libx.so.2")
    tree.write("usr/lib/libx.so.2", library)
    tree.write("usr/lib/liby.so.1", "text")
    tree.write("usr/lib/other.so", library)
    write_library_cache(tree)
    assert entries(tree) == [
        ("libx.so.2", "/lib/multi/libx.so.2"),
        ("libx.so", "/lib/multi/libx.so"),
    ]


def test_are_numbers_sorted_by_value(tmp_path: Path, library: bytes) -> None:
    tree = Tree(tmp_path)
    tree.write("lib/libx.so.2", library)
    names = ["libx100.so", "libx20.so", "libx3.so", "libx.so.2", "libxa.so"]
    for name in {*names, "libloop.so"} - {"libx.so.2"}:
        tree.link(f"lib/{name}", "libloop.so" if name == "libloop.so" else "libx.so.2")
    write_library_cache(tree)
    # The order of glibc's _dl_cache_libcmp, which the linker's search relies on.
    assert [name for name, _ in entries(tree)] == [*names[:3], "libxa.so", "libx.so.2"]


@pytest.mark.parametrize("size", [0, 1, 16, 63, 64, 100, 300])
def test_damaged_libraries(tmp_path: Path, library: bytes, size: int) -> None:
    path = tmp_path / "lib"
    path.write_bytes(library)
    assert read_library(str(path)) == Library("libx.so.2", True)
    path.write_bytes(library[:size])
    found = read_library(str(path))
    assert found is None or found.soname is None
    path.write_bytes(library[:64] + b"\xff" * (len(library) - 64))
    found = read_library(str(path))
    assert found is None or found.soname is None
