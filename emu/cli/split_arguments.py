"""Which words of the command line are ours, and which somebody else's: the guest's, a compiler's.

argparse alone can't tell them apart: an option of the guest may look like ours, and one whose value
is optional would take the program's name for it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence


class _Options:
    """What a command's parser knows of an option."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._actions = parser._option_string_actions

    def length(self, word: str) -> int:
        """How many words the option takes with itself; 0 for what is no option of the command."""
        name, equals, _ = word.partition("=")
        action = self._actions.get(name)
        if action is None:
            attached = self._actions.get(word[:2]) if word[1:2] != "-" else None
            return 1 if attached is not None and attached.nargs is None else 0
        return 2 if action.nargs is None and not equals else 1

    def completed(self, word: str) -> str:
        """The word, with the value that an option has when it is given without one."""
        action = self._actions.get(word)
        if action is not None and action.nargs == "?":
            return f"{word}={action.const}"
        return word


def split(
    words: Sequence[str], parser: argparse.ArgumentParser, positionals: int, *, trailing: bool
) -> tuple[list[str], list[str]]:
    """The words after a command's name that are its own, and the rest, which is the guest's.

    The command has so many ``positionals``, of which the first is the program. With ``trailing``
    its options may follow them too. ``--`` before the first positional ends the options; after it,
    all of ours.
    """
    options = _Options(parser)
    ours: list[str] = []
    named: list[str] = []
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        if word.startswith("-") and len(word) > 1:
            length = options.length(word)
            if named and not length:
                break
            ours += [options.completed(word), *words[at + 1 : at + max(length, 1)]]
            at += max(length, 1)
        elif len(named) < positionals:
            named.append(word)
            at += 1
        else:
            break
        if named and not trailing:
            break
    if words[at : at + 1] == ["--"]:
        at += 1
    while not named and at < len(words):
        named.append(words[at])
        at += 1
    return [*ours, *(["--", *named] if named else [])], list(words[at:])
