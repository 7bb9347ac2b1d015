"""The links of Debian's alternatives, as update-alternatives(1) makes them for packages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from toolchain.debian.configuration.maintainer_scripts import calls
from toolchain.debian.tree import Tree

_LINKS = "etc/alternatives"
_ADMIN = "var/lib/dpkg/alternatives"


@dataclass(frozen=True)
class Choice:
    """A file that can be that of a link; `slaves` are the files of further links, by name."""

    path: str
    priority: int
    slaves: dict[str, str] = field(default_factory=dict)


@dataclass
class Alternative:
    """A link with its choices, and the links that follow its choice, by name."""

    link: str
    slaves: dict[str, str] = field(default_factory=dict)
    choices: dict[str, Choice] = field(default_factory=dict)


def link_alternatives(tree: Tree, scripts: Iterable[str]) -> None:
    """Makes the links that the calls in these scripts ask for, each to its best choice.

    A choice that the user set by hand in the tree is left, and so is a file of a link's name.
    """
    for name, alternative in sorted(find_alternatives(scripts).items()):
        choices = [each for each in alternative.choices.values() if tree.exists(each.path)]
        if not choices or tree.text(f"{_ADMIN}/{name}").startswith("manual"):
            continue
        # Of equal ones update-alternatives selects the first.
        best = max(choices, key=lambda choice: choice.priority)
        _link(tree, alternative.link, name, best.path)
        for slave, link in alternative.slaves.items():
            target = best.slaves.get(slave)
            if target is not None and tree.exists(target):
                _link(tree, link, slave, target)
        tree.write(f"{_ADMIN}/{name}", _admin_file(alternative, choices))


def find_alternatives(scripts: Iterable[str]) -> dict[str, Alternative]:
    """The alternatives of all calls of update-alternatives, by name."""
    found: dict[str, Alternative] = {}
    for script in scripts:
        for arguments in calls(script, "update-alternatives"):
            for name, link, choice, links in _installation(arguments):
                alternative = found.setdefault(name, Alternative(link))
                alternative.choices[choice.path] = choice
                alternative.slaves.update(links)
    return found


def _installation(
    arguments: list[str],
) -> Iterator[tuple[str, str, Choice, dict[str, str]]]:
    """Of `--install LINK NAME PATH PRIORITY [--slave LINK NAME PATH]...`."""
    words = [word for word in arguments if word not in {"--quiet", "--verbose", "--force"}]
    if words[:1] != ["--install"] or len(words) < 5:
        return
    link, name, path, priority = words[1:5]
    slaves, links = {}, {}
    for at in range(5, len(words) - 3):
        if words[at] == "--slave":
            links[words[at + 2]] = words[at + 1]
            slaves[words[at + 2]] = words[at + 3]
    names = [name, *slaves]
    paths = [link, path, *links.values(), *slaves.values()]
    if any("/" in each or each in {"", ".", ".."} for each in names):
        return
    if all(each.startswith("/") and "\n" not in each for each in paths) and (
        priority.removeprefix("-").isdecimal()
    ):
        yield name, link, Choice(path, int(priority), slaves), links


def _link(tree: Tree, link: str, name: str, path: str) -> None:
    """Links through /etc/alternatives, as the guest's update-alternatives does."""
    tree.link(f"{_LINKS}/{name}", path)
    if tree.is_link(link) or not tree.exists(link):
        tree.link(link, f"/{_LINKS}/{name}")


def _admin_file(alternative: Alternative, choices: list[Choice]) -> str:
    """The file by which update-alternatives knows an alternative in mode auto."""
    lines = ["auto", alternative.link]
    slaves = sorted(alternative.slaves)
    for slave in slaves:
        lines += [slave, alternative.slaves[slave]]
    lines.append("")
    for choice in sorted(choices, key=lambda choice: choice.path):
        lines += [choice.path, str(choice.priority)]
        lines += [choice.slaves.get(slave, "") for slave in slaves]
    return "\n".join([*lines, "", ""])
