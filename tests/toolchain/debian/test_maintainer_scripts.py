"""Which calls of a command are found in a package's script?"""

from __future__ import annotations

import pytest

from toolchain.debian.configuration.maintainer_scripts import calls


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("tool a b", [["a", "b"]]),
        ("/usr/sbin/tool a", [["a"]]),
        ("tool a \\\n  b\n\ttool c", [["a", "b"], ["c"]]),
        ("# tool a\ntool b # tool c\ntool d#e", [["b"], ["d#e"]]),
        ('if [ "$1" = configure ]; then tool \'a b\' "c d"; fi', [["a b", "c d"]]),
        ('case "$1" in\n configure)\n tool a\n ;;\nesac', [["a"]]),
        ("test -e x || tool a && tool b", [["a"], ["b"]]),
        ('x=1; y="$x 2"\ntool a$x "$y" ${x}b $y', [["a1", "1 2", "1b", "1", "2"]]),
        ('tool $none "$none" b', [["", "b"]]),
        ("x=$(cmd); tool a $x", []),
        ("x=1; x=`cmd`; tool $x", [["1"]]),
        ("tool a $(cmd b; cmd c) d\ntool e", [["e"]]),
        ("for i in a b; do\n tool $i\ndone\ntool c", [["a"], ["b"], ["c"]]),
        ("l='a b'\nfor i in $l; do for j in 1 2; do tool $i$j; done; done", None),
        ("cat <<EOF\ntool a\nEOF\ntool b", [["b"]]),
        ("echo 'tool a; tool b'\necho \"x; tool c\"", []),
        ("f() {\n tool a\n}\nf", [["a"]]),
        ("tool 'unclosed\n", [["unclosed"]]),
        ("tool ${x:-y} a\ntool \\$x", [["$x"]]),
    ],
)
def test_calls(script: str, expected: list[list[str]] | None) -> None:
    wanted = [["a1"], ["a2"], ["b1"], ["b2"]] if expected is None else expected
    assert list(calls(script, "tool")) == wanted


def test_do_loops_without_end_stop() -> None:
    loop = "for i in 1 2 3 4 5 6 7 8 9; do "
    assert len(list(calls(loop * 30 + "tool $i\n" + "done\n" * 30, "tool"))) < 1000
