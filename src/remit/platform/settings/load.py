"""Reading settings: file < environment < flag, each name known, each value with its unit."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from remit.kernel.errors import Invalid
from remit.platform.settings.model import DEFAULT_DATA, Settings
from remit.platform.settings.names import Name, bare_type, names_of, unknown
from remit.platform.settings.units import Bytes, parse_bytes, parse_duration

T = TypeVar("T")
Values: TypeAlias = dict[tuple[str, ...], tuple[Any, str]]
"""Path of a setting → its raw value, and where it was read."""

CLIENT_VARIABLES: Final = frozenset({"REMIT_URL", "REMIT_KEY", "REMIT_CONFIG"})
"""Variables of ours that are no settings: they steer the command line."""


class BadSetting(Invalid):
    """A value that does not fit its setting."""

    code = "bad_setting"


class SettingsUnreadable(Invalid):
    """The settings file can't be read or is not TOML."""

    code = "settings_unreadable"


def load(
    *, file: Path | None, environ: Mapping[str, str], flags: Mapping[str, object] | None = None
) -> Settings:
    """Compose the settings; a flag of None counts as absent.

    Without `file`, `REMIT_CONFIG` names it, and else `settings.toml` in the data directory if there is one.
    Raises `UnknownSetting`, `BadSetting`, `BadUnit` or `SettingsUnreadable`.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    known = {name.path: name for name in names_of(Settings)}
    chosen = file or _named_file(environ)
    values = _from_file(chosen or _default_file(environ, given), known, required=chosen is not None)
    values |= _from_environment(environ, known)
    values |= _from_flags(given, known)
    return _build(Settings, (), values)


def _named_file(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("REMIT_CONFIG")
    return Path(named) if named else None


def _default_file(environ: Mapping[str, str], flags: Mapping[str, object]) -> Path:
    data = Path(str(flags.get("data") or environ.get("REMIT_DATA") or DEFAULT_DATA))
    return data.expanduser() / "settings.toml"


def _from_file(path: Path, known: Mapping[tuple[str, ...], Name], *, required: bool) -> Values:
    try:
        document = tomllib.loads(path.expanduser().read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        if required:
            raise SettingsUnreadable(f"settings file `{path}` does not exist") from missing
        return {}
    except (OSError, UnicodeDecodeError) as broken:
        raise SettingsUnreadable(f"settings file `{path}` cannot be read", debug=str(broken)) from broken
    except tomllib.TOMLDecodeError as broken:
        raise SettingsUnreadable(f"settings file `{path}` is not TOML: {broken}") from broken
    return _flatten(document, (), str(path), known)


def _flatten(
    table: Mapping[str, Any], prefix: tuple[str, ...], source: str, known: Mapping[tuple[str, ...], Name]
) -> Values:
    found: Values = {}
    for key, value in table.items():
        path = (*prefix, key)
        if path in known:
            found[path] = (value, source)
        elif isinstance(value, dict) and any(name[: len(path)] == path for name in known):
            found |= _flatten(value, path, source, known)
        else:
            raise unknown(".".join(path), [name.dotted for name in known.values()])
    return found


def _from_environment(environ: Mapping[str, str], known: Mapping[tuple[str, ...], Name]) -> Values:
    by_variable = {name.variable: name.path for name in known.values()}
    found: Values = {}
    for variable, value in environ.items():
        if not variable.startswith("REMIT_") or variable in CLIENT_VARIABLES:
            continue
        if variable not in by_variable:
            raise unknown(variable, [*by_variable, *CLIENT_VARIABLES])
        found[by_variable[variable]] = (value, f"environment {variable}")
    return found


def _from_flags(flags: Mapping[str, object], known: Mapping[tuple[str, ...], Name]) -> Values:
    found: Values = {}
    for dotted, value in flags.items():
        path = tuple(dotted.split("."))
        if path not in known:
            raise unknown(dotted, [name.dotted for name in known.values()])
        found[path] = (value, "command line")
    return found


def _build(model: type[T], prefix: tuple[str, ...], values: Values) -> T:
    hints = get_type_hints(model)
    chosen: dict[str, object] = {}
    for part in fields(model):  # type: ignore[arg-type]  # every model is a dataclass; `type[T]` can't say so
        path, kind = (*prefix, part.name), hints[part.name]
        if is_dataclass(kind) and isinstance(kind, type):
            chosen[part.name] = _build(kind, path, values)
        elif path in values:
            raw, source = values[path]
            chosen[part.name] = _convert(kind, raw, name=".".join(path), source=source)
    try:
        return model(**chosen)
    except ValueError as refused:
        raise BadSetting(str(refused)) from refused
    except Invalid as refused:  # a wing's own ceiling
        raise BadSetting(f"setting in `{'.'.join(prefix)}`: {refused.hint}") from refused


def _convert(kind: Any, raw: object, *, name: str, source: str) -> object:
    try:
        return _READERS[_shape(bare_type(kind))](bare_type(kind), raw)
    except (Invalid, ValueError) as wrong:
        detail = wrong.hint if isinstance(wrong, Invalid) else str(wrong)
        raise BadSetting(f"setting `{name}` ({source}): {detail}") from wrong


def _shape(kind: Any) -> object:
    if get_origin(kind) is tuple:
        return tuple
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return StrEnum
    return kind


def _text(_: Any, raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"`{raw}` is not text")  # noqa: TRY004 — the caller turns ValueError into its own error
    return raw


def _number(_: Any, raw: object) -> int:
    text = str(raw)
    if isinstance(raw, bool) or not text.isascii() or not text.isdigit():
        raise ValueError(f"`{raw}` is not a whole number")
    return int(text)


def _flag(_: Any, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if raw not in {"true", "false"}:
        raise ValueError(f"`{raw}` is neither `true` nor `false`")
    return raw == "true"


def _choice(kind: Any, raw: object) -> object:
    lawful = [str(member) for member in kind]
    if raw not in lawful:
        raise ValueError(f"`{raw}` is not one of {', '.join(lawful)}")
    return kind(raw)


def _many(kind: Any, raw: object) -> tuple[object, ...]:
    member = get_args(kind)[0]
    parts = [part for part in raw.split(",") if part] if isinstance(raw, str) else raw
    if not isinstance(parts, list):
        raise ValueError(f"`{raw}` is not a list")  # noqa: TRY004 — as in `_text`
    return tuple(_READERS[_shape(member)](member, part) for part in parts)


_READERS: Final[dict[object, Callable[[Any, object], object]]] = {
    str: _text,
    int: _number,
    bool: _flag,
    StrEnum: _choice,
    tuple: _many,
    Path: lambda kind, raw: Path(_text(kind, raw)),
    timedelta: lambda kind, raw: parse_duration(_text(kind, raw)),
    Bytes: lambda kind, raw: parse_bytes(_text(kind, raw)),
}
