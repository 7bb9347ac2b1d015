"""Lints and type-checks the script of the report's page, with Deno: part of ``make lint``.

The files are one script in the page, so they are checked as one; findings are reported by file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from emu.observe.report.page import SCRIPTS

_TYPES = Path(__file__).with_name("script_types.d.ts")
_CONFIG = {
    "compilerOptions": {
        "checkJs": True,
        "strict": True,
        "lib": ["esnext", "dom", "dom.iterable"],
        "types": [str(_TYPES)],
    },
    "lint": {"rules": {"exclude": ["no-window"]}},  # a rule about Deno, not about browsers
}


class Line(NamedTuple):
    """A line of the script, with its file and line number."""

    text: str
    file: str
    number: int


def page_script() -> list[Line]:
    """Returns the lines of the page's script."""
    folder = files("emu.observe.report") / "page"
    return [
        Line(text, f"{name}.js", number)
        for name in SCRIPTS
        for number, text in enumerate((folder / f"{name}.js").read_text("utf-8").splitlines(), 1)
    ]


def findings(script: list[Line]) -> list[str]:
    """Returns a line ``FILE:LINE: RULE MESSAGE`` for each finding of linter and type checker."""
    with tempfile.TemporaryDirectory() as name:
        file, config = Path(name, "script.js"), Path(name, "deno.json")
        file.write_text("".join(f"{line.text}\n" for line in script), "utf-8")
        config.write_text(json.dumps(_CONFIG), "utf-8")
        found = [*_lint(file, config), *_types(file, config)]
    return [f"{script[at].file}:{script[at].number}: {text}" for at, text in sorted(found)]


def _lint(file: Path, config: Path) -> Iterator[tuple[int, str]]:
    report = json.loads(_deno("lint", "--json", "--config", config, file).stdout)
    for each in report["diagnostics"]:
        yield each["range"]["start"]["line"] - 1, f"{each['code']} {each['message']}"
    for error in report["errors"]:
        yield 0, error["message"]


def _types(file: Path, config: Path) -> Iterator[tuple[int, str]]:
    """Reads reports of an error, its source, and its place: ``at file:///…/script.js:7:3``."""
    done = _deno("check", "--config", config, file)
    message = ""
    count = 0
    for line in done.stderr.splitlines():
        if line.startswith("TS"):
            message = line.replace(" [ERROR]:", "")
        elif message and line.strip().startswith("at file:"):
            yield int(line.rsplit(":", 2)[1]) - 1, message
            message, count = "", count + 1
    if done.returncode and not count:
        yield 0, done.stderr


def _deno(command: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    deno = Path(sysconfig.get_path("scripts"), "deno")
    with tempfile.TemporaryDirectory() as cache:
        settings = {"NO_COLOR": "1", "DENO_DIR": cache, "DENO_NO_UPDATE_CHECK": "1"}
        return subprocess.run(
            [deno, command, *words],
            env=os.environ | settings,
            text=True,
            capture_output=True,
            check=False,
        )


def main() -> int:
    found = findings(page_script())
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
