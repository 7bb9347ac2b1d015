"""Is a root that ``emu root`` fills like an installed system, for its own programs?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.guest.running import ROOTS, missing, run_emu
from tests.readme import WITH_ROOT, compare, make_checkout

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.environ.get("EMU_PURE") != "0", reason="make test-compiled runs it"),
]

ROOT = ROOTS / "debian"


def shell(script: str) -> str:
    if not ROOT.is_dir():
        missing(".root/debian (make roots)")
    options, env = ("--root", str(ROOT)), {"PATH": "/usr/sbin:/usr/bin"}
    run = run_emu("/bin/sh", "-c", script, options=options, env=env, checked=False)
    assert run.status == 0, run.errors
    return run.output


def test_does_the_guests_ldconfig_find_the_same_libraries() -> None:
    found = "ldconfig -p | grep -F '=>' | grep -vF ld-linux | sort"
    before, after = shell(f"{found}; echo; ldconfig; {found}").split("\n\n")
    assert before.splitlines() == after.splitlines()
    assert "libblas.so.3 " in before


def test_is_dpkgs_database_complete() -> None:
    assert shell("dpkg --audit; dpkg --verify redis-server coreutils; dpkg -S vim.tiny") == (
        "vim-tiny: /usr/bin/vim.tiny\n"
    )


def test_are_alternatives_those_of_update_alternatives() -> None:
    query = "for i in vi editor awk; do update-alternatives --query $i | grep ^Val; done"
    script = f"{query}; awk 'BEGIN{{print 4}}'"
    values = [f"Value: /usr/bin/{name}" for name in ("vim.tiny", "vim.tiny", "mawk")]
    assert shell(script).splitlines() == [*values, "4"]
    # In mode auto nothing changes.
    link = "readlink /etc/alternatives/vi"
    assert len(set(shell(f"{link}; update-alternatives --auto vi; {link}").split())) == 1


def test_are_names_and_locale_there() -> None:
    script = "LC_ALL=C.UTF-8 locale charmap; whoami; getent passwd redis | cut -d: -f1,6; "
    lines = shell(script + "getent hosts localhost; stat -c %a /tmp; cat /etc/debian_version")
    charmap, *names, hosts, mode, version = lines.splitlines()
    assert (charmap, names, mode) == ("UTF-8", ["root", "redis:/var/lib/redis"], "1777")
    assert hosts.endswith("localhost ip6-localhost ip6-loopback")
    assert version.startswith("13")


def test_does_numpy_find_its_linear_algebra() -> None:
    program = "import numpy; print(numpy.linalg.solve([[2., 0.], [0., 4.]], [2., 8.]).tolist())"
    assert shell(f"python3 -c '{program}'") == "[1.0, 2.0]\n"


def test_does_the_readmes_session_print_what_it_shows(tmp_path: Path) -> None:
    if not ROOT.is_dir():
        missing(".root/debian (make roots)")
    # The root has its packages, so that its first command fetches nothing.
    (make_checkout(tmp_path) / "debian").symlink_to(ROOT)
    assert WITH_ROOT[0][0].startswith(".venv/bin/emu root debian ")
    compare(WITH_ROOT, tmp_path)
