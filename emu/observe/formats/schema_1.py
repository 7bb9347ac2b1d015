"""Traces of schema 1: ``copy_end`` was called ``settled``, and there was no ``page_size``."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import get_args

import msgspec

from emu.observe.model.records import AnyRecord, CopyEnd, PageSize, Stack

NUMBER = 1


class _Settled(CopyEnd, tag="settled", kw_only=True):
    pass


_NEW = (CopyEnd, PageSize)
_KINDS = [*(kind for kind in get_args(AnyRecord) if kind not in _NEW), _Settled, Stack]
_decoder: msgspec.json.Decoder[AnyRecord | Stack] = msgspec.json.Decoder(reduce(or_, _KINDS))


def decode(line: bytes) -> AnyRecord | Stack:
    """Decodes a line to a record of the current schema. Raises the decoder's exceptions."""
    record = _decoder.decode(line)
    if isinstance(record, _Settled):
        return CopyEnd(**msgspec.structs.asdict(record))
    return record
