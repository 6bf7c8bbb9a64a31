"""What an agent's client may be given by a person's yes, and the sentences that say so (R28, R35).

The sentences are made of the very ceiling that the yes will give, and are kept with it word by word.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.authority.attenuation import meet_all
from remit.authority.limits import Dimension, Limit, Per
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import rar
from remit.authority.oauth.wire.errors import InvalidTarget
from remit.authority.oauth.wire.resources import Target
from remit.authority.oauth.wire.scopes import Scope, narrow
from remit.authority.rights import ANY_PURPOSE, Caps, Ceiling, Constraint, Money, Right, Window
from remit.authority.shares import NOTHING, Member
from remit.kernel.ids import UserId

PURPOSE: Final = "session"
"""The purpose of a session whose client named none, where the agent's own ceiling leaves it open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """How long a client's session may be, and from when."""

    at: datetime
    lifetime: timedelta

    @property
    def window(self) -> Window:
        """From now, in whole seconds, to the end of the session."""
        start = self.at.replace(microsecond=0)
        return Window(start=start, end=start + self.lifetime)


def ceiling_for(member: Member, target: Target, details: str, offered: Offered) -> Ceiling:
    """The agent's standing ceiling at that resource, for that long, narrowed to what the client asked.

    Raises `InvalidTarget` if nothing is left, `InvalidAuthorizationDetails` if the client asks for more.
    """
    bounds = [member.ceiling or NOTHING]
    if member.blueprint:
        bounds.append(member.blueprint_ceiling or NOTHING)
    standing = meet_all(*bounds)
    rights = frozenset(right for right in standing.rights if _lies_at(right, target))
    if not rights:
        raise InvalidTarget("the agent may do nothing at that resource", reason="target_no_right")
    here = replace(standing, rights=rights)
    window = Window(
        start=max(here.window.start, offered.window.start), end=min(here.window.end, offered.window.end)
    )
    if window.start >= window.end:
        raise InvalidTarget("the agent's ceiling allows nothing at this time", reason="target_no_time")
    narrowed = rar.narrow(details, replace(here, window=window), at=target.resource)
    return replace(narrowed, purpose=PURPOSE) if narrowed.purpose == ANY_PURPOSE else narrowed


def only_server(member: Member) -> str:
    """The one server that the agent may do anything at, or an empty string if that is not one."""
    bounds = [member.ceiling or NOTHING]
    if member.blueprint:
        bounds.append(member.blueprint_ceiling or NOTHING)
    servers = {right.action.partition("/")[0] for right in meet_all(*bounds).rights}
    return servers.pop() if len(servers) == 1 else ""


def scopes_for(asked: frozenset[str], allowed: frozenset[Scope]) -> frozenset[str]:
    """The scopes that are offered: what was asked, or all that there are at that resource (RFC 6749 §3.3)."""
    if not allowed:
        raise InvalidTarget("this client has no business at that resource", reason="target_kind")
    return frozenset(str(scope) for scope in narrow(frozenset(Scope(name) for name in asked), allowed))


def sentences(ceiling: Ceiling) -> tuple[str, ...]:
    """What a ceiling allows, in the words of a consent page: every right, cap, time and purpose of it."""
    rights = sorted(ceiling.rights, key=lambda right: (right.action, sorted(right.resources)))
    return (
        *(f"Do {_right(right)}." for right in rights),
        *_caps(ceiling.caps),
        f"For the purpose `{ceiling.purpose}`, and no other.",
        _time(ceiling.window),
        "Hand none of this on to another agent."
        if ceiling.depth == 0
        else f"Hand parts of this on to other agents, {ceiling.depth} times deep at most.",
    )


def lines_before(
    tx: OAuthTransaction, user: UserId, registration: ClientRegistration, *, at: datetime
) -> frozenset[str]:
    """The sentences of what this person gives this client already: what is not among them is new to them."""
    tasks = [
        tx.tasks.get(family.task)
        for family in tx.families.live_of(user, registration.client_id, at)
        if family.task is not None
    ]
    return frozenset(line for task in tasks if task is not None for line in sentences(task.ceiling))


def _lies_at(right: Right, target: Target) -> bool:
    return not target.server or right.action.startswith(f"{target.server}/")


def _right(right: Right) -> str:
    named = right.resources
    where = (
        f"any {right.resource_type}"
        if named == "any"
        else f"{right.resource_type} {', '.join(sorted(named))}"
    )
    bounds = [_constraint(bound) for bound in right.constraints]
    return f"`{right.action}` on {where}" + (f", only with {' and '.join(bounds)}" if bounds else "")


def _constraint(bound: Constraint) -> str:
    name = bound.pointer.removeprefix("/")
    said = []
    if bound.one_of is not None:
        said.append(f"{name} one of {', '.join(sorted(bound.one_of))}")
    if bound.at_least is not None:
        said.append(f"{name} at least {bound.at_least}")
    if bound.at_most is not None:
        said.append(f"{name} at most {bound.at_most}")
    return " and ".join(said) or f"{name} present"


def _caps(caps: Caps) -> Sequence[str]:
    said = []
    if caps.calls is not None:
        said.append(f"At most {caps.calls} calls in all.")
    if caps.per_minute is not None:
        said.append(f"At most {caps.per_minute} calls a minute.")
    said += [f"Spend at most {_money(money)}." for money in caps.money]
    return [*said, *(line for limit in caps.limits for line in _limit(limit))]


def _limit(limit: Limit) -> Sequence[str]:
    what = f"minor units of {limit.currency}" if limit.currency else _UNITS[limit.of]
    span = " in all" if limit.per is Per.WHOLE else f" a{'n' if limit.per is Per.HOUR else ''} {limit.per}"
    said = [] if limit.most is None else [f"At most {limit.most} {what}{span}."]
    asks = limit.ask_above
    return said if asks is None else [*said, f"Ask you above {asks} {what}{span}."]


_UNITS: Final = {
    Dimension.CALLS: "calls",
    Dimension.ROWS: "rows",
    Dimension.RECIPIENTS: "recipients",
    Dimension.TOKENS: "tokens of models",
    Dimension.COMPUTE: "milliseconds of computing",
    Dimension.BYTES: "bytes",
}


def _money(money: Money) -> str:
    return f"{money.minor} minor units of {money.currency}"


def _time(window: Window) -> str:
    return f"From {_moment(window.start)} until {_moment(window.end)}, unless you end it before."


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
