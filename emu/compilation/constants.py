"""Prepares a source for the compilers: a look-up of a constant at each use becomes none.

A member of an enumeration takes 45 ns to look up, even in compiled code, so each that a module uses
becomes a constant of the module. Cython does not know which names are constants (``Final``): their
values take their place. Lines keep their numbers.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from enum import Enum, IntFlag
from types import ModuleType
from typing import Any, NamedTuple

_SMALL = 31
"""Number of bits of a literal that Cython takes for a number of C."""
_FINAL = "from typing import Final"


class _Use(NamedTuple):
    """The text at [start, end) of a line, both in bytes, and what takes its place."""

    line: int
    start: int
    end: int
    text: str


def with_members(source: str, module: ModuleType) -> str:
    """Replaces members of enumerations by constants of the module.

    A flag with which a number is intersected becomes a number too: the result is as true as before,
    in a hundredth of the time.
    """
    tree = ast.parse(source)
    operations = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp)]
    masks = {each.right for each in operations if isinstance(each.op, ast.BitAnd)}
    constants = {}
    uses = []
    for node in _loads(tree, ast.Attribute):
        if isinstance(node.value, ast.Name) and _is_member(module, node.value.id, node.attr):
            enumeration, member = node.value.id, f"{node.value.id}.{node.attr}"
            name = f"_{enumeration}_{node.attr}"
            if node in masks and issubclass(vars(module)[enumeration], IntFlag):
                name, member = f"{name}_bits", f"int({member})"
            constants[name] = enumeration, member
            uses.append(_use(node, name))
    after = defaultdict(list)
    for name, (enumeration, value) in constants.items():
        after[enumeration].append(f"{name}: Final = {value}")
    lines = _replaced(source, uses)
    for statement in tree.body:
        for enumeration in _names_bound_by(statement) & after.keys():
            _append(lines, statement, "; ".join([_FINAL, *after[enumeration]]))
    return "".join(lines)


def without_slots(source: str) -> str:
    """Removes an argument of dataclasses that Cython does not know; its classes have slots."""
    return re.sub(r"(?m)^(@dataclass\()(.*?)(, )?slots=True(?(3)|(?:, )?)", r"\1\2", source)


def with_values(source: str, module: ModuleType) -> tuple[str, str]:
    """Replaces the names of constants by their values; returns the text, and declarations for the
    module's .pxd file: Cython takes only a small literal for a number of C.
    """
    tree = ast.parse(source)
    uses = []
    large = {}
    for node in _loads(tree, ast.Name, ast.Attribute):
        value = _constant(module, node)
        if value is not None and value >> _SMALL:
            large[f"_constant_{value:x}"] = value
        if value is not None:
            uses.append(_use(node, f"_constant_{value:x}" if value >> _SMALL else str(value)))
    lines = _replaced(source, uses)
    first = next(each for each in tree.body if isinstance(each, ast.ImportFrom))
    for name, value in large.items():
        _append(lines, first, f"{name} = {value}")
    return "".join(lines), "".join(f"cdef unsigned long long {name}\n" for name in large)


def _constant(module: ModuleType, node: ast.Name | ast.Attribute) -> int | None:
    """The value of a constant of the module, or of a module that it imports; else None."""
    if isinstance(node, ast.Name):
        name, scope = node.id, vars(module)
    elif isinstance(node.value, ast.Name) and isinstance(
        imported := vars(module).get(node.value.id), ModuleType
    ):
        name, scope = node.attr, vars(imported)
    else:
        return None
    value = scope.get(name)
    return value if name.isupper() and type(value) is int else None


def _loads(tree: ast.Module, *kinds: type[ast.expr]) -> list[Any]:
    """The expressions of these kinds in functions that read a variable."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    nodes: set[Any] = {node for each in functions for part in each.body for node in ast.walk(part)}
    loads = {node for node in nodes if isinstance(getattr(node, "ctx", None), ast.Load)}
    return [node for node in loads if isinstance(node, kinds)]


def _is_member(module: ModuleType, enumeration: str, name: str) -> bool:
    kind = vars(module).get(enumeration)
    return isinstance(kind, type) and issubclass(kind, Enum) and name in kind.__members__


def _use(node: ast.expr, text: str) -> _Use:
    assert node.end_col_offset is not None
    return _Use(node.lineno, node.col_offset, node.end_col_offset, text)


def _replaced(source: str, uses: list[_Use]) -> list[str]:
    lines = source.splitlines(keepends=True)
    for use in sorted(uses, reverse=True):
        line = lines[use.line - 1].encode()
        lines[use.line - 1] = (line[: use.start] + use.text.encode() + line[use.end :]).decode()
    return lines


def _names_bound_by(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.ImportFrom):
        return {alias.asname or alias.name for alias in statement.names}
    return {statement.name} if isinstance(statement, ast.ClassDef) else set()


def _append(lines: list[str], statement: ast.stmt, text: str) -> None:
    """Adds statements after one: to the same line, or in place of the empty one after a class."""
    last = statement.end_lineno
    assert last is not None
    if isinstance(statement, ast.ClassDef):
        lines[last] = f"{text}\n"
    else:
        lines[last - 1] = f"{lines[last - 1].rstrip()}; {text}\n"
