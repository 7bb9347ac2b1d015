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
from collections.abc import Iterable
from contextlib import chdir, redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import Any

from emu.compilation import bytecode, constants, finder
from emu.compilation.modules import BY_CYTHON, BY_MYPYC, GROUP, GROUP_LIBRARY, WITH_LOOPS

ROOT = Path(__file__).parent.parent.parent
_CHEAP_OPTIMIZATION = "1"
"""-O1 builds in half the time of -O3, and the result is as fast."""
_ARGUMENTS = [f"-O{_CHEAP_OPTIMIZATION}", "-g0", "-w"]
"""Arguments of the compiler. Newer ones have warnings that mypyc makes errors."""
_NOT_SOURCES = shutil.ignore_patterns("__pycache__", "built", "*.md", "*.html", "*.js")
_DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,
    "auto_pickle": False,
    "binding": False,
}
"""Types come from the .pxd files."""
_LONGEST = 100
"""Maximum number of characters of an error, which contains the compiler's command line."""


class CannotCompile(Exception):
    """Something that compiling needs is not there."""


def source(module: str) -> Path:
    return ROOT / _path(module)


def _path(module: str) -> Path:
    return Path(f"{module.replace('.', '/')}.py")


def build(*, installed: bool = False) -> None:
    """Compiles all modules into ``finder.FOLDER``, as a whole or not at all."""
    _check_requirements()
    with tempfile.TemporaryDirectory() as work:
        listed = _listed(_sources())
        libraries = _compile(Path(work))
        folder = Path(finder.FOLDER)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for library, module in libraries:
            shutil.move(library, folder / f"{module}{finder.SUFFIX}")
        listed += _listed(folder.iterdir())
        (folder / "sources").write_text(finder.INSTALLED if installed else listed)


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


def _sources() -> list[Path]:
    paths = [source(module) for module in (*BY_MYPYC, *BY_CYTHON)]
    beside = [path.with_suffix(end) for path in map(source, BY_CYTHON) for end in (".pyx", ".pxd")]
    paths += [*filter(Path.exists, beside), source("emu.compilation.modules")]
    return paths


def _listed(paths: Iterable[Path]) -> str:
    """Lines for ``finder.SOURCES``."""
    lines = []
    for path in paths:
        found = path.stat()
        relative = path.relative_to(ROOT).as_posix()
        lines.append(f"{found.st_size} {found.st_mtime_ns} {relative}\n")
    return "".join(lines)


def _compile(work: Path) -> list[tuple[Path, str]]:
    """Compiles in ``work``; returns each library with the name of its module."""
    from Cython.Compiler.Errors import CompileError as CythonError
    from setuptools import Distribution
    from setuptools.errors import BaseError, CompileError, LinkError

    output = StringIO()
    try:
        _prepare_sources(work)
        # Warnings are of no use here: a generator becomes a list, for example.
        with redirect_stdout(output), redirect_stderr(output), chdir(work):
            extensions = [*_by_mypyc(), *_by_cython()]
            command: Any = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
            command.build_lib, command.build_temp = "lib", "temp"
            command.parallel = os.cpu_count()
            command.ensure_finalized()
            command.run()
    except (BaseError, CompileError, CythonError, LinkError, SystemExit) as error:
        lines = output.getvalue().strip().splitlines()
        problem = next((line for line in lines if "error:" in line), str(error)[:_LONGEST])
        raise CannotCompile(f"compilation failed: {problem}") from None
    return [(work / command.get_ext_fullpath(each.name), each.name) for each in extensions]


def _prepare_sources(work: Path) -> None:
    """Copies the packages, with the sources that are compiled prepared for their compilers."""
    for package in ("emu", "kernel", "toolchain"):
        shutil.copytree(ROOT / package, work / package, ignore=_NOT_SOURCES)
    for name in (*BY_MYPYC, *BY_CYTHON):
        path = work / _path(name)
        path.write_text(constants.with_members(path.read_text(), import_module(name)))
    for name in BY_CYTHON:
        path = work / _path(name)
        text = constants.without_slots(path.read_text())
        text, declarations = constants.with_values(text, import_module(name))
        path.write_text(text)
        with path.with_suffix(".pxd").open("a") as file:
            file.write(declarations)


def _by_mypyc() -> list[Any]:
    from mypyc.build import mypycify

    extensions: list[Any] = mypycify(
        ["--ignore-missing-imports", *(str(_path(module)) for module in BY_MYPYC)],
        opt_level=_CHEAP_OPTIMIZATION,
        group_name=GROUP,
        target_dir="c",
    )
    # The others only lead to its modules, which the finder does itself.
    library = next(each for each in extensions if each.name == GROUP_LIBRARY)
    library.extra_compile_args += _ARGUMENTS
    return [library]


def _by_cython() -> list[Any]:
    from Cython.Build import cythonize
    from setuptools import Extension

    extensions = []
    for path in map(_path, BY_CYTHON):
        wrapped = path.with_suffix(".pyx")
        file = str(wrapped if wrapped.exists() else path)
        name = ".".join(path.with_suffix("").parts)
        arguments = [*_ARGUMENTS, *(["-O3"] if name in WITH_LOOPS else [])]
        extensions.append(Extension(name, [file], extra_compile_args=arguments))
    configured: list[Any] = cythonize(
        extensions, build_dir="c", quiet=True, compiler_directives=_DIRECTIVES
    )
    return configured


def main(arguments: list[str]) -> int:
    began = perf_counter()
    print("compiling the hot path (mypyc, Cython)", flush=True)
    installed = "--installed" in arguments
    bytecode.write(installed=installed)
    try:
        build(installed=installed)
    except CannotCompile as error:
        print(f"not compiled, emu runs in pure Python: {error}")
        return 0
    print(f"compiled in {perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
