"""Are arrays handled as NumPy does, without what its own functions import?"""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest

from kernel.base.lazy_numpy import distinct


@pytest.mark.parametrize("length", [0, 1, 2, 3, 50])
def test_are_distinct_values_those_of_numpy(length: int) -> None:
    source = random.Random(length)
    values = np.array([source.randrange(20) for _ in range(length)], np.int64)
    assert distinct(values).tolist() == np.unique(values).tolist()


def test_do_they_import_no_masked_arrays() -> None:
    script = (
        "from kernel.base.lazy_numpy import distinct, np\n"
        "import sys\n"
        "assert distinct(np.array([3, 1, 3])).tolist() == [1, 3]\n"
        "assert 'numpy.ma' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
