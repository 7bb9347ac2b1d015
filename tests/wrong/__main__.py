"""`python -m tests.wrong [NAME …]` runs the checks on wrong kernels; status 1 if one survives.

With --every it names all checks that notice, not only the first. A complete run records the first
ones in ``noticed_by.json``, where the tests look which check to try first.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from time import perf_counter

from tests.wrong.checks import CHECKS
from tests.wrong.notice import NOTICED_BY, Notice, notice, notices
from tests.wrong.variants import VARIANTS


def main(arguments: list[str]) -> int:
    every = "--every" in arguments
    names = {word for word in arguments if not word.startswith("-")}
    survivors: list[str] = []
    noticed_by: dict[str, str] = {}
    by: Counter[str] = Counter()
    began = perf_counter()
    shown = [variant for variant in VARIANTS if not names or variant.name in names]
    for variant in shown:
        start = perf_counter()
        first = notice(variant, CHECKS)
        found = list(notices(variant, CHECKS)) if every else [first] if first else []
        print(f"{variant.name:28} {perf_counter() - start:5.2f} s  {variant.breaks}")
        if not found:
            survivors.append(variant.name)
            print(f"{'':37}SURVIVES")
        else:
            noticed_by[variant.name] = found[0].by
        for each in found:
            by[_layer(each)] += 1
            print(f"{'':37}{each.check}: {each.message[:160]}")
    print(
        f"\n{len(shown)} wrong kernels, {len(shown) - len(survivors)} noticed in "
        f"{perf_counter() - began:.0f} s with {len(CHECKS)} checks: "
        + ", ".join(f"{count} by {layer}" for layer, count in by.most_common())
    )
    if not names:
        NOTICED_BY.write_text(json.dumps(noticed_by, indent=0, sort_keys=True) + "\n")
    if survivors:
        print(f"not noticed: {', '.join(survivors)}")
    return 1 if survivors else 0


def _layer(found: Notice) -> str:
    invariant = found.check.startswith("invariant ")
    return "an invariant" if invariant else f"a check of the {found.check.split(':')[0]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
