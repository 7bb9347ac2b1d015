"""Finds calls of a command in packages' scripts, which are not run.

A script is read from top to bottom. Variables that are set to known words are expanded, a `for`
with known words is repeated, and the branches of conditions are all read: the scripts guard such
calls with conditions that hold when a package is installed ("$1" is configure). A call with a word
that is not known, such as the output of a command, is left out; a variable keeps its last known
value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CONTINUED = re.compile(r"\\\n")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_HERE_DOCUMENT = re.compile(
    r"<<-?\s*(['\"\\]?)(\w+)['\"]?[^\n]*\n.*?^\t*\2$", re.MULTILINE | re.DOTALL
)
_TOKEN = re.compile(
    r"""(?P<space>[ \t]+)
    |(?P<comment>(?<![^\s;&|()])\#[^\n]*)
    |(?P<end>\n|;;|;|&&|\|\||[&|()])
    |(?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|`[^`]*`|\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|[^\s;&|()'"`\\])+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(
    r"""'(?P<quoted>[^']*)'
    |\\(?P<escaped>.)
    |\$\{(?P<braced>[A-Za-z_]\w*)\}
    |\$(?P<plain>[A-Za-z_]\w*)
    |(?P<unknown>`[^`]*`|\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|\$.)
    |(?P<mark>")
    |(?P<text>[^'\\$`"]+|[$`])""",
    re.VERBOSE | re.DOTALL,
)
_PREFIXES = {"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"}
_MAX_ROUNDS = 1000
"""Commands that are read in one script, with repetitions."""

Command = list[str]
Variables = dict[str, str | None]


def calls(script: str, name: str) -> Iterator[list[str]]:
    """Arguments of each call of the command `name`, also by its path, in order."""
    text = _HERE_DOCUMENT.sub("", _CONTINUED.sub(" ", script))
    variables: Variables = {}
    for words in _expanded(_commands(text), variables, [_MAX_ROUNDS]):
        if words[0].rpartition("/")[2] == name:
            yield words[1:]


def _commands(text: str) -> list[Command]:
    """Simple commands as their words, not yet expanded."""
    commands: list[Command] = []
    words: Command = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "word":
            words.append(match["word"])
        elif match.lastgroup == "end" and words:
            commands.append(words)
            words = []
    return [*commands, words] if words else commands


def _expanded(
    commands: list[Command], variables: Variables, budget: list[int]
) -> Iterator[list[str]]:
    """Commands with known words only, loops repeated."""
    at = 0
    while at < len(commands) and budget[0] > 0:
        budget[0] -= 1
        words = commands[at]
        while words and words[0] in _PREFIXES:
            words = words[1:]
        at += 1
        if words[:1] == ["for"] and len(words) >= 3 and words[2] == "in":
            end = _end_of_loop(commands, at)
            values = [each for word in words[3:] for each in _expand(word, variables) or []]
            for value in values:
                variables[words[1]] = value
                yield from _expanded(commands[at:end], variables, budget)
            at = end
            continue
        words = _without_assignments(words, variables)
        known = [_expand(word, variables) for word in words]
        if known and all(each is not None for each in known):
            flat = [each for some in known for each in some or []]
            if flat:
                yield flat


def _end_of_loop(commands: list[Command], at: int) -> int:
    """Index of the end of a loop's body, which may have loops in it."""
    depth = 1
    while at < len(commands):
        words = [word for word in commands[at] if word not in {"then", "else", "do"}]
        depth += words[:1] in (["for"], ["while"], ["until"])
        depth -= words[:1] == ["done"]
        if depth == 0:
            return at
        at += 1
    return at


def _without_assignments(words: Command, variables: Variables) -> Command:
    """Notes the values that variables get; returns the other words."""
    if words[:1] in (["local"], ["export"], ["readonly"]):
        words = words[1:]
    while words:
        found = _ASSIGNMENT.fullmatch(words[0])
        if found is None:
            break
        values = _expand(found[2], variables, split=False)
        if values is not None:
            variables[found[1]] = "".join(values)
        elif found[1] not in variables:
            variables[found[1]] = None
        words = words[1:]
    return words


def _expand(word: str, variables: Variables, *, split: bool = True) -> list[str] | None:
    """The words that one word becomes; None if a part of it is not known.

    A variable that was not set is empty.
    """
    result: list[str] = []
    current: str | None = None
    quoted = False
    for part in _PART.finditer(word):
        if part["mark"] is not None:
            quoted = not quoted
            current = current or ""
            continue
        if part["unknown"] is not None:
            return None
        name = part["braced"] or part["plain"]
        if name is None:
            text = next(
                each for each in (part["quoted"], part["escaped"], part["text"]) if each is not None
            )
            current = (current or "") + text
            continue
        value = variables.get(name, "")
        if value is None:
            return None
        if quoted or not split:
            current = (current or "") + value
            continue
        for index, piece in enumerate(value.split()):
            if index and current is not None:
                result.append(current)
                current = None
            current = (current or "") + piece
    return result if current is None else [*result, current]
