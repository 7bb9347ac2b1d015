"""Programs of Debian, each in a root that ``make roots`` or ``emu root`` has filled.

The host's own are other programs, so there are no native times.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from tests.bench.compiling import PROJECT
from tests.bench.work import Size, Work
from tests.bench.worlds import SECONDS, Failed, World, emu, pure

ROOTS = PROJECT / ".root"
_SOCKETS_AND_SQLITE = """
import socket, sqlite3, threading
base = sqlite3.connect(":memory:")
base.execute("create table words (number integer primary key, word text)")
for i in range(COUNT):
    base.execute("insert into words values (?, ?)", (i, f"word {i * 7919 % 1009}"))
found = base.execute("select word, count(*) from words group by word order by 2, 1").fetchall()
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    connection, _ = listener.accept()
    while data := connection.recv(100):
        connection.sendall(data)
server = threading.Thread(target=serve)
server.start()
with socket.create_connection(listener.getsockname()) as client:
    for word, number in found:
        client.sendall(word.encode())
        assert client.recv(100) == word.encode()
server.join()
"""
_REDIS = """
redis-server --port 6379 --save "" >/dev/null &
until redis-cli ping >/dev/null 2>&1; do sleep 0.05; done
redis-benchmark -c 4 -n COUNT -t set,get --csv
redis-cli shutdown nosave
"""


def _inside(world: World, root: Path, *options: str) -> World | None:
    """The world in which programs have ``root``, where there is one."""
    if world.name == "native" or not root.exists():
        return None
    if world.name == "qemu":
        return replace(world, runner=(*world.runner, "-L", str(root)))
    return (pure if world.name == "pure" else emu)(("--root", str(root), *options))


def _program(world: World, root: Path, path: str) -> str:
    """The path of the root's program in that world."""
    return f"{root}{path}" if world.name == "qemu" else path


def _time_of(world: World, *words: str) -> float:
    start = perf_counter_ns()
    world.run_command(*words)
    return perf_counter_ns() - start


class PythonStart(Work):
    """A dynamically linked Python that prints."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        root = ROOTS / "python"
        if not root.exists() and world.name == "emu":
            raise Failed("there is no root with python3 (make roots)")
        inside = _inside(world, root)
        if inside is None:
            return {}
        python = _program(inside, root, "/usr/bin/python3")
        times = 1 if size is Size.TINY else 3
        runs = (_time_of(inside, python, "-c", "print(1)") for _ in range(times))
        return {"run python3": median(runs)}


class PythonScript(Work):
    """A Python script that fills a table of SQLite, and sends its rows over the loopback."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        root = ROOTS / "debian"
        inside = _inside(world, root)
        if inside is None:
            return {}
        count = {Size.FULL: 6000, Size.QUICK: 2000, Size.TINY: 10}[size]
        python = _program(inside, root, "/usr/bin/python3")
        script = _SOCKETS_AND_SQLITE.replace("COUNT", str(count))
        return {"python3, sqlite and sockets": _time_of(inside, python, "-c", script)}


class Compiler(Work):
    """The C compiler proper on 2,000 lines; only where ``emu root .root/gcc gcc`` was run."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        root = ROOTS / "gcc"
        found = sorted(root.glob("usr/libexec/gcc/riscv64-linux-gnu/*/cc1"))
        if not found or world.name == "native":
            return {}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "many.c")
            file.write_text(_many_functions(20 if size is Size.TINY else 2000))
            inside = _inside(world, root, "--ro", f"{folder}:/in")
            assert inside is not None
            source = str(file) if world.name == "qemu" else "/in/many.c"
            compiler = _program(inside, root, f"/{found[-1].relative_to(root)}")
            taken = _time_of(inside, compiler, "-quiet", "-O2", source, "-o", "/dev/null")
        return {"cc1 -O2, 2,000 lines": taken}


def _many_functions(lines: int) -> str:
    function = """int f{0}(int *a, int n) {{
    int sum = {0};
    for (int i = 0; i < n; i++) {{
        if (a[i] % {1} == {0} % {1})
            sum += a[i] * a[(i + {0}) % n];
        else
            sum ^= a[i] >> {2};
    }}
    return sum;
}}
"""
    count = -(-lines // len(function.splitlines()))
    return "".join(function.format(i, i % 13 + 2, i % 7) for i in range(count))


class Redis(Work):
    """A request of redis-benchmark, with four clients, over the loopback."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        root = ROOTS / "redis"
        inside = _inside(world, root, "--env", "LC_ALL=C")
        if inside is None:
            return {}
        count = {Size.FULL: 4000, Size.QUICK: 1000, Size.TINY: 20}[size]
        if world.name == "qemu":
            with _server(inside, root) as port:
                benchmark = _program(inside, root, "/usr/bin/redis-benchmark")
                options = ("-c", "4", "-n", str(count), "-t", "set,get", "--csv")
                output = inside.run_command(benchmark, "-p", str(port), *options)
        else:
            output = inside.run_command("/bin/bash", "-c", _REDIS.replace("COUNT", str(count)))
        return {f"redis-benchmark, {name}": 1e9 / rate for name, rate in _rates(output)}


def _rates(output: str) -> Iterator[tuple[str, float]]:
    """Names of the tests in redis-benchmark's CSV, and requests a second."""
    for line in output.splitlines():
        name, rate, *_ = [field.strip('"') for field in line.split(",")] + [""]
        if name in ("SET", "GET"):
            yield name, float(rate)


@contextmanager
def _server(world: World, root: Path) -> Iterator[int]:
    """A server of its own, whose port the block gets: qemu runs one program of the root."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    server = _program(world, root, "/usr/bin/redis-server")
    words = [*world.runner, server, "--port", str(port), "--save", ""]
    environment = world.environment() | {"LC_ALL": "C"}
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, env=environment) as running:
        try:
            _wait_for(port)
            yield port
        finally:
            running.kill()


def _wait_for(port: int) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Failed(f"no server at port {port}")
