"""NumPy, imported when it is first used.

The import takes as long as the rest of a small program's start-up. Only operations on whole page
tables need it: fork, changes of long ranges, the checks.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ptes = npt.NDArray[np.uint64]
    Indices = npt.NDArray[np.int64]
    Counts = npt.NDArray[np.int32]
    Bytes = npt.NDArray[np.uint8]
    Marks = npt.NDArray[np.bool_]
else:
    Ptes = Indices = Counts = Bytes = Marks = Any

    class _NumPy:
        def __getattr__(self, name: str) -> Any:
            import numpy

            value = getattr(numpy, name)
            setattr(self, name, value)
            return value

    np = _NumPy()


def numpy_is_there() -> bool:
    """Returns whether NumPy is imported already."""
    return "numpy" in sys.modules


def distinct(values: Indices) -> Indices:
    """The distinct values in ascending order: np.unique imports numpy.ma for it."""
    ordered = np.sort(values)
    first: Marks = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


__all__ = ["Bytes", "Counts", "Indices", "Marks", "Ptes", "distinct", "np", "numpy_is_there"]
