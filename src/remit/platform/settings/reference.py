"""The page of all settings, written from the options themselves: name, type, default, sentence."""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Any, get_args

from remit.platform.settings.model import Settings
from remit.platform.settings.names import Name, bare_type, names_of
from remit.platform.settings.units import Bytes, format_bytes, format_duration

_HEAD = """# Settings

File (`settings.toml` in the data directory, or `--config`) < environment < flag. An unknown name is an error.

| Setting | Environment | Type | Default | What it is |
|---|---|---|---|---|
"""


def render() -> str:
    """The whole page, in Markdown."""
    return _HEAD + "".join(f"{_row(name)}\n" for name in names_of(Settings))


def sentence_of(name: Name) -> str:
    """The sentence under the field, as it stands in the source."""
    return sentences(name.owner).get(name.path[-1], "")


@cache
def sentences(owner: type) -> Mapping[str, str]:
    """Field → the string literal under it."""
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    return dict(_documented(body)) if isinstance(body, ast.ClassDef) else {}


def default_of(name: Name) -> str:
    """The default, as an operator would write it."""
    part = next(each for each in fields(name.owner) if each.name == name.path[-1])
    value = part.default_factory() if part.default_factory is not MISSING else part.default
    return written(name.kind, value)


def _documented(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(body.body, body.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            yield field.target.id, " ".join(str(text.value.value).split())


def _row(name: Name) -> str:
    cells = (
        f"`{name.dotted}`",
        f"`{name.variable}`",
        _kind(name.kind),
        f"`{default_of(name)}`",
        sentence_of(name),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _kind(kind: Any) -> str:
    bare = bare_type(kind)
    if bare is Bytes:
        return "size"
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return ", ".join(f"`{member}`" for member in bare)
    if get_args(bare):
        return "list"
    return {timedelta: "duration", int: "number", bool: "true or false", str: "text"}.get(bare, "path")


def written(kind: Any, value: object) -> str:
    """A value as an operator would write it."""
    if value is None or value is MISSING:
        return "absent"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, int) and bare_type(kind) is Bytes:
        return format_bytes(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(str(each) for each in value)
    return str(value) if value != "" else '""'
