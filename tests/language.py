"""`python -m tests.language [FOLDER]`: words that texts of the project avoid.

Reads docstrings, comments, messages, help texts, documents, names, and strings of C and
JavaScript. Prints a line for each finding, `file:line: words (better ...)`; status 1 when there is
one. The rules are those of CONTRIBUTING.md: plain technical English, in which nothing in the
machine is a person.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_WORDS = {
    r"(?:re)?(?:tell|tells|told|telling)": "record, report, emit, show, distinguish",
    r"(?:hear|hears|heard)": "receive, observe",
    r"(?:meet|meets|met)(?! (?:the |a |its )?(?:goal|budget))": "find, reach, occur at",
    r"(?:lend|lends|lent)": "share",
    r"lest": "so that ... not",
    r"who(?:ever|soever)": "the caller, any code that",
    r"(?:its|their) kin": "and related calls",
    r"at the (?:most|least)": "at most, at least",
    r"by right(?! of)": "by its VMA's rights, allowed to",
    r"(?<!there )(?:is|are) no (?!longer)(?:\w+)": "is not a ..., there is no ...",
    r"(?:is|are)(?: then| now| only| also)? to be (?!\w+ ?\()": "must be, is (verb)ed",
    r"has no more": "is not available after, has no further",
    r"(?:one|a) \w+ less": "decrement, without",
    r"an? \w+ more": "one further, additional",
    r"tak(?:e|es|en|ing) stock": "count",
    r"lets? go of": "release",
    r"be asked": "must be requested, is requested",
    r"knows? nothing of": "does not depend on",
    r"whichever": "each, any",
    r"as (?:long as )?one likes": "any, for a given time",
    r"(?:comes?|goes?) (?:out of here|unnoticed)": "is passed on, is not detected",
    r"(?:is|are|went|goes?) (?:all )?well(?! ?formed)": "is correct, without errors",
    r"puts? down to|foretells?|pays? no heed": "attribute to, predict, ignore",
    r"as it (?:should|goes|comes)": "as expected, while running",
    r"no(?:body|body's)|somebody|anybody|everybody": "no process, no caller, unused",
    r"(?:parts|kernel|one) that (?:it|this) is about": "which are the lab's subject",
    r"(?:see|know|learn) who": "test, determine which process",
    r"as its type has it": "by its type",
    r"pass(?:es|ed|ing)? over(?! (?:the|a) (?:array|table|list))": "ignore, skip",
    r"wants? (?:it |them )?done": "requests",
    r"are orders": "are commands",
    r"no words?": "no argument, unexpected argument",
    r"(?:say|says|said) no": "reject, raise an error",
    r"spec(?:ification)? (?:say|says|said)": "by the specification, the specification requires",
    r"forgets? (?:which|that|what|who)": "clear, omit",
    r"com(?:e|es|ing) to (?:be|have|know|lie|pass|rest|stand|hold)": "become, be placed at",
    r"com(?:e|es|ing) (?:its|their|the) way": "receive, arrive",
    r"st(?:and|ands|ood) (?:there|on|at|by|in|before|after|beside)": "be, be placed, replace",
    r"(?:if|when|is|are|was|were|been) asked(?! for)": "requested, on request",
}
_FINDINGS = [(re.compile(rf"\b{word}\b", re.IGNORECASE), better) for word, better in _WORDS.items()]
_NAMES = {
    r"story|stories": "history, report",
    r"un(?:told|heard)": "not reported, not handled",
}
_IN_NAMES = [
    *_FINDINGS,
    *((re.compile(rf"\b(?:{word})\b"), better) for word, better in _NAMES.items()),
]
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
_PARTICIPLES = {
    *("asked", "begun", "called", "chosen", "come", "gone", "heard", "kept", "lent", "made", "met"),
    *("said", "seen", "stood", "told"),
}
"""Not names by themselves; ``found``, ``given``, ``held``, ``known`` and ``taken`` are accepted."""
_FRAGMENT = re.compile(r"(?:What|Who|Whose|Whether|Which|Where|When|Why|How|So)\b.*?[^?]$")
_CODE = re.compile(r"```.*?```|`[^`\n]*`|\"[^\"\n]*\"|“[^”]*”", re.DOTALL)
_HELP = {"help", "description", "epilog", "metavar"}
_C_COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
_C_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|`(?:[^`\\]|\\.)*`")
_C_LIKE = (".c", ".h", ".js", ".css", ".S")
_HASH = (".toml", ".sh", "Makefile", ".S")


class Finding(NamedTuple):
    path: str
    line: int
    words: str
    better: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words!r} (better: {self.better})"


class Text(NamedTuple):
    line: int
    text: str


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0] if arguments else ".")
    found = list(findings(folder))
    for finding in found:
        print(finding)
    if found:
        print(f"{len(found)} findings")
    return 1 if found else 0


def findings(folder: Path) -> Iterator[Finding]:
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "*.py",
            "*.md",
            "*.html",
            *(f"*{suffix}" for suffix in (*_C_LIKE, *_HASH)),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if name == "tests/language.py":
            continue
        source = (folder / name).read_text(encoding="utf-8")
        if name.endswith((".md", ".html")):
            texts = [Text(1, source)]
        elif name.endswith((*_C_LIKE, *_HASH)):
            texts = [*_c_comments(source)] if name.endswith(_C_LIKE) else []
            if name.endswith((".c", ".js")) and not name.startswith("tests/"):
                texts += _c_strings(source)
            texts += _hash_comments(source) if name.endswith(_HASH) else []
        else:
            nodes = list(ast.walk(ast.parse(source)))
            documented = list(_documented(nodes))
            texts = [*documented, *_comments(source)]
            texts += _help(nodes) if name.startswith("tests/") else _messages(nodes, documented)
            yield from _fragments(name, documented)
            yield from _in_names(name, nodes)
        for text in texts:
            yield from _in_text(name, text)


def _in_text(name: str, text: Text) -> Iterator[Finding]:
    plain = _CODE.sub(lambda match: re.sub(r"[^\n]", "·", match[0]), text.text)
    for pattern, better in _FINDINGS:
        for match in pattern.finditer(plain):
            line = text.line + plain.count("\n", 0, match.start())
            yield Finding(name, line, match[0], better)


def _documented(nodes: list[ast.AST]) -> Iterator[Text]:
    """Docstrings of modules, classes and functions, and the strings below attributes."""
    for node in nodes:
        body = getattr(node, "body", [])
        for statement in body if isinstance(body, list) else []:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield Text(statement.lineno, text)


def _fragments(name: str, documented: list[Text]) -> Iterator[Finding]:
    for line, text in documented:
        first = text.strip().partition("\n\n")[0].replace("\n", " ")
        if _FRAGMENT.fullmatch(first):
            yield Finding(name, line, first[:40], "a noun phrase, or a verb such as Converts")


def _comments(source: str) -> Iterator[Text]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(token.start[0], token.string)


def _messages(nodes: list[ast.AST], documented: list[Text]) -> Iterator[Text]:
    """Strings of several words that are not docstrings."""
    docstrings = {text for _, text in documented}
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) if " " in text and text not in docstrings:
                yield Text(node.lineno, text)


def _c_comments(source: str) -> Iterator[Text]:
    for match in _C_COMMENT.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        yield Text(line, re.sub(r"^ *\*", "", match[0], flags=re.MULTILINE))


def _c_strings(source: str) -> Iterator[Text]:
    """Strings of several words: messages of C programs, texts of the report's JavaScript."""
    code = _C_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), source)
    for match in _C_STRING.finditer(code):
        text = match[0][1:-1]
        if " " in text:
            yield Text(code.count("\n", 0, match.start()) + 1, text)


def _in_names(name: str, nodes: list[ast.AST]) -> Iterator[Finding]:
    """Findings in names, as words; in tests also in hyphenated ids; bare participles."""
    tests = name.startswith("tests/")
    for line, identifier in _names(nodes, with_ids=tests):
        words = re.sub(r"[-_]+", " ", identifier).strip().lower()
        for pattern, better in _IN_NAMES:
            if pattern.search(words):
                yield Finding(name, line, identifier, better)
        if words in _PARTICIPLES:
            yield Finding(name, line, identifier, "a noun")


def _hash_comments(source: str) -> Iterator[Text]:
    """Comments that begin with # and names of contracts (pyproject.toml)."""
    for match in re.finditer(r"(?:^|\s)#[^\n]*|(?<=^name = \")[^\n]*(?=\")", source, re.MULTILINE):
        yield Text(source.count("\n", 0, match.start()) + 1, match[0])


def _names(nodes: list[ast.AST], *, with_ids: bool) -> Iterator[Text]:
    """Names of functions, classes, parameters, variables and fields."""
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield Text(node.lineno, name)
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                yield Text(node.lineno, name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield Text(node.lineno, name)
            case ast.Constant(value=str(text)) if with_ids and _ID.fullmatch(text):
                yield Text(node.lineno, text)


def _help(nodes: list[ast.AST]) -> Iterator[Text]:
    """Texts of argparse's help."""
    for node in nodes:
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in _HELP and isinstance(keyword.value, ast.Constant | ast.JoinedStr):
                    for part in ast.walk(keyword.value):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str):
                            yield Text(keyword.value.lineno, part.value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
