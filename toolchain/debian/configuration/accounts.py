"""/etc/passwd and /etc/group: Debian's own accounts, and those that the packages' scripts make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from toolchain.debian.configuration.maintainer_scripts import calls
from toolchain.debian.tree import Tree

_PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
)
_GROUP = "root:x:0:\nnogroup:x:65534:\n"
_FIRST, _LAST = 100, 999
"""Numbers of system accounts (adduser.conf(5))."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
_WITH_VALUE = {
    *("--home", "--shell", "--gecos", "--comment", "--uid", "--gid", "--group", "--ingroup"),
    *(
        "--groups",
        "--home-dir",
        "--base-dir",
        "--skel",
        "--conf",
        "-d",
        "-s",
        "-c",
        "-u",
        "-g",
        "-G",
    ),
}


@dataclass
class Account:
    """A user that is wanted, with the group of its own unless `group` names another."""

    name: str
    home: str = "/nonexistent"
    shell: str = "/usr/sbin/nologin"
    gecos: str = ""
    group: str = ""
    number: int | None = None


@dataclass
class Wanted:
    users: dict[str, Account] = field(default_factory=dict)
    groups: dict[str, int | None] = field(default_factory=dict)
    members: list[tuple[str, str]] = field(default_factory=list)
    """User and group."""


def write_accounts(tree: Tree, scripts: Iterable[str]) -> None:
    """Adds the accounts that are missing; those that exist keep their numbers."""
    passwd = tree.text("etc/passwd") or tree.text("usr/share/base-passwd/passwd.master") or _PASSWD
    group = tree.text("etc/group") or tree.text("usr/share/base-passwd/group.master") or _GROUP
    users = _lines(passwd.replace(":*:", ":x:"), 7)
    groups = _lines(group.replace(":*:", ":x:"), 4)
    wanted = _wanted(tree, scripts)
    for name, number in wanted.groups.items():
        _add_group(groups, name, number)
    for account in wanted.users.values():
        _add_user(users, groups, account)
    for name, other in wanted.members:
        if other in groups and name in users:
            members = [each for each in groups[other][3].split(",") if each]
            groups[other][3] = ",".join(dict.fromkeys([*members, name]))
    tree.write("etc/passwd", "".join(":".join(fields) + "\n" for fields in users.values()))
    tree.write("etc/group", "".join(":".join(fields) + "\n" for fields in groups.values()))


def _lines(text: str, count: int) -> dict[str, list[str]]:
    rows = [line.split(":") for line in text.splitlines()]
    return {row[0]: row for row in rows if len(row) == count}


def _add_group(groups: dict[str, list[str]], name: str, number: int | None) -> str:
    """The number of a group, which is added if it is missing."""
    if name not in groups:
        groups[name] = [name, "x", _free(groups, number), ""]
    return groups[name][2]


def _add_user(users: dict[str, list[str]], groups: dict[str, list[str]], new: Account) -> None:
    if new.name in users:
        return
    if new.group.isdecimal():
        gid = new.group
    else:
        gid = _add_group(groups, new.group or new.name, new.number)
    uid = _free(users, new.number if new.number is not None else int(gid))
    users[new.name] = [new.name, "x", uid, gid, new.gecos, new.home, new.shell]


def _free(rows: dict[str, list[str]], number: int | None) -> str:
    """The number, if it is free, else the first free one of the system's."""
    taken = {row[2] for row in rows.values()}
    if number is not None and str(number) not in taken:
        return str(number)
    return next(str(each) for each in range(_FIRST, 1 << 16) if str(each) not in taken)


def _wanted(tree: Tree, scripts: Iterable[str]) -> Wanted:
    wanted = Wanted()
    for name in tree.listed("usr/lib/sysusers.d"):
        if name.endswith(".conf"):
            for line in tree.text(f"usr/lib/sysusers.d/{name}").splitlines():
                _from_sysusers(_fields(line), wanted)
    for script in scripts:
        for command in ("addgroup", "groupadd", "adduser", "useradd"):
            for arguments in calls(script, command):
                _from_script(command, arguments, wanted)
    return wanted


def _fields(line: str) -> list[str]:
    """Words of a line, which may be quoted."""
    return [first or second for first, second in re.findall(r'"([^"]*)"|([^\s"]+)', line)]


def _from_sysusers(fields: list[str], wanted: Wanted) -> None:
    """A line of sysusers.d(5): `u NAME ID GECOS HOME SHELL`, `g NAME ID`, `m USER GROUP`."""
    kind, name, number, gecos, home, shell = [*fields, *[""] * 6][:6]
    if kind.startswith("#") or not _NAME.fullmatch(name):
        return
    first, _, other = number.partition(":")
    fixed = int(first) if first.isdecimal() else None
    if kind.startswith("u"):
        account = Account(name, number=fixed, group=other)
        account.gecos = _plain(gecos, account.gecos)
        account.home, account.shell = _plain(home, "/"), _plain(shell, account.shell)
        wanted.users.setdefault(name, account)
    elif kind.startswith("g"):
        wanted.groups.setdefault(name, fixed)
    elif kind.startswith("m") and _NAME.fullmatch(number):
        wanted.members.append((name, number))


def _from_script(command: str, arguments: list[str], wanted: Wanted) -> None:
    """A call of adduser(8) or one of its relatives. Accounts of persons are not made."""
    options: dict[str, str] = dict(_options(command, arguments))
    names = [each for each in options.pop("", "").split() if _NAME.fullmatch(each)]
    if command == "adduser" and len(names) == 2:
        wanted.members.append((names[0], names[1]))
        return
    system = {"--system", "-r", "-S"} & options.keys() or command == "groupadd"
    if len(names) != 1 or not system:
        return
    number = options.get("--gid", options.get("-g", ""))
    if command in {"addgroup", "groupadd"}:
        wanted.groups.setdefault(names[0], int(number) if number.isdecimal() else None)
        return
    account = Account(names[0])
    uid = options.get("--uid", options.get("-u", ""))
    account.number = int(uid) if uid.isdecimal() else None
    account.home = _plain(
        options.get("--home", options.get("--home-dir", options.get("-d", ""))), account.home
    )
    account.shell = _plain(options.get("--shell", options.get("-s", "")), account.shell)
    account.gecos = _plain(
        options.get("--gecos", options.get("--comment", options.get("-c", ""))), ""
    )
    group = options.get("--ingroup", number)
    if not group and command == "adduser" and "--group" not in options:
        group = "nogroup"
    account.group = group if _NAME.fullmatch(group) or group.isdecimal() else ""
    wanted.users.setdefault(names[0], account)


def _options(command: str, arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, then the other words as the value of ""."""
    others = []
    at = 0
    while at < len(arguments):
        name, equals, value = arguments[at].partition("=")
        at += 1
        if not name.startswith("-"):
            others.append(name)
            continue
        # `adduser --group` has no value, unlike `useradd --gid`.
        takes = name in _WITH_VALUE and not (name == "--group" and command == "adduser")
        if takes and not equals and at < len(arguments):
            value = arguments[at]
            at += 1
        yield name, value
    yield "", " ".join(others)


def _plain(text: str, default: str) -> str:
    """A field of passwd(5); the default if there is none or it has characters of another field."""
    return default if text in {"", "-"} or re.search(r"[:\n]", text) else text
