"""Separates the command's own arguments from those of the guest or the compiler.

argparse alone cannot: an option of the guest may equal one of the command, and an option with an
optional value would take the program's name as its value.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence


class _Options:
    """The options that a command's parser defines."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._actions = parser._option_string_actions

    def length(self, argument: str) -> int:
        """Number of arguments that the option takes, itself included; 0 if it is unknown."""
        name, equals, _ = argument.partition("=")
        action = self._actions.get(name)
        if action is None:
            attached = self._actions.get(argument[:2]) if argument[1:2] != "-" else None
            return 1 if attached is not None and attached.nargs is None else 0
        return 2 if action.nargs is None and not equals else 1

    def with_default(self, argument: str) -> str:
        """The argument, with the default value of an option that is given without one."""
        action = self._actions.get(argument)
        if action is not None and action.nargs == "?":
            return f"{argument}={action.const}"
        return argument


def split(
    arguments: Sequence[str], parser: argparse.ArgumentParser, positionals: int, *, trailing: bool
) -> tuple[list[str], list[str]]:
    """Splits the arguments after a command's name into its own and the guest's.

    The command has ``positionals`` positional arguments, the program first. With ``trailing`` its
    options may also follow them. ``--`` before the first positional ends the options; after it,
    all arguments of the command.
    """
    options = _Options(parser)
    own: list[str] = []
    named: list[str] = []
    at = 0
    while at < len(arguments) and arguments[at] != "--":
        argument = arguments[at]
        if argument.startswith("-") and len(argument) > 1:
            length = options.length(argument)
            if named and not length:
                break
            own += [options.with_default(argument), *arguments[at + 1 : at + max(length, 1)]]
            at += max(length, 1)
        elif len(named) < positionals:
            named.append(argument)
            at += 1
        else:
            break
        if named and not trailing:
            break
    if arguments[at : at + 1] == ["--"]:
        at += 1
    while not named and at < len(arguments):
        named.append(arguments[at])
        at += 1
    return [*own, *(["--", *named] if named else [])], list(arguments[at:])
