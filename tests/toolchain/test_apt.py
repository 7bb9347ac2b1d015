"""Is the Debian mirror read from apt's own sources, in both formats?"""

from pathlib import Path

import pytest

from toolchain.apt import Mirror, find_mirror
from toolchain.errors import RootError

DEB822 = """\
# the archive
Types: deb deb-src
# a snapshot
URIs: http://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/archive.gpg
"""

SECURITY = """\
Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
"""


@pytest.fixture(autouse=True)
def _no_mirror_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMU_DEBIAN_MIRROR", raising=False)


def etc(folder: Path, **files: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        where = folder if name == "sources_list" else folder / "sources.list.d"
        (where / name.replace("_", ".")).write_text(text)
    return folder


def test_paragraphs(tmp_path: Path) -> None:
    found = find_mirror(etc(tmp_path, debian_sources=f"{SECURITY}\n{DEB822}"))
    options = "[signed-by=/usr/share/keyrings/archive.gpg]"
    assert found == Mirror("http://mirror.example/debian", options)


@pytest.mark.parametrize(
    ("line", "mirror"),
    [
        ("deb http://m.example/d trixie main", Mirror("http://m.example/d")),
        ("deb  [arch=amd64]  http://m.example/d sid main", Mirror("http://m.example/d")),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://m.example/d stable main contrib",
            Mirror("http://m.example/d", "[signed-by=/k.gpg]"),
        ),
    ],
)
def test_lines(tmp_path: Path, line: str, mirror: Mirror) -> None:
    text = f"# comment\ndeb-src http://s.example/d sid main\n\n{line}\n"
    assert find_mirror(etc(tmp_path, sources_list=text)) == mirror


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deb http://m.example/u noble main universe\n",
        "deb http://m.example/d bookworm-security main\n",
        "deb broken\n",
        "#deb http://m.example/d sid main\n",
    ],
)
def test_no_mirror(tmp_path: Path, text: str) -> None:
    with pytest.raises(RootError, match="EMU_DEBIAN_MIRROR"):
        find_mirror(etc(tmp_path, sources_list=text))


@pytest.mark.parametrize("change", [("deb deb-src", "deb-src"), ("Types:", "Enabled: no\nTypes:")])
def test_sources_that_are_off(tmp_path: Path, change: tuple[str, str]) -> None:
    with pytest.raises(RootError):
        find_mirror(etc(tmp_path, debian_sources=DEB822.replace(*change)))


def test_a_mirror_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMU_DEBIAN_MIRROR", "http://own.example/debian")
    assert find_mirror(tmp_path) == Mirror("http://own.example/debian")
