"""Does TRACE.md describe each record and each field as written?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import msgspec
import pytest

from emu.observe.model import document, records
from emu.observe.model.records import AnyRecord, Record
from emu.observe.record import copied_pages
from kernel.mm.outcome import Outcome
from tests.emu.observe.support.traced import traced

TEXT = (Path(records.__file__).parents[1] / "TRACE.md").read_text()


def name_of(kind: type) -> str:
    """Name of a class in the document: its words in lower case."""
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
    """Maps a field's name to its type and True when it is required."""
    table = re.split(r"```|\| outcome \|", text)[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    found = [ROW.fullmatch(line) for line in lines]
    assert all(found), lines
    return {match[1]: (match[3].strip(), bool(match[2])) for match in found if match}


def word(kind: Any) -> str:
    """Name of a type in the document."""
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
        if field.encode_name != "backtrace"  # in memory only
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
    headings = {"All records", "Kinds of record", "Objects in records", "Instructions"}
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
    listed = set(
        re.findall(r'_?(?:on_retired|retire|discarding)\([^"\n]+"([a-z ]+)"\)', source + recorder)
    )
    row = next(line for line in TEXT.splitlines() if line.startswith("| `why`"))
    assert listed == set(re.findall(r"`([a-z ]+)`", row)) - {"why"}


def test_the_schema_is_this_one() -> None:
    assert f"`schema` in `start` is {records.SCHEMA}." in TEXT


def test_a_default_is_what_the_document_says_of_a_field_that_is_left_out() -> None:
    for kind in (*RECORDS.values(), *OBJECTS.values()):
        for field in msgspec.structs.fields(kind):
            if not field.required:
                has_factory = field.default_factory is not msgspec.NODEFAULT
                default = field.default_factory() if has_factory else field.default
                assert default in (0, "", False, None, [], ()), field


def test_a_trace_has_what_is_described() -> None:
    """The run has a fork, an exec, a signal, copies and threads, no huge and no watched page."""
    kinds = {type(record).__struct_config__.tag for record in traced().records}
    assert kinds >= set(RECORDS) - {"move", "unmap", "page", "page_size"}


def test_are_the_tables_and_the_schema_up_to_date() -> None:
    stale = "run python -m emu.observe.model.document"
    assert document.with_tables(TEXT) == TEXT, stale
    assert document.schema_text() == document.SCHEMA_FILE.read_text("utf-8"), stale


def test_does_a_changed_field_make_the_document_stale() -> None:
    for part in ("bytes_changed", "store to a page shared by fork: page copied", "Version of emu"):
        assert part in TEXT
        assert document.with_tables(TEXT.replace(part, "another text", 1)) == TEXT


def test_has_every_field_a_text() -> None:
    for kind in (Record, *RECORDS.values(), *OBJECTS.values()):
        own = set(kind.__annotations__)
        assert own == set(document.field_texts(kind)), kind


SCHEMA = json.loads(document.SCHEMA_FILE.read_text("utf-8"))
JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "integer": int,
    "number": (int, float),
    "string": str,
    "boolean": bool,
    "null": NoneType,
    "array": list,
    "object": dict,
}


def violations(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """Violations of the JSON Schema; supports the keywords that this schema uses."""
    if "$ref" in schema:
        return violations(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], path)
    if "anyOf" in schema:
        tries = [violations(value, each, path) for each in schema["anyOf"]]
        return [] if [] in tries else tries[0]
    found = []
    kind = JSON_TYPES.get(schema.get("type", ""), object)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        return [f"{path}: {value!r} is not of type {schema['type']}"]
    if value not in schema.get("enum", [value]):
        found.append(f"{path}: {value!r} is not in {schema['enum']}")
    if "minimum" in schema and not schema["minimum"] <= value <= schema.get("maximum", value):
        found.append(f"{path}: {value} is out of range")
    if isinstance(value, list) and "items" in schema:
        for each in value:
            found += violations(each, schema["items"], f"{path}[]")
    for name in set(schema.get("required", ())) - set(value if isinstance(value, dict) else ()):
        found.append(f"{path}.{name} is missing")
    for name, each in schema.get("properties", {}).items():
        if name in value:
            found += violations(value[name], each, f"{path}.{name}")
    return found


def test_does_a_trace_conform_to_the_json_schema() -> None:
    lines = [json.loads(line) for line in traced("--deterministic").jsonl.splitlines()]
    names = {each["$ref"].rpartition("/")[2] for each in SCHEMA["anyOf"]}
    by_event = {SCHEMA["$defs"][name]["properties"]["event"]["enum"][0]: name for name in names}
    for line in lines:
        schema = SCHEMA["$defs"][by_event[line["event"]]]
        assert violations(line, schema, line["event"]) == []
        assert set(line) <= set(schema["properties"])


@pytest.mark.parametrize(
    "record",
    [
        {"event": "exit", "seq": 1, "time": 0, "pid": 2, "status": 256},
        {"event": "exit", "seq": 1, "time": 0, "pid": 2},
        {"event": "exit", "seq": -1, "time": 0, "pid": 2, "status": 0},
        {"event": "exit", "seq": 1, "time": 0, "pid": "2", "status": 0},
        {"event": "settled", "seq": 1, "time": 0, "pid": 2, "status": 0},
    ],
)
def test_does_the_json_schema_reject_what_the_reader_rejects(record: dict[str, Any]) -> None:
    assert violations(record, SCHEMA) != []
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(record, AnyRecord)
