"""Is a stored sequence of operations the same when it is read?"""

from __future__ import annotations

import json
import random

import pytest

from emu.lab.simulation import random_operations
from emu.lab.simulation.operations import OPERATION_TYPES, Operation, from_json, to_json

_MAKERS = (
    random_operations.fork,
    random_operations.exit_process,
    random_operations.execute,
    random_operations.set_break,
    random_operations.load,
    random_operations.store_anywhere,
    random_operations.kernel_write,
)


def test_is_each_operation_the_same_after_it_was_stored() -> None:
    operations: list[Operation] = [
        kind(*range(1, len(kind._fields) + 1)) for kind in OPERATION_TYPES
    ]
    again = from_json(json.loads(json.dumps(to_json(operations))))
    assert again == operations and [type(it) for it in again] == [type(it) for it in operations]
    assert len({str(it) for it in operations}) == len(operations)


def test_does_a_seed_make_the_same_operations_of_the_first_processes() -> None:
    make = random_operations.AnyOf(_MAKERS, processes=3)
    first, second = ([make(source) for _ in range(500)] for source in map(random.Random, (1, 1)))
    assert first == second != [make(random.Random(2)) for _ in range(500)]
    assert {it.pid for it in first if hasattr(it, "pid")} == {1, 2, 3}


@pytest.mark.parametrize(
    "rows", [[["Jump", 1]], [["Fork"]], [["Store", 1, "x", 2]], [["Exit", 1, 2]]]
)
def test_is_an_invalid_row_an_error(rows: list[list[object]]) -> None:
    with pytest.raises((LookupError, TypeError, ValueError)):
        from_json(rows)
