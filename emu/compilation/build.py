"""``python -m emu.compilation.build``: compiles the hot path for this Python, in under a minute.

Needs a C compiler, Python's headers, mypy, Cython and setuptools; without one of them it prints why
and the sources are used. ``--installed`` is for a package, whose sources never change.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import Any

from emu.compilation import finder
from emu.compilation.modules import BY_CYTHON, BY_MYPYC, GROUP

ROOT = Path(__file__).parent.parent.parent
_CHEAP_OPTIMIZATION = "1"
"""-O1 builds in half the time of -O3, and the result is as fast."""
_LONGEST = 100
"""Maximum number of characters of an error, which contains the compiler's command line."""


class CannotCompile(Exception):
    """Something that compiling needs is not there."""


def source(module: str) -> Path:
    return ROOT / f"{module.replace('.', '/')}.py"


def build(*, installed: bool = False) -> None:
    """Compiles all modules into ``finder.FOLDER``, as a whole or not at all."""
    _check_requirements()
    with tempfile.TemporaryDirectory() as work:
        listed = "" if installed else _listed_sources()
        libraries = _compile(Path(work))
        folder = Path(finder.FOLDER)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for library, module in libraries:
            shutil.move(library, folder / f"{module}{finder.SUFFIX}")
        (folder / "sources").write_text(listed)


def _check_requirements() -> None:
    include = Path(sysconfig.get_paths()["include"])
    if not (include / "Python.h").exists():
        raise CannotCompile(f"{include}/Python.h is missing (Debian: python3-dev)")
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        raise CannotCompile(f"{compiler} is missing (Debian: gcc)")
    for name in ("Cython", "mypyc", "setuptools"):
        if find_spec(name) is None:
            raise CannotCompile(f"{name} is missing (pip)")


def _listed_sources() -> str:
    paths = [source(module) for module in (*BY_MYPYC, *BY_CYTHON)]
    paths += [path.with_suffix(".pyx") for path in map(source, BY_CYTHON)]
    lines = []
    for path in paths:
        found = path.stat()
        relative = path.relative_to(ROOT).as_posix()
        lines.append(f"{found.st_size} {found.st_mtime_ns} {relative}\n")
    return "".join(lines)


def _compile(work: Path) -> list[tuple[Path, str]]:
    """Compiles in ``work``; returns each library with the name of its module."""
    from setuptools import Distribution
    from setuptools.errors import BaseError, CompileError, LinkError

    output = StringIO()
    try:
        with redirect_stdout(output):  # warnings of mypyc: a generator becomes a list, for example
            extensions = [*_by_mypyc(work), *_by_cython(work)]
            command: Any = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
            command.build_lib, command.build_temp = str(work / "lib"), str(work / "temp")
            command.parallel = os.cpu_count()
            command.ensure_finalized()
            command.run()
    except (BaseError, CompileError, LinkError, SystemExit) as error:
        lines = output.getvalue().strip().splitlines()
        problem = next((line for line in lines if "error:" in line), str(error)[:_LONGEST])
        raise CannotCompile(f"compilation failed: {problem}") from None
    return [(Path(command.get_ext_fullpath(each.name)), each.name) for each in extensions]


def _by_mypyc(work: Path) -> list[Any]:
    from mypyc.build import mypycify

    before = Path.cwd()
    os.chdir(ROOT)  # mypy names a module by its path from here
    try:
        extensions: list[Any] = mypycify(
            [str(source(module).relative_to(ROOT)) for module in BY_MYPYC],
            opt_level=_CHEAP_OPTIMIZATION,
            group_name=GROUP,
            target_dir=str(work / "c"),
        )
    finally:
        os.chdir(before)
    for extension in extensions:
        extension.extra_compile_args.append("-Wno-error")  # for warnings of newer compilers
    return extensions


def _by_cython(work: Path) -> list[Any]:
    from Cython.Build import cythonize
    from setuptools import Extension

    extensions = [
        Extension(module, [str(source(module).with_suffix(".pyx"))], extra_compile_args=["-O1"])
        for module in BY_CYTHON
    ]
    configured: list[Any] = cythonize(extensions, build_dir=str(work / "c"), quiet=True)
    return configured


def main(arguments: list[str]) -> int:
    began = perf_counter()
    print("compiling the hot path (mypyc, Cython)", flush=True)
    try:
        build(installed="--installed" in arguments)
    except CannotCompile as error:
        print(f"not compiled, emu runs in pure Python: {error}")
        return 0
    print(f"compiled in {perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
