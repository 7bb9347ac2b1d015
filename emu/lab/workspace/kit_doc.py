"""``kit.md``: reference of the kit, generated from its signatures and docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from itertools import pairwise

from emu.lab import kit

_SOURCES = (
    ("emu.lab.kit", "memory.py"),
    ("emu.lab.kit", "frames.py"),
    ("emu.lab.kit", "tables.py"),
    ("emu.machine", "pte.py"),
    ("emu.lab.kit", "__init__.py"),
    ("emu.lab.kit", "values.py"),
)
_HEAD = """\
# What your code may use

Import everything from `emu.lab.kit`. A frame is identified by its number (PPN). A PTE is identified
by its physical address: the frame of its table `<< PAGE_SHIFT`, plus `PTE_SIZE` times its index.
Do not confuse a process's virtual addresses with the physical addresses of memory.
"""


def kit_text() -> str:
    """Markdown reference of the kit, in the order of its sources."""
    parts = [_HEAD]
    for package, name in _SOURCES:
        tree = ast.parse((files(package) / name).read_text(encoding="utf-8"))
        lines = list(_statements(tree.body, lambda name: name in kit.__all__))
        if lines:
            title = (ast.get_docstring(tree) or "").partition("\n")[0].partition(":")[0]
            parts.append(
                f"## {title.rstrip('.')}\n\n```python\n" + "\n".join(lines).strip() + "\n```\n"
            )
    return "\n".join(parts)


def _statements(body: Sequence[ast.stmt], is_included: Callable[[str], bool]) -> Iterator[str]:
    """Declarations of a module or a class with an included name, each with its docstring."""
    for statement, following in pairwise([*body, ast.Pass()]):
        match statement:
            case ast.FunctionDef(name=name) if is_included(name):
                yield ""
                yield f"def {name}({ast.unparse(statement.args)}){_return_annotation(statement)}"
                yield from _comment(ast.get_docstring(statement))
            case ast.ClassDef(name=name) if is_included(name):
                yield ""
                yield ast.unparse(ast.ClassDef(name, statement.bases, [], [], []))
                yield from _comment(ast.get_docstring(statement))
                lines = _statements(statement.body, lambda name: not name.startswith("_"))
                yield from (f"    {line}" if line else "" for line in lines)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if is_included(name):
                    yield ast.unparse(statement)
                    yield from _comment(_docstring(following))


def _return_annotation(function: ast.FunctionDef) -> str:
    return f" -> {ast.unparse(function.returns)}" if function.returns else ""


def _docstring(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    return None


def _comment(docstring: str | None) -> Iterator[str]:
    text = re.sub(r":\w+:`(\w+)`", r"\1", inspect.cleandoc(docstring or ""))
    for line in text.replace("``", "").splitlines():
        yield f"    # {line}".rstrip()
