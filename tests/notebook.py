"""Executes the code cells of a notebook (nbformat 4), as Jupyter does, without Jupyter."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def code_cells(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def execute(path: Path) -> list[Any]:
    """Returns the value of the expression that ends each cell; None where there is none.

    The current directory must be the notebook's.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    return [
        _execute(source, f"{path.name}[{number}]", names)
        for number, source in enumerate(code_cells(path), 1)
    ]


def _execute(source: str, name: str, names: dict[str, Any]) -> Any:
    tree = ast.parse(source, name)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        return exec(compile(tree, name, "exec"), names)
    del tree.body[-1]
    exec(compile(tree, name, "exec"), names)
    return eval(compile(ast.Expression(last.value), name, "eval"), names)
