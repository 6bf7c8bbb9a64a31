"""What an agent does for the first time: read from the marks that its permitted calls left. No guesses.

An agent has a mark for each action, class of resource and host that it was ever permitted; after
`REMEMBERED` without being renewed it is new again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from remit.decision.answer.assessment import Part
from remit.decision.call.request import ProposedCall
from remit.decision.history.past import Footprint, HistoryStore, Question
from remit.decision.provenance.normal import Shape, values_in
from remit.kernel.canonical import Json, sha256

REMEMBERED: Final = timedelta(days=90)
HOSTS_LIMIT: Final = 16
"""Hosts of one call that are looked up; a call with more counts as one that names a new one."""
TEXTS_LIMIT: Final = 512
"""Texts of one call that are searched for hosts, and below it their length: what is more counts as new."""
TEXT_LIMIT: Final = 1 << 16
_MARK: Final = "first:"
"""SAFETY: no policy can declare or read a mark with a colon in its name."""
_KNOWN_LIMIT: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """One thing about a call that an agent may never have done before; `holder` names both."""

    part: Part
    name: str
    holder: str

    @property
    def mark(self) -> str:
        """Name of its mark in the history table."""
        return f"{_MARK}{self.part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is new in one call, and whether that was all that there was to look at."""

    traits: tuple[Trait, ...] = ()
    overflow: bool = False


def traits_of(call: ProposedCall) -> tuple[tuple[Trait, ...], bool]:
    """Action, class of resource and hosts of a call; whether there is more in it than is looked up."""
    found = _named(call.subject.agent, call.action, call.resource.type)
    if not call.arguments:
        return found, False
    hosts, whole = hosts_in(call.arguments)
    if not hosts:
        return found, not whole
    more = [_trait(call.subject.agent, Part.NEW_HOST, host) for host in sorted(hosts)[:HOSTS_LIMIT]]
    return (*found, *more), not whole or len(hosts) > HOSTS_LIMIT


@lru_cache(maxsize=4096)
def _named(agent: str, action: str, kind: str) -> tuple[Trait, ...]:
    """Those of the action itself. Pure: the same words make the same traits."""
    server = action.partition("/")[0]
    return (
        _trait(agent, Part.NEW_ACTION, action),
        _trait(agent, Part.NEW_CLASS, f"{server}/{kind}"),
    )


def hosts_in(arguments: Json) -> tuple[set[str], bool]:
    """Every host that a text in the arguments names, as provenance normalizes it; whether all was read."""
    hosts, whole, read, stack = set[str](), True, 0, [arguments]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            stack += each.values()
        elif isinstance(each, list):
            stack += each
        elif isinstance(each, str) and "." in each:
            read += 1
            if read > TEXTS_LIMIT or len(each) > TEXT_LIMIT:
                whole = False
                continue
            hosts |= {value.text for value in values_in(each) if value.shape is Shape.HOST}
    return hosts, whole


def footprints(news: News, at: datetime) -> tuple[Footprint, ...]:
    """The marks that the call leaves if it is permitted: only of what is new, so each is written once."""
    return tuple(
        Footprint(mark=each.mark, holder=each.holder, value="", bucket=0, at=at, until=at + REMEMBERED)
        for each in news.traits
    )


def looked_up(
    store: HistoryStore, traits: Iterable[Trait], at: datetime
) -> tuple[tuple[Trait, datetime | None], ...]:
    """When each was last marked; None for what is new."""
    return tuple(
        (each, store.look(Question(mark=each.mark, holder=each.holder, since=at - REMEMBERED)).last)
        for each in traits
    )


class Acquainted:
    """What is not new is remembered beside the process, as it stays true. OWNED BY: the event loop.

    INVARIANT: an entry is made only of a mark that was read, holds no longer than that mark, and a mark is
    never taken back: so what is found here is what the database would say.
    """

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[tuple[Part, str], datetime] = {}

    def unknown(self, traits: Iterable[Trait], at: datetime) -> tuple[Trait, ...]:
        """Those that must be looked up."""
        return tuple(
            each
            for each in traits
            if (until := self._until.get((each.part, each.holder))) is None or at >= until
        )

    def learn(self, looked: Iterable[tuple[Trait, datetime | None]]) -> tuple[Trait, ...]:
        """Keep what is not new; what is."""
        new: list[Trait] = []
        for trait, last in looked:
            if last is None:
                new.append(trait)
            else:
                self._keep(trait, last + REMEMBERED)
        return tuple(new)

    def _keep(self, trait: Trait, until: datetime) -> None:
        if len(self._until) >= _KNOWN_LIMIT:
            self._until.clear()
        self._until[trait.part, trait.holder] = until


def _trait(agent: str, part: Part, name: str) -> Trait:
    # Arguments are content: the table gets a digest of a host, and the name of an action as it is.
    shown = sha256(name.encode())[:32] if part is Part.NEW_HOST else name
    return Trait(part=part, name=name, holder=f"agent:{agent}/{shown}")
