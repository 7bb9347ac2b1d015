"""Do users and groups exist that the packages' scripts make?"""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.debian.configuration.accounts import write_accounts
from toolchain.debian.tree import Tree

SCRIPT = """
if ! getent passwd db >/dev/null; then
    adduser --system $quiet --home /var/lib/db --no-create-home \\
        --shell /bin/bash --group --gecos "Data base" db
fi
addgroup --system --quiet keys
adduser $quiet db keys
useradd -r -g keys -d /run/x -s /bin/false agent
adduser --system plain
adduser person
groupadd -g 42 shadow || true
adduser --system "$unknown"; adduser --system 'a:b'
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def rows(tree: Tree, name: str) -> dict[str, list[str]]:
    return {line.split(":")[0]: line.split(":")[1:] for line in tree.text(name).splitlines()}


def test_accounts_of_scripts(tree: Tree) -> None:
    write_accounts(tree, [SCRIPT])
    users, groups = rows(tree, "etc/passwd"), rows(tree, "etc/group")
    assert list(users) == ["root", "nobody", "db", "plain", "agent"]
    assert list(groups) == ["root", "nogroup", "keys", "shadow", "db"]
    assert users["db"] == [
        "x",
        users["db"][1],
        groups["db"][1],
        "Data base",
        "/var/lib/db",
        "/bin/bash",
    ]
    assert users["agent"][2:] == [groups["keys"][1], "", "/run/x", "/bin/false"]
    assert users["plain"][2] == "65534"
    assert groups["keys"][2] == "db"
    assert groups["shadow"][1] == "42"
    assert all(100 <= int(users[name][1]) < 1000 for name in ("db", "plain", "agent"))


def test_do_accounts_keep_their_numbers(tree: Tree) -> None:
    write_accounts(tree, [SCRIPT])
    before = tree.text("etc/passwd"), tree.text("etc/group")
    write_accounts(tree, ["adduser --system --group another", SCRIPT])
    assert tree.text("etc/passwd").startswith(before[0])
    assert rows(tree, "etc/passwd")["another"][1] not in before[0]


def test_accounts_of_sysusers(tree: Tree) -> None:
    tree.write("usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/bash\n")
    tree.write("usr/share/base-passwd/group.master", "root:*:0:\nmail:*:8:\n")
    tree.write(
        "usr/lib/sysusers.d/x.conf",
        '# text\nu web 33 "The web" /srv\nu! low - - /x /bin/sh\n'
        "g tape 26\nm web mail\nu bad:name 1\n",
    )
    write_accounts(tree, [])
    users, groups = rows(tree, "etc/passwd"), rows(tree, "etc/group")
    assert users["root"][5] == "/bin/bash"
    assert users["web"] == ["x", "33", "33", "The web", "/srv", "/usr/sbin/nologin"]
    assert users["low"][4:] == ["/x", "/bin/sh"]
    assert groups["tape"][1] == "26"
    assert groups["mail"][2] == "web"
    assert "bad" not in tree.text("etc/passwd")
