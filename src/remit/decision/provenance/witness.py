"""One task's witness: it hears the request, watches results, and says whether values may steer a call."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from remit.decision.provenance import look, rules
from remit.decision.provenance.effects import Deed, deed_of
from remit.decision.provenance.house import NOBODY, House, server_of
from remit.decision.provenance.intent import Intent, read_intent
from remit.decision.provenance.labels import Label
from remit.decision.provenance.lexicon import Doing, Thing
from remit.decision.provenance.look import Source
from remit.decision.provenance.rules import Ruling
from remit.decision.provenance.seen import Seen
from remit.decision.provenance.sensitive import Kind
from remit.decision.provenance.trace import kinds_of, trace
from remit.kernel.canonical import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of a tool: what it does, what its arguments steer, how its results are labelled."""

    deed: Deed
    kinds: Mapping[str, Kind]
    source: Source
    house: House = NOBODY
    """Whom this tool may reach without leaving the house."""

    def named(self, name: str) -> "Profile":
        """The same tool, by the name that people know its results by."""
        return replace(self, source=replace(self.source, name=name))


def profile_of(
    name: str,
    description: str,
    schema: JsonObject,
    *,
    label: Label | None = None,
    declared: Mapping[str, Kind] | None = None,
    consequential: bool = False,
    house: House = NOBODY,
) -> Profile:
    """Read a tool's specification; what the installation declares about it wins over what its words say.

    `label` is that of its typed results. One that is declared consequential is never taken for a reading one.
    """
    kinds = kinds_of(schema, declared)
    deed = deed_of(name, description, frozenset(kinds))
    if consequential and deed.doing is Doing.READ:
        deed = Deed(doing=Doing.OTHER, things=deed.things)
    opened = Thing.PAGE in deed.things or (deed.doing is Doing.READ and Kind.HOST in kinds.values())
    return Profile(
        deed=deed,
        kinds=kinds,
        source=Source(name=name, label=label or (Label.TEXT if opened else Label.TOOL)),
        house=house,
    )


class Witness:
    """What one task's agents heard and saw; judges calls on it."""

    def __init__(self, seen: Seen, intent: Intent) -> None:
        self.seen = seen
        self.intent = intent

    @classmethod
    def of_goal(cls, goal: str, *, key: bytes) -> "Witness":
        """Begin a task with the person's own words; `key` is the task's own."""
        seen = Seen(key)
        look.hear(seen, goal)
        return cls(seen, read_intent(goal))

    def judge(self, tool: Profile, arguments: JsonObject) -> Ruling:
        """May the values of this call steer it?"""
        traced = trace(self.seen, arguments, tool.kinds)
        near = tool.house.nearing(traced, self.intent, tool.deed, server_of(tool.source.name))
        return rules.judge(self.seen, self.intent, tool.deed, near)

    def saw(self, tool: Profile, arguments: JsonObject, result: Json) -> None:
        """Take note of what a permitted call answered; what it wrote keeps its label."""
        effect = tool.deed.doing is not Doing.READ
        if effect:
            look.wrote(self.seen, arguments)
        look.look(self.seen, result, source=tool.source, query=arguments, intent=self.intent, own_work=effect)

    def approved(self, tool: Profile, arguments: JsonObject) -> None:
        """Take note that a person approved this very call."""
        rules.agree(self.seen, tool.deed, trace(self.seen, arguments, tool.kinds))
