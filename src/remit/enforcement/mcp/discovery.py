"""How each tool that a server lists stands to what is pinned: what a person reads before they pin."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from remit.enforcement.mcp.pins import Comparison
from remit.identity.tools import Pin, Tool


class ToolStanding(StrEnum):
    """What the list says about one tool."""

    SAME = "same"
    """Approved, and the server still means exactly that."""
    NEW = "new"
    """Never seen before."""
    CHANGED = "changed"
    """Not the definition that was approved."""
    WAITING = "waiting"
    """Seen before and in quarantine: a person has still to look."""
    REFUSED = "refused"
    """The definition itself is unfit: too large, not canonical, or to be taken for another tool."""
    GONE = "gone"
    """Pinned, and no longer listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One tool. `cause` says what is wrong with a refused one."""

    name: str
    standing: ToolStanding
    cause: str = ""


def standings(before: Mapping[str, Tool], seen: Comparison) -> tuple[Found, ...]:
    """Judge a whole list against the tools as they were pinned before it was read, by name."""
    causes = {each.name: each.cause for each in seen.sightings}
    unfit = seen.names - seen.definitions.keys()
    return tuple(
        Found(name=name, standing=ToolStanding.REFUSED, cause=causes.get(name, "refused before, as now"))
        if name in unfit
        else Found(name=name, standing=_standing(before.get(name), seen.definitions.get(name)))
        for name in sorted(seen.names | before.keys())
    )


def _standing(pin: Tool | None, definition: str | None) -> ToolStanding:
    if definition is None:
        return ToolStanding.GONE
    if pin is None:
        return ToolStanding.NEW
    if pin.pin is Pin.QUARANTINED and definition in {pin.definition, pin.seen_definition}:
        return ToolStanding.WAITING
    return ToolStanding.SAME if definition == pin.definition else ToolStanding.CHANGED
