"""Does TRACE.md say of each record and each field what is really written?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import msgspec
import pytest

from emu.observe.model import records
from emu.observe.model.records import AnyRecord, Record
from emu.observe.record import copied_pages
from kernel.mm.outcome import Outcome
from tests.emu.observe.support.traced import traced

TEXT = (Path(records.__file__).parents[1] / "TRACE.md").read_text()


def name_of(kind: type) -> str:
    """How the document names a class: its words in lower case."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()


RECORDS = {kind.__struct_config__.tag: kind for kind in get_args(AnyRecord)}
OBJECTS = {
    name_of(kind): kind
    for kind in vars(records).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and not issubclass(kind, Record)
}
WORDS = {int: "number", float: "number", str: "text", bool: "true or false"}
ROW = re.compile(r"\| `(\w+)` \| (\*\*)?([^|*]+)(?:\*\*)? \| ([^|]*)\| ([^|]+) \|")


def sections() -> dict[str, str]:
    parts = re.split(r"^##+ (.+)\n", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> dict[str, tuple[str, bool]]:
    """Name → (type, always there)."""
    table = re.split(r"```|\| outcome \|", text)[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    found = [ROW.fullmatch(line) for line in lines]
    assert all(found), lines
    return {match[1]: (match[3].strip(), bool(match[2])) for match in found if match}


def word(kind: Any) -> str:
    """How the document names a type."""
    if get_origin(kind) is Annotated:
        return word(get_args(kind)[0])
    parts = get_args(kind)
    if get_origin(kind) in (list, tuple):
        return f"list of {word(parts[0])}"
    if get_origin(kind) is dict:
        return "object"
    if NoneType in parts:
        (other,) = [part for part in parts if part is not NoneType]
        return f"{word(other)}?"
    return WORDS.get(kind) or name_of(kind)


def fields(kind: type[msgspec.Struct]) -> dict[str, tuple[str, bool]]:
    omitted = kind.__struct_config__.omit_defaults
    return {
        field.encode_name: (word(field.type), field.required or not omitted)
        for field in msgspec.structs.fields(kind)
    }


@pytest.mark.parametrize("name", [*RECORDS, *OBJECTS])
def test_each_field_is_described_in_the_order_of_the_record(name: str) -> None:
    kind = {**OBJECTS, **RECORDS}[name]
    expected = fields(kind)
    if name in RECORDS:
        expected = {key: value for key, value in expected.items() if key not in fields(Record)}
    described = rows(sections()[name])
    assert described == expected
    assert list(described) == list(expected)


def test_what_all_records_have() -> None:
    assert rows(sections()["All records"]) == fields(Record)


def test_nothing_is_described_that_is_not_there() -> None:
    headings = {"All records", "Kinds of record", "Objects in them", "Instructions"}
    assert set(sections()) - headings == {*RECORDS, *OBJECTS}


@pytest.mark.parametrize("name", RECORDS)
def test_each_example_is_a_record_as_it_is_written(name: str) -> None:
    (example,) = re.findall(r"```json\n(.+)\n```", sections()[name])
    record = msgspec.json.decode(example, type=AnyRecord)
    assert type(record) is RECORDS[name]
    assert msgspec.json.encode(record).decode() == example
    assert set(json.loads(example)) <= {"event", *fields(RECORDS[name])}


def test_each_outcome_is_described() -> None:
    table = sections()["fault"].split("| outcome |")[1].split("```")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [str(o) for o in Outcome]


def test_each_end_of_a_copy_is_described() -> None:
    source = Path(copied_pages.__file__).read_text()
    recorder = Path(copied_pages.__file__).with_name("address_space_recorder.py").read_text()
    said = set(
        re.findall(r'_?(?:on_retired|retire|discarding)\([^"\n]+"([a-z ]+)"\)', source + recorder)
    )
    row = next(line for line in TEXT.splitlines() if line.startswith("| `why`"))
    assert said == set(re.findall(r"`([a-z ]+)`", row)) - {"why"}


def test_the_schema_is_this_one() -> None:
    assert f"`schema` in `start` is {records.SCHEMA}." in TEXT


def test_a_default_is_what_the_document_says_of_a_field_that_is_left_out() -> None:
    for kind in (*RECORDS.values(), *OBJECTS.values()):
        for field in msgspec.structs.fields(kind):
            if not field.required:
                made = field.default_factory is not msgspec.NODEFAULT
                default = field.default_factory() if made else field.default
                assert default in (0, "", False, None, [], ()), field


def test_a_trace_has_what_is_described() -> None:
    """Of a run with a fork, an exec, a signal, copies and threads, in which no page is watched."""
    kinds = {type(record).__struct_config__.tag for record in traced().records}
    assert kinds >= set(RECORDS) - {"move", "unmap", "page"}
