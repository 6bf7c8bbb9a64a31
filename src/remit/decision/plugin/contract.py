"""What a plugin of the entry point group `remit.facts` is, and how its answer is read.

A plugin adds one fact to what policies see, `context.plugin.<name>`. It can only add: what it does not know,
knows too late or says in another type than it declared denies every rule that looks at it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias, runtime_checkable

from remit.kernel.canonical import Json, JsonObject
from remit.kernel.errors import Invalid

GROUP: Final = "remit.facts"
LONGEST: Final = timedelta(seconds=2)
"""The most time that a plugin may ask for."""
MEMBERS_LIMIT: Final = 64
TEXT_LIMIT: Final = 4096
"""Characters of a text in a fact, and members of a set of texts by `MEMBERS_LIMIT`."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_LONG: Final = (1 << 63) - 1
_CEDAR: Final[Mapping[str, JsonObject]] = {
    "bool": {"type": "Boolean"},
    "long": {"type": "Long"},
    "string": {"type": "String"},
    "strings": {"type": "Set", "element": {"type": "String"}},
}

Schema: TypeAlias = str | Mapping[str, str]
"""`bool`, `long`, `string`, `strings` (a set), or a record of these by name."""


class PluginInvalid(Invalid):
    """What a distribution offers as a plugin is none."""

    code = "plugin_invalid"


class FactMisfit(Exception):
    """A plugin said something of another type than it declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a plugin is told of a call. Never a token, a key or what the task is about."""

    tenant: str
    agent: str
    user: str
    """Name of the person; empty where nobody is behind the call."""
    action: str
    resource_type: str
    resource: str
    purpose: str
    arguments: JsonObject
    """A copy: what is done to it changes nothing."""
    at: datetime


@runtime_checkable
class FactPlugin(Protocol):
    """What an entry point of the group names: an object, or a class without arguments."""

    @property
    def name(self) -> str:
        """Name of the fact: small letters, digits, underscores."""

    @property
    def version(self) -> str:
        """Shown by `remit doctor`."""

    @property
    def schema(self) -> Schema:
        """Type of the fact."""

    @property
    def budget(self) -> timedelta:
        """How long one answer may take, 2 s at most."""

    def know(self, asked: Asked, /) -> object:
        """The fact for a call, in a thread of its own; whatever it raises is "not known"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A plugin as it was admitted."""

    name: str
    version: str
    schema: Schema
    budget: timedelta
    plugin: FactPlugin

    @property
    def cedar(self) -> JsonObject:
        """The type of the fact in Cedar's JSON schema."""
        if isinstance(self.schema, str):
            return _CEDAR[self.schema]
        return {"type": "Record", "attributes": {name: _CEDAR[kind] for name, kind in self.schema.items()}}


def admitted(found: object) -> Offer:
    """Take a plugin that says what it must; raises `PluginInvalid`."""
    plugin = found() if isinstance(found, type) else found
    if not isinstance(plugin, FactPlugin):
        raise PluginInvalid("it has no `name`, `version`, `schema`, `budget` and `know`")
    # What a plugin says of itself is believed no more than what it says of a call.
    name: object = plugin.name
    schema: object = plugin.schema
    budget: object = plugin.budget
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginInvalid(f"`{name}` is no name of a fact: small letters, digits and underscores")
    typed = _typed(schema)
    if typed is None:
        raise PluginInvalid(f"its schema is no type: one of {', '.join(_CEDAR)}, or a record of these")
    if not isinstance(budget, timedelta) or not timedelta(0) < budget <= LONGEST:
        raise PluginInvalid(f"its budget is {budget}, at most {LONGEST.total_seconds():g} s are given")
    return Offer(name=name, version=str(plugin.version)[:64], schema=typed, budget=budget, plugin=plugin)


def _typed(schema: object) -> Schema | None:
    """A schema that is one, copied; else None."""
    if isinstance(schema, str):
        return schema if schema in _CEDAR else None
    if not isinstance(schema, Mapping) or not 0 < len(schema) <= MEMBERS_LIMIT:
        return None
    if any(not isinstance(name, str) or not _NAME.fullmatch(name) for name in schema):
        return None
    return dict(schema) if all(kind in _CEDAR for kind in schema.values()) else None


def fact_of(said: object, schema: Schema) -> Json:
    """What a plugin said, as it is kept and shown to policies; raises `FactMisfit`, never guesses."""
    if isinstance(schema, str):
        return _one(said, schema)
    if not isinstance(said, Mapping) or set(said) != set(schema):
        raise FactMisfit(f"it is no record of {', '.join(schema)}")
    return {name: _one(said[name], kind) for name, kind in schema.items()}


def _one(said: object, kind: str) -> Json:
    match kind:
        case "bool" if isinstance(said, bool):
            return said
        case "long" if isinstance(said, int) and not isinstance(said, bool) and abs(said) <= _LONG:
            return said
        case "string" if isinstance(said, str) and len(said) <= TEXT_LIMIT:
            return said
        case "strings" if isinstance(said, set | frozenset | list | tuple) and len(said) <= MEMBERS_LIMIT:
            return [_one(each, "string") for each in sorted(said, key=str)]
        case _:
            raise FactMisfit(f"it is no {kind}")
