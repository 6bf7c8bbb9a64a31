"""The settings of this process as they are in force; read-only here, for they live in a file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from remit.platform.settings.model import Settings
from remit.platform.settings.names import Name, names_of
from remit.platform.settings.reference import default_of, sentence_of, written

_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]*@")
"""Who signs in at an address, and with which password (RFC 3986 §3.2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One setting: what it is, what it is set to, and whether that is its default."""

    name: str
    variable: str
    value: str
    default: str
    sentence: str

    @property
    def chosen(self) -> bool:
        """Whether somebody set it to something else than its default."""
        return self.value != self.default


def choices(settings: Settings) -> Iterator[Choice]:
    """Every setting; credentials inside addresses are left out."""
    for name in names_of(Settings):
        value = written(name.kind, _value(settings, name))
        yield Choice(
            name=name.dotted,
            variable=name.variable,
            value=_USERINFO.sub("…@", value),
            default=default_of(name),
            sentence=sentence_of(name),
        )


def _value(settings: Settings, name: Name) -> object:
    found: Any = settings
    for part in name.path:
        found = getattr(found, part)
    return found
