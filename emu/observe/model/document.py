"""Writes the tables of TRACE.md and trace.schema.json from the types of records.

``python -m emu.observe.model.document``. The texts are the docstrings of the fields.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from textwrap import dedent
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import msgspec

from emu.observe.model import records
from emu.observe.model.records import AnyRecord, Record, Stack
from kernel.mm.outcome import Outcome

FOLDER = Path(__file__).parents[1]
DOCUMENT, SCHEMA_FILE = FOLDER / "TRACE.md", FOLDER / "trace.schema.json"
RECORDS: dict[str, type[msgspec.Struct]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(AnyRecord)
}

IN_MEMORY_ONLY = {"backtrace"}
"""Fields that are never written to a file."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_WORDS = {int: "number", float: "number", str: "text", bool: "true or false", object: "object"}
_TABLE = re.compile(r"^\| (?:field|outcome) \|.*\n(?:\|.*\n)+", re.MULTILINE)


def section_name(kind: type) -> str:
    """The heading of a type's section: a record's event, or the words of the class's name."""
    if issubclass(kind, Record) and kind is not Record:
        return str(kind.__struct_config__.tag)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()


OBJECTS: dict[str, type[msgspec.Struct]] = {
    section_name(kind): kind
    for kind in (getattr(records, name) for name in records.__all__)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and not issubclass(kind, Record)
}


@cache
def field_texts(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The docstrings of the fields that the class itself defines."""
    (definition,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    texts: dict[str, str] = {}
    field = ""
    for statement in definition.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=field)):
                pass
            case ast.Expr(value=ast.Constant(value=str(text))) if field:
                texts[field] = " ".join(text.split()).replace("``", "`")
                field = ""
    return texts


def type_words(kind: Any) -> str:
    """The type of a field in words, such as ``list of number``; ``?`` where it may be null."""
    if get_origin(kind) is Annotated:
        return type_words(get_args(kind)[0])
    parts = get_args(kind)
    if get_origin(kind) in (list, tuple):
        return f"list of {type_words(parts[0])}"
    if get_origin(kind) is dict:
        return "object"
    if NoneType in parts:
        return f"{type_words(next(part for part in parts if part is not NoneType))}?"
    return _WORDS.get(kind) or section_name(kind)


def _unit(kind: Any) -> str:
    """The unit of a type, or of the one that may be null."""
    if get_origin(kind) is Annotated:
        metas = [each for each in get_args(kind)[1:] if isinstance(each, msgspec.Meta)]
        return next((each.extra["unit"] for each in metas if each.extra), "")
    if NoneType in get_args(kind):
        return next(filter(None, map(_unit, get_args(kind))), "")
    return ""


def field_table(kind: type[msgspec.Struct]) -> str:
    """The fields that the class itself defines, as a Markdown table."""
    texts = field_texts(kind)
    rows = ["| field | type | unit | meaning |", "|---|---|---|---|"]
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in texts or field.encode_name in IN_MEMORY_ONLY:
            continue
        words = type_words(field.type)
        if field.required or not kind.__struct_config__.omit_defaults:
            words = f"**{words}**"
        unit, text = _unit(field.type), texts[field.encode_name].removesuffix(".")
        rows.append(f"| `{field.encode_name}` | {words} | {unit}{' ' if unit else ''}| {text} |")
    return "\n".join(rows) + "\n"


def outcome_table() -> str:
    rows = ["| outcome | meaning |", "|---|---|"]
    return "\n".join(rows + [f"| `{each}` | {each.meaning} |" for each in Outcome]) + "\n"


def with_tables(document: str) -> str:
    """The document with the tables of each section replaced by those of its type."""
    kinds = {**RECORDS, **OBJECTS, "All records": Record}
    parts = re.split(r"^(##+ .+\n)", document, flags=re.MULTILINE)
    for at in range(1, len(parts), 2):
        kind = kinds.get(parts[at].strip("# \n"))
        if kind is not None:
            parts[at + 1] = _TABLE.sub(lambda match, of=kind: _new(match[0], of), parts[at + 1])
    return "".join(parts)


def _new(table: str, kind: type[msgspec.Struct]) -> str:
    return outcome_table() if table.startswith("| outcome") else field_table(kind)


def schema_text() -> str:
    """The JSON Schema of one line of a trace."""
    schema = msgspec.json.schema(AnyRecord | Stack)
    for kind in (*RECORDS.values(), *OBJECTS.values()):
        properties = schema["$defs"][kind.__name__]["properties"]
        for field, text in _texts_of(kind.__mro__):
            properties[field] = {**properties[field], "description": text}
        for field in IN_MEMORY_ONLY & set(properties):
            del properties[field]
    head = {"$schema": _DIALECT, "title": f"A line of an emu trace, schema {records.SCHEMA}"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


def _texts_of(classes: Iterable[type]) -> list[tuple[str, str]]:
    structs = [each for each in classes if each is not msgspec.Struct and each is not object]
    return [
        text
        for each in structs
        if issubclass(each, msgspec.Struct)
        for text in field_texts(each).items()
    ]


def main() -> None:
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text("utf-8")), "utf-8")
    SCHEMA_FILE.write_text(schema_text(), "utf-8")


if __name__ == "__main__":
    main()
