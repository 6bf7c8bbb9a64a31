"""Pinned definitions: an agent is shown the text that a person approved, never the server's latest (N31).

The server's own list is only compared with the pins. What differs, is new, or looks like another tool is
quarantined durably, so that a definition which changes back and forth stays refused until somebody looks.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.enforcement.mcp.names import ambiguous
from remit.enforcement.mcp.schema import DefinitionRefused, check_definition
from remit.identity.tools import Pin, Server, Tool
from remit.kernel.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A definition that is not the pinned one, as the server sent it.

    `definition` is canonical JSON, cut off at 64 KiB and empty when it has no canonical form; `cause` is
    `new`, `changed`, `look_alike` or the sentence of a refusal.
    """

    server: Server
    name: str
    definition: str
    cause: str
    at: datetime


class ToolRegistry(Protocol):
    """The directory's tools, as this node's newest snapshot has them."""

    def server(self, name: str) -> Server | None:
        """The server at `/mcp/<name>`, if it is registered and active."""

    def tools(self, server: Server) -> Mapping[str, Tool]:
        """Every tool of the server by name, quarantined ones included.

        INVARIANT: a table that was given out is never edited; what has changed is another table.
        """

    async def quarantine(self, sightings: Sequence[Sighting]) -> None:
        """Record each sighting and quarantine its tool; idempotent for the same name and text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a server's list says: clean definitions by name, as canonical JSON, and what differs.

    `names` are all that are listed, unfit ones included.
    """

    definitions: Mapping[str, str]
    sightings: tuple[Sighting, ...]
    names: frozenset[str]


def compare(server: Server, pinned: Mapping[str, Tool], live: Sequence[Json], *, at: datetime) -> Comparison:
    """Hold the server's whole list against the pins.

    A definition is clean if it passes `check_definition`, comes once and can't be taken for another.
    """
    approved = {name for name, tool in pinned.items() if tool.pin is Pin.APPROVED}
    names = Counter(_name_of(entry) for entry in live)
    twins = ambiguous(names, trusted=approved) | {name for name, count in names.items() if count > 1}
    clean: dict[str, str] = {}
    sightings: list[Sighting] = []
    for entry in live:
        name = _name_of(entry)
        definition, fault = _canonical(entry)
        fault = fault or ("look_alike" if name in twins else "")
        if not fault:
            clean[name] = definition
        cause = fault or _difference(definition, pinned.get(name))
        if cause and not _known(definition, pinned.get(name)):
            sightings.append(
                Sighting(server=server, name=name[:128], definition=definition, cause=cause, at=at)
            )
    return Comparison(definitions=clean, sightings=tuple(sightings), names=frozenset(names))


def usable(tool: Tool, live: Mapping[str, str]) -> bool:
    """Whether a tool is approved and the server still means exactly what was approved."""
    return tool.pin is Pin.APPROVED and live.get(tool.name) == tool.definition


def _difference(definition: str, pin: Tool | None) -> str:
    if pin is None:
        return "new"
    return "" if definition == pin.definition else "changed"


def _known(definition: str, pin: Tool | None) -> bool:
    """Whether this very text is what the tool is quarantined for already."""
    return (
        pin is not None and pin.pin is Pin.QUARANTINED and definition in {pin.seen_definition, pin.definition}
    )


def _canonical(entry: Json) -> tuple[str, str]:
    if not isinstance(entry, dict):
        return "", "definition is not an object"
    try:
        return check_definition(entry).decode(), ""
    except DefinitionRefused as refused:
        return "", refused.hint


def _name_of(entry: Json) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else ""
