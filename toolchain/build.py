"""Builds RISC-V Linux programs with fixed flags, into a cache keyed by content."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from toolchain.errors import BuildError
from toolchain.find import Toolchain, find, gcc_output
from toolchain.variant import Variant

LINK_FLAGS = {
    Variant.STATIC: ("-static", "-fno-pie", "-no-pie"),
    # Older GCCs for RISC-V do not pass -static-pie on to the linker.
    Variant.STATIC_PIE: ("-static-pie", "-fPIE", "-Wl,-static,--no-dynamic-linker,-z,text"),
    Variant.DYNAMIC: ("-fPIE", "-pie"),
}

COMMON_FLAGS = ("-O2", "-g", "-march=rv64gc", "-mabi=lp64d", "-Wall", "-Wl,--build-id=none")


def cache_folder() -> Path:
    """Cache directory of built programs and downloaded packages."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "emu"


def supports(variant: Variant) -> bool:
    """True when the C library supports this kind of linking (static PIE: glibc 2.38)."""
    if variant is not Variant.STATIC_PIE:
        return True
    return Path(gcc_output(find().gcc, "-print-file-name=rcrt1.o")).is_absolute()


def build(
    sources: Sequence[Path | str],
    output: Path | str | None = None,
    variant: Variant = Variant.STATIC,
    flags: Sequence[str] = (),
) -> Path:
    """Compiles and links C or assembly sources into one program; returns its path.

    Without an output the program stays in the cache. The same text, flags and
    compiler give the same bytes; then only the preprocessor runs again.
    Raises ToolchainNotFoundError or BuildError.
    """
    toolchain = find()
    if "-nostdlib" not in flags and not supports(variant):
        raise BuildError("the C library does not support static PIE (rcrt1.o is missing)", "")
    paths = [Path(source).resolve() for source in sources]
    command = [*COMMON_FLAGS, *LINK_FLAGS[variant], *_prefix_maps(paths), *flags]
    digest = _digest(toolchain, paths, command)
    program = cache_folder() / "programs" / digest / paths[0].stem
    if not program.exists():
        _compile(toolchain, paths, command, program)
    if output is None:
        return program
    _copy(program, Path(output))
    return Path(output)


def _prefix_maps(paths: Sequence[Path]) -> list[str]:
    """Flags that keep the sources' directory out of the program, for reproducible builds."""
    folders = {path.parent for path in paths}
    with suppress(FileNotFoundError):  # a deleted current directory is in no source path
        folders.add(Path.cwd())
    return [f"-ffile-prefix-map={folder}=." for folder in sorted(folders)]


def _digest(toolchain: Toolchain, paths: Sequence[Path], flags: Sequence[str]) -> str:
    """Cache key of the program: a hash of the preprocessed text, flags and compiler."""
    digest = hashlib.sha256(toolchain.version.encode())
    own = [flag for flag in flags if not flag.startswith("-ffile-prefix-map=")]
    digest.update("\0".join(own).encode())
    for path in paths:
        digest.update(os.fsencode(path.name))
        digest.update(_run(toolchain, [*flags, "-E", str(path)], path).stdout)
    return digest.hexdigest()[:24]


def _compile(
    toolchain: Toolchain, paths: Sequence[Path], flags: Sequence[str], program: Path
) -> None:
    """Compiles the program and renames it into place: other processes may build it too."""
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        draft = Path(folder) / program.name
        # The linker takes from a library only what earlier files reference.
        libraries = [flag for flag in flags if flag.startswith("-l")]
        arguments = [*flags, "-o", str(draft), *map(str, paths), *libraries]
        warnings = _run(toolchain, arguments, paths[0]).stderr
        sys.stderr.write(warnings.decode(errors="replace"))
        draft.replace(program)


def _run(
    toolchain: Toolchain, arguments: Sequence[str], path: Path
) -> subprocess.CompletedProcess[bytes]:
    """Runs the compiler. Raises BuildError with its output when it fails."""
    try:
        done = subprocess.run([toolchain.gcc, *arguments], capture_output=True, check=False)
    except OSError as error:
        raise BuildError(f"{toolchain.gcc}: {error.strerror}", "") from error
    if done.returncode != 0:
        raise BuildError(f"{path.name}: compilation failed", done.stderr.decode(errors="replace"))
    return done


def _copy(program: Path, output: Path) -> None:
    """Copies with the mode; an existing output, which may be running, is replaced by rename."""
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        shutil.copy(program, draft)
        draft.replace(output)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BuildError(f"{output}: {error.strerror}", "") from error
