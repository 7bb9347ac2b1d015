#!/usr/bin/env -S GIVEN=${PWD} PWD=/proc/self/cwd sh
# The emu command. If standard input: Is a directory, Python aborts before running any code, so that
# is reported here. -P: no module is imported from the current directory.
# In a directory that was deleted sh would print a warning, unless PWD leads to it.
if [ -n "$GIVEN" ]; then PWD=$GIVEN; else unset PWD; fi
unset GIVEN
if [ -d /dev/stdin ]; then
    echo "emu: standard input: Is a directory (expected a file, a pipe or a terminal)" >&2
    exit 2
fi
self=$0
if [ -L "$self" ]; then self=$(readlink -f "$self"); fi
python=${self%/*}/python3
[ -x "$python" ] || python=python3
exec "$python" -P -c 'from emu.__main__ import run_and_exit; run_and_exit()' "$@"
