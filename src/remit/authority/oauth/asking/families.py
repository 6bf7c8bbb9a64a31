"""Families: all tokens that come of one answer of one person, and the refresh tokens that renew them.

A refresh token is used once and gives the next (RFC 9700 §4.14.2). When a used one comes again, either its
client's answer was lost on the way, or somebody stole it. It is taken for a lost answer only if the client
proves itself again by the same means, the token is the very last that was used, its successor was never
shown, and little time has passed: then the *same* successor is given, so that there never are two leaves.
Anything else is theft, and ends the family.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from remit.authority.oauth.clients.registration import SessionLimits
from remit.authority.oidc.disclosure import NOTHING, Disclosure
from remit.kernel.canonical import Digest
from remit.kernel.ids import PrincipalId, SessionId, TaskId, TenantId, UserId

FamilyId = NewType("FamilyId", str)

RACE: Final = timedelta(seconds=10)
"""How long after its use a token may come again as the repetition of an answer that was lost."""


CONCURRENCY: Final = "concurrency"
"""Why a family ended that made room for a newer one."""


class FamilyState(StrEnum):
    """Whether anything of a family still counts."""

    LIVE = "live"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What one answer gave: to whom, for whom, for what, until when.

    `key` is the thumbprint that a public client's refresh tokens are bound to (RFC 9449 §5); empty for a
    client that authenticates, whose tokens are bound to that (RFC 6749 §6). `number` counts refreshes.
    """

    id: FamilyId
    tenant: TenantId
    client_id: str
    principal: PrincipalId
    user: UserId
    session: SessionId
    task: TaskId | None
    resource: str
    scopes: frozenset[str]
    key: str
    acr: str
    amr: tuple[str, ...]
    signed_in_at: datetime
    started_at: datetime
    used_at: datetime
    ends_at: datetime
    idle: timedelta
    refresh_count: int
    number: int = 0
    state: FamilyState = FamilyState.LIVE
    cause: str = ""
    """Why it ended."""
    registration: Digest = ""
    """The client as the person saw it who said yes."""
    marks: tuple[str, ...] = ()
    """What the provider that the person came by vouched for when they signed in."""
    disclosure: Disclosure = NOTHING
    """What the client learns of the person, as long as it lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """One refresh token, by digest; `successor` is the digest of the one that its use gave."""

    id: Digest
    tenant: TenantId
    family: FamilyId
    number: int
    issued_at: datetime
    used_at: datetime | None = None
    successor: Digest = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presenter:
    """Who shows a refresh token, and how they proved to be its client."""

    client_id: str
    authenticated: bool
    """Whether the client proved itself by a key of its own, and not merely said its name."""
    key: str
    """Thumbprint of the key that the request proved, or empty."""


class Verdict(StrEnum):
    """What a refresh token that was shown is worth."""

    ROTATE = "rotate"
    REPEAT = "repeat"
    THEFT = "theft"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and, where nothing is given, a stable reason for the record."""

    verdict: Verdict
    reason: str = ""


def judge(
    token: RefreshToken,
    family: Family,
    successor: RefreshToken | None,
    presenter: Presenter,
    *,
    at: datetime,
    race: timedelta = RACE,
) -> Judgement:
    """Decide, in this order: whose is it, does the family live, was it used, and if so why again.

    Whoever can't prove to be its client ends nothing: a token that leaked is no use to them, and must not
    be one against its owner either. `successor` is the token that `token.successor` names.
    """
    reason = _not_theirs(family, presenter) or _over(family, at)
    if reason:
        return Judgement(verdict=Verdict.REFUSE, reason=reason)
    if token.used_at is None:
        if family.number >= family.refresh_count:
            return Judgement(verdict=Verdict.REFUSE, reason="refresh_count")
        return Judgement(verdict=Verdict.ROTATE)
    if _lost_answer(token, successor, presenter, at=at, race=race):
        return Judgement(verdict=Verdict.REPEAT)
    return Judgement(verdict=Verdict.THEFT, reason="refresh_reused")


def within(family: Family, limits: SessionLimits) -> Family:
    """The family as its client's limits are now: what was made narrower counts from then on."""
    return replace(
        family,
        ends_at=min(family.ends_at, family.started_at + limits.lifetime),
        idle=min(family.idle, limits.idle),
        refresh_count=min(family.refresh_count, limits.refresh_count),
    )


def why_over(family: Family, *, at: datetime) -> str:
    """A stable reason why nothing comes of a family any more, or an empty string."""
    return _over(family, at)


def _not_theirs(family: Family, presenter: Presenter) -> str:
    if presenter.client_id != family.client_id:
        return "refresh_other_client"
    if family.key and presenter.key != family.key:
        return "refresh_other_key"
    return ""


def _over(family: Family, at: datetime) -> str:
    if family.state is not FamilyState.LIVE:
        return "family_crowded_out" if family.cause == CONCURRENCY else "family_ended"
    if at >= family.ends_at:
        return "family_expired"
    return "family_idle" if at >= family.used_at + family.idle else ""


def _lost_answer(
    token: RefreshToken,
    successor: RefreshToken | None,
    presenter: Presenter,
    *,
    at: datetime,
    race: timedelta,
) -> bool:
    """Whether a used token comes again because its answer was lost, as far as anybody can tell."""
    proven = presenter.authenticated or bool(presenter.key)
    return (
        proven
        and token.used_at is not None
        and successor is not None
        and successor.used_at is None
        and timedelta(0) <= at - token.used_at <= race
    )
