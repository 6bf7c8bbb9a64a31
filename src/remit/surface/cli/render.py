"""What a command shows: a table for people, JSON or YAML for programs. JSON is stable and never coloured."""

import json
import os
import re
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TextIO

WIDTH: Final = 100
_GAP: Final = 2
_MIN_COLUMN: Final = 8
_BMP: Final = 0xFFFF

_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")

_COLOURS: Final = {
    "permit": "32", "ok": "32", "active": "32", "approved": "32", "done": "32", "deny": "31", "FAIL": "31",
    "denied": "31", "killed": "31", "quarantined": "31", "ask": "33", "pending": "33", "suspended": "33",
}  # fmt: skip


class Output(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def show(
    result: Any, *, output: Output, columns: Sequence[str] = (), lines: Sequence[str] = (), hint: str = ""
) -> None:
    """Write a result: as data, or for people as a table of `columns` or as `lines`, then the next command."""
    match output:
        case Output.JSON:
            say(_escaped(json.dumps(result, indent=2, ensure_ascii=False), astral=_pair))
        case Output.YAML:
            say(yaml(result))
        case Output.TABLE:
            for line in lines or table(_rows(result), columns):
                say(line)
            if hint:
                say(f"next: {hint}")


def say(line: str, *, to: TextIO | None = None) -> None:
    """Write one line."""
    stream = to or sys.stdout
    stream.write(f"{line}\n")


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Columns as wide as needed and 100 characters in all; ids are never cut, the widest text is."""
    if not rows:
        return ["nothing here yet"]
    cells = [[_brief(cell(row.get(column))) for column in columns] for row in rows]
    widths = _fit(
        [max(len(line[at]) for line in [*cells, list(columns)]) for at in range(len(columns))], cells
    )
    head = _line([name.upper() for name in columns], widths)
    return [head, *(_line(line, widths) for line in cells)]


def details(record: Mapping[str, Any], names: Sequence[str] = ()) -> list[str]:
    """One thing, a line per member."""
    shown = [name for name in (names or record) if record.get(name) not in (None, "", [], {})]
    wide = max((len(name) for name in shown), default=0)
    return [f"{name:<{wide}}  {cell(record[name])}" for name in shown]


def cell(value: Any) -> str:
    """One value on one line; what a terminal would obey is made visible."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(cell(each) for each in value) or "-"
    if isinstance(value, dict):
        return " ".join(f"{name}={cell(each)}" for name, each in value.items()) or "-"
    return visible(str(value)) or "-"


def visible(text: str) -> str:
    """SAFETY: agents choose names and goals; no escape sequence or bidi mark of theirs reaches a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def coloured(word: str) -> str:
    """Colour a known word on a terminal; elsewhere, and with NO_COLOR, leave it."""
    if word not in _COLOURS or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return word
    return f"\x1b[{_COLOURS[word]}m{word}\x1b[0m"


def yaml(value: Any, depth: int = 0) -> str:
    """Block style with JSON scalars: YAML 1.2 that any reader takes, and no library for it."""
    pad = "  " * depth
    if isinstance(value, Mapping) and value:
        return "\n".join(f"{pad}{_scalar(key)}:{_below(member, depth)}" for key, member in value.items())
    if isinstance(value, list) and value:
        return "\n".join(f"{pad}-{_below(member, depth)}" for member in value)
    return pad + _scalar(value)


def _below(member: Any, depth: int) -> str:
    if isinstance(member, Mapping | list) and member:
        return "\n" + yaml(member, depth + 1)
    return " " + _scalar(member)


def _scalar(value: Any) -> str:
    return _escaped(json.dumps(value, ensure_ascii=False), astral=lambda code: f"\\U{code:08x}")


def _escaped(text: str, *, astral: Callable[[int], str]) -> str:
    """SAFETY: as `visible`, in the notation of the format: C1 controls and bidi marks never leave raw."""
    return "".join(
        char if char.isprintable() or char == "\n" else _escape(ord(char), astral=astral) for char in text
    )


def _escape(code: int, *, astral: Callable[[int], str]) -> str:
    return f"\\u{code:04x}" if code <= _BMP else astral(code)


def _pair(code: int) -> str:
    """As JSON writes what lies beyond the basic plane (RFC 8259 §7)."""
    return "".join(f"\\u{unit:04x}" for unit in struct.unpack(">2H", chr(code).encode("utf-16-be")))


def _rows(result: Any) -> list[Mapping[str, Any]]:
    if isinstance(result, Mapping):
        items = result.get("items")
        return items if isinstance(items, list) else [result]
    return list(result)


def _fit(widths: list[int], cells: list[list[str]]) -> list[int]:
    """Cut the widest column that holds no id until the table fits; with ids alone it may be wider."""
    free = [at for at in range(len(widths)) if not any(_is_id(line[at]) for line in cells)]
    while sum(widths) + _GAP * (len(widths) - 1) > WIDTH and free:
        widest = max(free, key=lambda at: widths[at])
        if widths[widest] <= _MIN_COLUMN:
            break
        widths[widest] -= 1
    return widths


def _brief(text: str) -> str:
    """An instant to the second; anything else as it is."""
    found = _INSTANT.fullmatch(text)
    return f"{found[1]} {found[2]}" if found else text


def _is_id(text: str) -> bool:
    return len(text) > _MIN_COLUMN and text[3:4] == "_" and " " not in text


def _line(parts: Sequence[str], widths: Sequence[int]) -> str:
    out = []
    for part, width in zip(parts, widths, strict=True):
        shown = part if len(part) <= width else f"{part[: width - 1]}…"
        out.append(coloured(shown) + " " * (width - len(shown)))
    return (" " * _GAP).join(out).rstrip()
