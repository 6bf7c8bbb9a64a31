"""The names of all settings, read from the options' own types, and the nearest to a wrong one."""

import difflib
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from remit.kernel.errors import Invalid


class UnknownSetting(Invalid):
    """No setting has this name; the nearest known one is in the message."""

    code = "unknown_setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One setting: where it stands (`http.max_body`), its type, and its place in the environment."""

    path: tuple[str, ...]
    kind: Any
    owner: type

    @property
    def dotted(self) -> str:
        """As in the file and in messages."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """As in the environment."""
        return "REMIT_" + "_".join(self.path).upper()


def names_of(model: type, prefix: tuple[str, ...] = ()) -> Iterator[Name]:
    """Every leaf below a dataclass, in the order in which they are written."""
    hints = get_type_hints(model)
    for part in fields(model):
        kind = hints[part.name]
        if is_dataclass(kind) and isinstance(kind, type):
            yield from names_of(kind, (*prefix, part.name))
        else:
            yield Name(path=(*prefix, part.name), kind=kind, owner=model)


def bare_type(kind: Any) -> Any:
    """The type without its `| None`."""
    if get_origin(kind) in {UnionType, typing.Union}:
        present = [each for each in get_args(kind) if each is not type(None)]
        return present[0]
    return kind


def unknown(wrong: str, known: list[str]) -> UnknownSetting:
    """Say which name is not known, and which one was probably meant."""
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    nearest = f"; nearest is `{near[0]}`" if near else ""
    return UnknownSetting(f"unknown setting `{wrong}`{nearest}", next_step="see docs/reference/settings.md")
