"""What screens of an operator ask, and what they are told."""

from datetime import datetime
from typing import Annotated, Final, Self

import msgspec

from remit.app.console.behaviour import Acted, Behaviour, Hour
from remit.app.console.choices import Choice
from remit.app.console.inventory import Deed, Done, Leaf
from remit.app.console.search import Hit
from remit.app.console.standing import Allowed, Consented, Standing
from remit.app.console.wall import Wall
from remit.authority.rights import Right
from remit.identity.inventory import Place, Shelved, Sort, Tally
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind
from remit.kernel.canonical import b64u, b64u_decode
from remit.kernel.errors import Invalid, RemitError
from remit.surface.web.errors import problem_of
from remit.surface.web.paging import DEFAULT_PAGE, Limit
from remit.surface.web.schemas.authority import FactorView, TaskView
from remit.surface.web.schemas.identity import PrincipalView
from remit.surface.web.schemas.rights import RightBody, right_view
from remit.surface.web.schemas.words import Ident

MANY: Final = 200
"""Entries of one deed."""
Sought = Annotated[str, msgspec.Meta(max_length=128)]
Further = Annotated[str, msgspec.Meta(max_length=512, pattern=r"^[A-Za-z0-9_-]*$")]
Days = Annotated[int, msgspec.Meta(ge=1, le=90, description="days to look back")]


class BadCursor(Invalid):
    """`cursor` is none that a page of this list gave."""

    code = "cursor_invalid"


class InventoryWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries of one kind; what is absent does not narrow."""

    kind: Kind = Kind.AGENT
    text: Sought = ""
    """Part of the name, or the whole id."""
    state: State | None = None
    owner: Sought = ""
    """Id of the owner."""
    blueprint: Sought = ""
    """Id of the blueprint."""
    environment: Environment | None = None


class InventoryQuery(InventoryWanted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of them, in which order."""

    sort: Sort = Sort.NAME
    backwards: bool = False
    limit: Limit = DEFAULT_PAGE
    cursor: Further = ""


class InventoryRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry as a list shows it."""

    entry: PrincipalView
    owner_name: str = ""
    blueprint_name: str = ""
    last_decided: datetime | None = None
    """When it was last decided about a call of this agent."""

    @classmethod
    def of(cls, found: Shelved) -> Self:
        """From the domain."""
        return cls(
            entry=PrincipalView.of(found.entry),
            owner_name=found.owner_name,
            blueprint_name=found.blueprint_name,
            last_decided=found.last_decided,
        )


class InventoryPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page; `next` is absent on the last one."""

    items: list[InventoryRow]
    next: str = ""

    @classmethod
    def of(cls, leaf: Leaf) -> Self:
        """From the domain."""
        return cls(items=[InventoryRow.of(each) for each in leaf.found], next=cursor_of(leaf.beyond))


class FacetView(msgspec.Struct, frozen=True, kw_only=True):
    """How many entries have one value of one field."""

    field: str
    value: str
    name: str
    count: int


class InventoryTally(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are; the most frequent values of state, environment, owner and blueprint."""

    total: int
    facets: list[FacetView]

    @classmethod
    def of(cls, found: Tally) -> Self:
        """From the domain."""
        facets = [
            FacetView(field=each.field, value=each.value, name=each.name, count=each.count)
            for each in found.facets
        ]
        return cls(total=found.count, facets=facets)


class ManyDeeds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One deed for many entries of one kind: `owner` for `assign_owner`, `reason` for the others."""

    kind: Kind
    deed: Deed
    idents: Annotated[list[Ident], msgspec.Meta(min_length=1, max_length=MANY)]
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""
    owner: Ident | None = None


class DeedView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one entry: its state now, or why nothing was done."""

    ident: str
    done: bool
    state: State | None = None
    code: str = ""
    detail: str = ""
    next: str = ""

    @classmethod
    def of(cls, found: Done) -> Self:
        """From the domain."""
        if found.refused is None:
            return cls(ident=found.ident, done=True, state=found.entry.state if found.entry else None)
        told = problem_of(found.refused)
        return cls(ident=found.ident, done=False, code=told.code, detail=told.detail, next=told.next)


class ManyDone(msgspec.Struct, frozen=True, kw_only=True):
    """What came of each; every one that was done has a record of its own."""

    outcomes: list[DeedView]
    done: int
    refused: int

    @classmethod
    def of(cls, found: list[DeedView]) -> Self:
        """Count them."""
        done = sum(each.done for each in found)
        return cls(outcomes=found, done=done, refused=len(found) - done)


class BehaviourQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which time."""

    days: Days = 30


class HourView(msgspec.Struct, frozen=True, kw_only=True):
    """How calls were answered in one hour of UTC."""

    at: datetime
    effects: dict[str, int]

    @classmethod
    def of(cls, found: Hour) -> Self:
        """From the domain."""
        return cls(at=found.at, effects=found.effects)


class ActedView(msgspec.Struct, frozen=True, kw_only=True):
    """One action of an agent: how often, on how many resources, first and last; `new` if first lately."""

    action: str
    calls: int
    permitted: int
    resources: int
    first: datetime
    last: datetime
    new: bool

    @classmethod
    def of(cls, found: Acted) -> Self:
        """From the domain."""
        return cls(**{name: getattr(found, name) for name in cls.__struct_fields__})


class BehaviourView(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent did, counted from its decisions; `more` if older ones of the window were left out."""

    since: datetime
    decisions: int
    more: bool
    hours: list[HourView]
    actions: list[ActedView]

    @classmethod
    def of(cls, found: Behaviour) -> Self:
        """From the domain."""
        return cls(
            since=found.since,
            decisions=found.decisions,
            more=found.more,
            hours=[HourView.of(each) for each in found.hours],
            actions=[ActedView.of(each) for each in found.actions],
        )


class AllowedView(msgspec.Struct, frozen=True, kw_only=True):
    """One right that all standing ceilings leave, and the consents through which it can be used."""

    right: RightBody
    grants: list[str]

    @classmethod
    def of(cls, found: Allowed) -> Self:
        """From the domain."""
        return cls(right=right_view(found.right), grants=list(found.grants))


class ConsentedView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's consent, and what the agent's own ceilings leave of it."""

    grant: str
    user: str
    user_name: str
    given_at: datetime
    effective: list[RightBody]

    @classmethod
    def of(cls, found: Consented) -> Self:
        """From the domain."""
        return cls(
            grant=found.grant.id,
            user=found.grant.user,
            user_name=found.user_name,
            given_at=found.grant.given_at,
            effective=rights_view(found.effective.rights),
        )


class AgentStanding(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent may do at most, factor by factor; task, hops and token narrow it further."""

    factors: list[FactorView]
    allowed: list[AllowedView]
    consents: list[ConsentedView]
    more_consents: bool
    tasks: list[TaskView]
    more_tasks: bool

    @classmethod
    def of(cls, found: Standing) -> Self:
        """From the domain."""
        return cls(
            factors=[FactorView.of(each) for each in found.factors],
            allowed=[AllowedView.of(each) for each in found.allowed],
            consents=[ConsentedView.of(each) for each in found.consents],
            more_consents=found.more_consents,
            tasks=[TaskView.of(each) for each in found.tasks],
            more_tasks=found.more_tasks,
        )


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An id, or the beginning of a name."""

    q: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 20


class HitView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that was found."""

    kind: str
    id: str
    name: str
    state: str = ""

    @classmethod
    def of(cls, found: Hit) -> Self:
        """From the domain."""
        return cls(kind=found.kind, id=found.id, name=found.name, state=found.state)


class MinuteView(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions of one minute and one effect."""

    at: datetime
    effect: str
    count: int


class LatestKill(msgspec.Struct, frozen=True, kw_only=True):
    """One of the newest kills."""

    id: str
    target: str
    state: str
    at: datetime


class RefusedAgent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that is denied most."""

    agent: str
    name: str
    count: int


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person has to look at."""

    code: str
    count: int


class WallView(msgspec.Struct, frozen=True, kw_only=True):
    """What hangs on the wall: rates, asks that wait, kills, alarms; as of `at`."""

    at: datetime
    minutes: list[MinuteView]
    cut_off: bool
    asks: int
    next_expiry: datetime | None
    kills: list[LatestKill]
    refused: list[RefusedAgent]
    alarms: list[AlarmView]
    active_agents: int
    records: int

    @classmethod
    def of(cls, found: Wall) -> Self:
        """From the domain."""
        return cls(
            at=found.at,
            minutes=[MinuteView(at=each.at, effect=each.effect, count=each.count) for each in found.minutes],
            cut_off=found.cut_off,
            asks=found.asks,
            next_expiry=found.next_expiry,
            kills=[
                LatestKill(id=each.id, target=each.target.name, state=each.state, at=each.at)
                for each in found.kills
            ],
            refused=[
                RefusedAgent(agent=each.agent, name=each.name, count=each.count) for each in found.refused
            ],
            alarms=[AlarmView(code=each.code, count=each.count) for each in found.alarms],
            active_agents=found.active_agents,
            records=found.records,
        )


class SettingView(msgspec.Struct, frozen=True, kw_only=True):
    """One setting in force; `chosen` if it is not its default."""

    name: str
    variable: str
    value: str
    default: str
    sentence: str
    chosen: bool

    @classmethod
    def of(cls, found: Choice) -> Self:
        """From the settings."""
        return cls(**{name: getattr(found, name) for name in cls.__struct_fields__})


def rights_view(rights: frozenset[Right]) -> list[RightBody]:
    """Show rights, sorted."""
    ordered = sorted(rights, key=lambda each: (each.action, each.resource_type))
    return [right_view(each) for each in ordered]


def cursor_of(place: Place | None) -> str:
    """Where a page begins, as one opaque word."""
    if place is None:
        return ""
    return b64u(msgspec.json.encode([place.value, place.ident]))


def place_of(cursor: str, sort: Sort) -> Place | None:
    """Read it back. Raises `BadCursor`."""
    if not cursor:
        return None
    try:
        value, ident = msgspec.json.decode(b64u_decode(cursor), type=tuple[str, str])
    except (msgspec.MsgspecError, ValueError, RemitError) as wrong:
        raise BadCursor("`cursor` is none of this list", next_step="begin without a cursor") from wrong
    if sort is Sort.CHANGED and not (value.isascii() and value.isdigit() and len(value) < 19):  # noqa: PLR2004 — what a 64-bit column holds
        raise BadCursor("`cursor` is of another order", next_step="begin without a cursor")
    return Place(value=value, ident=ident)
