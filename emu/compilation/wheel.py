"""Build hook of hatchling: with ``EMU_COMPILE=1`` a wheel has the compiled hot path, and is for one
Python and platform.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledWheel(BuildHookInterface[Any]):
    """Compiles before the files of the wheel are collected."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        if not _is_requested():
            return []
        # The modules are imported to find their constants.
        return ["cython>=3.1", "mypy", "setuptools", *self.metadata.core.dependencies]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not _is_requested() or version == "editable":
            return
        sys.path.insert(0, self.root)
        from emu.compilation.build import build
        from emu.compilation.finder import FOLDER

        build(installed=True)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(f"/{os.path.relpath(FOLDER, self.root)}/*")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes what was compiled, which does not list its sources, from this tree."""
        if build_data.get("infer_tag"):
            from emu.compilation.finder import FOLDER

            shutil.rmtree(FOLDER, ignore_errors=True)


def _is_requested() -> bool:
    return os.environ.get("EMU_COMPILE") == "1"
