"""Do the .pxd files declare the attributes that the classes have?"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from emu.compilation.build import source
from emu.compilation.modules import BY_CYTHON

DECLARED = {
    module: path for module in BY_CYTHON if (path := source(module).with_suffix(".pxd")).exists()
}
CLASS = re.compile(r"^cdef class (\w+)(?:\((\w+)\))?:\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)
ATTRIBUTE = re.compile(r"^    cdef (?:public |readonly )?[\w\[\]:]+ (\w+)$", re.MULTILINE)


def declarations() -> dict[str, tuple[str, set[str]]]:
    """The base and the declared attributes of each class."""
    found = {}
    for path in DECLARED.values():
        for name, base, body in CLASS.findall(f"{path.read_text()}\n"):
            found[name] = base, set(ATTRIBUTE.findall(body))
    return found


def assigned(tree: ast.ClassDef) -> set[str]:
    """The attributes that the class's methods assign to ``self``, and a dataclass's fields."""
    own = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    if any("dataclass" in ast.unparse(each) for each in tree.decorator_list):
        own |= {each.target.id for each in fields_of(tree)}
    setters = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    return own - setters


def fields_of(tree: ast.ClassDef) -> list[ast.AnnAssign]:
    return [
        each
        for each in tree.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    ]


@pytest.mark.parametrize("module", DECLARED)
def test_is_each_attribute_declared(module: str) -> None:
    known = declarations()
    source = DECLARED[module].with_suffix(".py").read_text()
    for tree in ast.walk(ast.parse(source)):
        if not isinstance(tree, ast.ClassDef) or tree.name not in known:
            continue
        declared: set[str] = set()
        name = tree.name
        while name:
            name, own = known[name]
            declared |= own
        missing = assigned(tree) - declared
        assert not missing, f"{DECLARED[module]}: {tree.name} has no {sorted(missing)}"


def test_do_the_declarations_read_as_expected() -> None:
    assert declarations()["Mmu"][1] >= {"ram", "privilege", "_satp"}
    assert declarations()["PageTable"][0]
    assert Path(DECLARED["emu.machine.sv39"]).exists()
