"""A wrong kernel: the correct one with a line or two of one function changed, as in a diff."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType

from emu.lab.graded.mutant import replace_once


@dataclass(frozen=True)
class Edit:
    """In function ``where`` ("module:function", "module:Class.method") ``new`` replaces ``old``.

    ``old`` must be there exactly once, so an edit that no longer fits the source is an error. A
    line more in either begins with the blanks that it has in the function, less its own indent.
    """

    where: str
    old: str
    new: str

    def apply(self, source: str) -> str:
        return replace_once(source, self.old, self.new, self.where)


@dataclass(frozen=True)
class Variant:
    """One way to get it wrong: ``breaks`` says in a line what is broken."""

    name: str
    breaks: str
    edits: tuple[Edit, ...]


def wrong(name: str, breaks: str, where: str, old: str, new: str) -> Variant:
    """A variant of one edit."""
    return Variant(name, breaks, (Edit(where, old, new),))


@contextmanager
def broken(variant: Variant) -> Iterator[None]:
    """The variant's functions run its code; also where they were imported by name."""
    codes = _wrong_codes(variant)
    right = [(function, function.__code__) for function in codes]
    try:
        for function, code in codes.items():
            function.__code__ = code
        yield
    finally:
        for function, code in right:
            function.__code__ = code


@cache
def _wrong_codes(variant: Variant) -> dict[FunctionType, CodeType]:
    sources: dict[str, str] = {}
    for edit in variant.edits:
        source = sources.get(edit.where)
        if source is None:
            source = textwrap.dedent(inspect.getsource(find(edit.where)))
        sources[edit.where] = edit.apply(source)
    return {find(where): _compile(find(where), source) for where, source in sources.items()}


def find(where: str) -> FunctionType:
    """The function of that name; a property's getter, or its setter as "Class.name.fset"."""
    module, _, path = where.partition(":")
    found: object = importlib.import_module(module)
    for name in path.split("."):
        static = not isinstance(found, property)
        found = inspect.getattr_static(found, name) if static else getattr(found, name)
    if isinstance(found, property):
        found = found.fget
    assert isinstance(found, FunctionType), where
    return found


def _compile(function: FunctionType, source: str) -> CodeType:
    name = f"<wrong {function.__qualname__}>"
    module = compile(source, name, "exec", flags=annotations.compiler_flag, dont_inherit=True)
    codes = [code for code in module.co_consts if isinstance(code, CodeType)]
    return next(code for code in codes if code.co_name == function.__name__)
