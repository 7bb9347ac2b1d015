"""Is the output of real programs the same under emu and qemu-riscv64?"""

from pathlib import Path

import pytest

from tests.guest.running import (
    POLICIES,
    ROOTS,
    Run,
    missing,
    qemu,
    run_emu,
    run_qemu,
    run_qemu_once,
)

pytestmark = pytest.mark.root

SCRIPTS = Path(__file__).parent / "scripts"
STATIC, DYNAMIC = ROOTS / "static", ROOTS / "dynamic"

# What a script works on is in a folder of its own in /tmp, in memory under emu.
IN_OWN_FOLDER = 'h=$PWD; cd "$(mktemp -d)" && . "$h/$1"; s=$?; rm -rf "$PWD"; exit $s'

# fmt: off
APPLETS = [
    "awk", "cat", "chmod", "cmp", "cp", "cut", "diff", "dd", "echo", "expr", "find", "fold",
    "grep", "gunzip", "gzip", "head", "ln", "ls", "md5sum", "mkdir", "mktemp", "mv", "od",
    "paste", "readlink", "rev", "rm", "rmdir", "sed", "seq", "sleep", "sort", "stat",
    "tail", "tar", "tee", "tr", "uniq", "wc", "xargs", "yes",
]
# fmt: on


def program(root: Path, name: str) -> Path:
    path = root / name
    if not path.exists():
        missing(f"{name} in {root.relative_to(root.parents[1])} (make roots)")
    return path


def wrappers(folder: Path, commands: dict[str, str]) -> Path:
    """A folder of wrappers for qemu, which executes only programs of the host."""
    for name, command in commands.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        path.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def applets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    busybox = program(STATIC, "usr/bin/busybox")
    commands = {name: f"{qemu()} {busybox} {name}" for name in APPLETS}
    return wrappers(tmp_path_factory.mktemp("applets"), commands)


def same(run: Run, oracle: Run) -> None:
    assert run.output == oracle.output
    assert run.status == oracle.status
    assert run.summary["frames_leaked"] == 0


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("script", ["subshells", "pipelines", "heredocs", "files", "text"])
def test_busybox_shell(script: str, policy: str, applets: Path) -> None:
    busybox = program(STATIC, "usr/bin/busybox")
    arguments = ("sh", "-c", IN_OWN_FOLDER, "sh", f"{script}.sh")
    env = {"PATH": str(applets), "RUN": f"{qemu()} {busybox}"}
    oracle = run_qemu_once(busybox, *arguments, cwd=SCRIPTS, env=env)
    assert oracle.output
    options = ("--fork-policy", policy)
    run = run_emu(busybox, *arguments, cwd=SCRIPTS, env={"RUN": str(busybox)}, options=options)
    same(run, oracle)


def test_busybox_reads_a_script_from_standard_input(applets: Path) -> None:
    busybox = program(STATIC, "usr/bin/busybox")
    script = "x=1; (x=2; echo $x)\necho $x | cat\nexit 5\n"
    run = run_emu(busybox, "sh", stdin=script)
    same(run, run_qemu(busybox, "sh", stdin=script, env={"PATH": str(applets)}))


@pytest.mark.parametrize("policy", POLICIES)
def test_bash(policy: str) -> None:
    bash = program(STATIC, "usr/bin/bash-static")
    oracle = run_qemu_once(bash, "bash.sh", cwd=SCRIPTS)
    assert oracle.status == 9
    run = run_emu(bash, "bash.sh", cwd=SCRIPTS, options=("--fork-policy", policy))
    same(run, oracle)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_static_pie_of_glibc(option: str) -> None:
    ldconfig = program(STATIC, "usr/sbin/ldconfig")
    same(run_emu(ldconfig, option), run_qemu(ldconfig, option))


def test_dynamically_linked_programs_in_a_root_of_their_own(tmp_path: Path) -> None:
    bash = program(DYNAMIC, "usr/bin/bash")
    script = """
        x=1; (x=2; echo $x); echo $x "$(seq 5 | tac | tr '\\n' ' ')" $BASH_VERSION
        seq 300 | sort -r | head -n 3 | wc
        bash -c 'exit 6'
        exit $?
    """
    commands = {
        name: f"{qemu()} -L {DYNAMIC} {DYNAMIC}/usr/bin/{name}"
        for name in ("bash", "head", "seq", "sort", "tac", "tr", "wc")
    }
    env = {"PATH": str(wrappers(tmp_path, commands))}
    oracle = run_qemu(bash, "-c", script, root=DYNAMIC, env=env)
    assert oracle.status == 6
    options = ("--root", str(DYNAMIC))
    same(run_emu("/usr/bin/bash", "-c", script, options=options, env={"PATH": "/usr/bin"}), oracle)


_PYTHON = """
import gc, hashlib, os, sys
blocks = [bytes([n]) * (3 << 20) for n in range(4)]
many = {n: [str(n)] * 9 for n in range(20000)}
digest = lambda: hashlib.sha256(b"".join(blocks) + repr(many).encode()).hexdigest()
print(digest(), flush=True)
for child in range(2):
    if os.fork() == 0:
        many[7] = child
        blocks[child] = blocks[child].replace(bytes([child]), b"x")
        gc.collect()
        print(child, digest(), flush=True)
        os._exit(child)
    print(os.wait()[1] >> 8, digest(), flush=True)
"""


def test_python_prints_the_same_with_and_without_huge_pages() -> None:
    root = ROOTS / "python"
    program(root, "usr/bin/python3")
    runs = []
    for huge in (("never", "page"), ("always", "page"), ("always", "huge")):
        options = ("--root", str(root), "--mem", "512M", "--thp", huge[0], "--thp-cow", huge[1])
        run = run_emu("/usr/bin/python3", "-c", _PYTHON, options=options, checked=False)
        runs.append(run)
    assert runs[0].status == 0 and len(runs[0].output.splitlines()) == 5
    for run in runs[1:]:
        same(run, runs[0])
        assert run.summary["faults"]["zero_filled"] < runs[0].summary["faults"]["zero_filled"] / 2


@pytest.mark.parametrize("policy", POLICIES)
def test_bash_with_huge_pages_everywhere(policy: str) -> None:
    bash = program(STATIC, "usr/bin/bash-static")
    options = ("--fork-policy", policy, "--thp", "always")
    run = run_emu(bash, "bash.sh", cwd=SCRIPTS, options=options)
    same(run, run_qemu_once(bash, "bash.sh", cwd=SCRIPTS))
