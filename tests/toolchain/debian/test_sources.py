"""Is the Debian mirror read from apt's own sources, in both formats?"""

from pathlib import Path

import pytest

from toolchain.debian.sources import PUBLIC_MIRROR, Mirror, find_mirror
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


def machine(folder: Path, *, keyring: bool = False, **files: str) -> Path:
    """A machine's root with these sources, and Debian's keyring."""
    etc = folder / "etc" / "apt"
    (etc / "sources.list.d").mkdir(parents=True)
    for name, text in files.items():
        where = etc if name == "sources_list" else etc / "sources.list.d"
        (where / name.replace("_", ".")).write_text(text)
    if keyring:
        (folder / "usr/share/keyrings").mkdir(parents=True)
        (folder / "usr/share/keyrings/debian-archive-keyring.gpg").touch()
    return folder


def test_paragraphs(tmp_path: Path) -> None:
    found = find_mirror(machine=machine(tmp_path, debian_sources=f"{SECURITY}\n{DEB822}"))
    keys = "/usr/share/keyrings/archive.gpg"
    assert found == Mirror("http://mirror.example/debian", keys)


def test_a_key_in_a_paragraph(tmp_path: Path) -> None:
    text = f"{SECURITY}\n{DEB822}".replace("/usr/share/keyrings/archive.gpg", "\n KEY\n .\n END")
    found = find_mirror(machine=machine(tmp_path, debian_sources=text))
    assert found.signed_by == "\nKEY\n.\nEND"


@pytest.mark.parametrize(
    ("line", "mirror"),
    [
        ("deb http://m.example/d trixie main", Mirror("http://m.example/d")),
        ("deb  [arch=amd64]  http://m.example/d sid main", Mirror("http://m.example/d")),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://m.example/d stable main contrib",
            Mirror("http://m.example/d", "/k.gpg"),
        ),
    ],
)
def test_lines(tmp_path: Path, line: str, mirror: Mirror) -> None:
    text = f"# comment\ndeb-src http://s.example/d sid main\n\n{line}\n"
    assert find_mirror(machine=machine(tmp_path, sources_list=text)) == mirror


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
    with pytest.raises(RootError, match="debian-archive-keyring"):
        find_mirror(machine=machine(tmp_path, sources_list=text))


@pytest.mark.parametrize("change", [("deb deb-src", "deb-src"), ("Types:", "Enabled: no\nTypes:")])
def test_sources_that_are_off(tmp_path: Path, change: tuple[str, str]) -> None:
    with pytest.raises(RootError):
        find_mirror(machine=machine(tmp_path, debian_sources=DEB822.replace(*change)))


def test_a_machine_with_the_keys_only_uses_the_public_mirror(tmp_path: Path) -> None:
    text = "deb http://m.example/u noble main universe\n"
    found = find_mirror(machine=machine(tmp_path, keyring=True, sources_list=text))
    assert found == Mirror(PUBLIC_MIRROR, "/usr/share/keyrings/debian-archive-keyring.gpg")


def test_a_mirror_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMU_DEBIAN_MIRROR", "http://own.example/debian")
    here = machine(tmp_path, keyring=True, debian_sources=DEB822)
    keys = "/usr/share/keyrings/archive.gpg"
    assert find_mirror(machine=here) == Mirror("http://own.example/debian", keys)
    assert find_mirror("http://other.example/", machine=here).uri == "http://other.example/"
    given = tmp_path / "own.gpg"
    given.touch()
    assert find_mirror("file:/mirror", str(given), here) == Mirror("file:/mirror", str(given))


@pytest.mark.parametrize("uri", ["", "http://a b/", "http://a\nTrusted: yes"])
def test_words_that_are_not_a_url(uri: str, tmp_path: Path) -> None:
    with pytest.raises(RootError, match="not the URL of a mirror"):
        find_mirror(uri, machine=machine(tmp_path, keyring=True))


def test_a_keyring_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RootError, match="cannot be read"):
        find_mirror(None, str(tmp_path / "none"), machine(tmp_path, keyring=True))
