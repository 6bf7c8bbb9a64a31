"""One version of the administrative policy, compiled: who may do what, and which rule says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cedarpy import pst

from remit.decision.administration.actions import NAMESPACE, AdminAction, entity_of, type_of
from remit.decision.administration.schema import PRINCIPAL, ROLE, WHOLE
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.compile import Env
from remit.decision.policy.evaluate import Answer, settle
from remit.decision.policy.extensions import ip
from remit.decision.policy.given import Supposed
from remit.decision.policy.tree import walk
from remit.decision.policy.values import Entity, EvaluationFailed, Moment, Uid, Value
from remit.kernel.ids import PrincipalId, TenantId

_USER: Final = f"{NAMESPACE}::{PRINCIPAL}"
_ROLE: Final = f"{NAMESPACE}::{ROLE}"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MANY: Final = 4096


class Channel(StrEnum):
    """How a person calls."""

    SESSION = "session"
    """From our own pages, signed in."""
    TOKEN = "token"  # noqa: S105 — a channel's name
    """With an access token, bound to a key of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A person who wants to administer: who, in which roles, and how that is known."""

    tenant: TenantId
    ident: PrincipalId
    name: str
    roles: frozenset[str]
    channel: Channel
    acr: str = ""
    signed_in_at: datetime | None = None
    network: str = ""
    """The address that the call came from, where it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminAnswer:
    """May they: and the rules that say so, or the one that keeps them from it."""

    allowed: bool
    rules: tuple[str, ...]
    failed: tuple[str, ...] = ()

    def because(self, action: AdminAction) -> str:
        """Why not, in a sentence's second half."""
        if self.failed:
            return f"rule `{self.failed[0]}` can't be evaluated, and that denies `{action.name}`"
        if self.rules:
            return f"rule `{self.rules[0]}` forbids `{action.name}`"
        return f"no rule permits `{action.name}`"


class AdminPolicy:
    """A compiled version. INVARIANT: an action that no rule speaks of is denied, and so is any error."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @property
    def number(self) -> int:
        """Which version; 0 is what is shipped."""
        return self.bundle.version.number

    @property
    def roles(self) -> Mapping[str, tuple[str, ...]]:
        """Every role that some rule names, with the ids of those rules."""
        found: dict[str, list[str]] = {}
        for place, node in self.bundle.nodes.items():
            for role in sorted(_roles_in(node)):
                found.setdefault(role, []).append(self.bundle.rules[place].id)
        return {role: tuple(rules) for role, rules in sorted(found.items())}

    def judge(
        self, who: Standing, action: AdminAction, *, own: bool, at: datetime, resource: str = ""
    ) -> AdminAnswer:
        """Whether they may do it: to what is their own, or to whatever there is.

        `resource` is the id or name of the thing, empty where it is about no single one.
        """
        program = self.bundle.program
        if program is None:
            return AdminAnswer(allowed=False, rules=())
        found: Answer = settle(_env(who, action, own=own, at=at, resource=resource), program)
        return AdminAnswer(
            allowed=found.allowed, rules=tuple(rule.id for rule in found.rules), failed=found.failed
        )


def _env(who: Standing, action: AdminAction, *, own: bool, at: datetime, resource: str) -> Env:
    person, deed = _person(who.ident, who.name, who.roles), entity_of(action)
    kind, ident = (type_of(action.noun), resource) if resource else (WHOLE, who.tenant)
    thing = Uid(f"{NAMESPACE}::{kind}", ident)
    return Env(
        person.uid,
        deed.uid,
        thing,
        Supposed(_context(who, own=own, at=at)),
        {person.uid: person, deed.uid: deed},
    )


@lru_cache(maxsize=_MANY)
def _person(ident: PrincipalId, name: str, roles: frozenset[str]) -> Entity:
    """The person as policies meet them; the same object while nothing of it changes."""
    return Entity(
        uid=Uid(_USER, ident),
        attributes={"id": str(ident), "name": name},
        ancestors=frozenset(Uid(_ROLE, role) for role in roles),
    )


def _context(who: Standing, *, own: bool, at: datetime) -> dict[str, Value]:
    found: dict[str, Value] = {
        "own": own,
        "channel": who.channel.value,
        "time": Moment((at - _EPOCH) // timedelta(milliseconds=1)),
    }
    if who.acr:
        found["acr"] = who.acr
    if who.signed_in_at is not None:
        found["auth_age"] = max(0, (at - who.signed_in_at) // timedelta(seconds=1))
    if who.network:
        try:
            found["network"] = ip(who.network)
        except EvaluationFailed:
            return found
    return found


def _roles_in(node: pst.Template) -> set[str]:
    """Roles that a rule names, in its scope or in its conditions."""
    named = [part.value for part in walk(node.clauses) if isinstance(part, pst.EntityLit)]
    limit = node.principal
    if isinstance(limit, pst.ScopeIn | pst.ScopeIsIn) and isinstance(limit.entity, pst.EntityUid):
        named.append(limit.entity)
    return {each.id for each in named if str(each.type) == _ROLE}
