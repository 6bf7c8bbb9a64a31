"""The office with tools that say how much they use: rooms count attendees as rows, mail counts recipients."""

from dataclasses import replace
from typing import Any, Final

from remit.authority.limits import Dimension, Limit
from remit.authority.rights import Caps
from remit.decision.call.request import ProposedCall
from remit.decision.facts.snapshot import Snapshot
from remit.identity.metering import Meter, MeterMapping
from remit.identity.tools import Tool
from remit.kernel.canonical import JsonObject, sha256
from remit.kernel.ids import CallId
from support.decisions import TASK, TOOLS, call, ceiling, office, task

ROWS: Final = MeterMapping(meter=Meter.ROWS, arguments=("/attendees",), estimate=5, result="/rows")
TOKENS: Final = MeterMapping(meter=Meter.TOKENS, estimate=500, result="/usage/total_tokens")
RECIPIENTS: Final = MeterMapping(meter=Meter.RECIPIENTS, arguments=("/to", "/subject"))


def metered(name: str, *meters: MeterMapping) -> Tool:
    """One of the office's tools, with meters."""
    found = next(each for each in TOOLS if each.name == name)
    assert found.mapping is not None
    mapping = replace(found.mapping, meters=meters)
    return replace(found, mapping=mapping, digest=sha256(found.definition.encode() + repr(mapping).encode()))


def counting(caps: Caps, *tools: Tool, **changes: Any) -> Snapshot:
    """The office where Ada's task has a budget, and some tools count."""
    tools = tools or (metered("rooms.book", ROWS, TOKENS), metered("mail.send", RECIPIENTS))
    base = office(**changes)
    known = base.tools
    for each in tools:
        known = known.set(each.id, each)
    return replace(base, tools=known, tasks=base.tasks.set(TASK, task(ceiling=ceiling(caps=caps))))


def rows(most: int | None, *, of: Dimension = Dimension.ROWS, **changes: Any) -> Caps:
    """Caps of one dimension."""
    return Caps(limits=(Limit(of=of, most=most, **changes),))


def booking(snapshot: Snapshot, number: int, attendees: int | None = 1, **changes: Any) -> ProposedCall:
    """A call that takes so many rows, under an id of its own."""
    given: JsonObject = {"room": "Room-401", "start": "14:00", "end": "15:00"}
    if attendees is not None:
        given["attendees"] = attendees
    return call("rooms.book", given, snapshot=snapshot, call=CallId(f"call_{number}"), **changes)
