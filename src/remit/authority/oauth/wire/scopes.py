"""Scopes: coarse doors; what may be done behind a door is `authorization_details` (RFC 6749 §3.3)."""

from enum import StrEnum
from typing import Final

from remit.authority.envelope import WHOLE_TASK
from remit.authority.oauth.wire.errors import InvalidScope
from remit.authority.oidc import disclosure

COUNT_LIMIT: Final = 64


class Scope(StrEnum):
    """The closed set of scopes.

    The first five are people's, given by role; `ACT` is an agent's at the API (its own tasks, hops,
    capabilities, approvals), `DECIDE` that of a workload which enforces by itself and asks for others
    (AuthZEN), `RELATIONS` and `RELATIONS_WRITE` those of one that asks for, or keeps, relations (OpenFGA),
    `MCP` anyone's at the gateway. The last four say what a client learns of a
    person (OpenID Connect Core §5.4) and open nothing but that.
    """

    READ = "remit.read"
    WRITE = "remit.write"
    APPROVE = "remit.approve"
    KILL = "remit.kill"
    ADMIN = "remit.admin"
    ACT = "remit.act"
    DECIDE = "remit.decide"
    RELATIONS = "remit.relations"
    RELATIONS_WRITE = "remit.relations.write"
    MCP = "mcp"
    OPENID = disclosure.OPENID
    PROFILE = disclosure.PROFILE
    EMAIL = disclosure.EMAIL
    GROUPS = disclosure.GROUPS


_WHOLE: Final = frozenset({Scope.READ, Scope.WRITE, Scope.APPROVE, Scope.KILL, Scope.ADMIN})
BY_ROLE: Final[dict[str, frozenset[Scope]]] = {
    "reader": frozenset({Scope.READ}),
    "approver": frozenset({Scope.READ, Scope.APPROVE}),
    "approver-only": frozenset({Scope.READ, Scope.APPROVE}),
    "audit-only": frozenset({Scope.READ}),
    "developer": frozenset({Scope.READ}),
    "operator": _WHOLE,
    "security": _WHOLE,
    "admin": _WHOLE,
}
"""What each role of a human earns; unknown roles earn nothing.

A scope opens a door; what may be done behind it the administrative policy says (`decision.administration`).
"""

OF_EVERY_PERSON: Final = frozenset({Scope.WRITE, Scope.READ})
"""What a person without any role has: own tasks, own grants, own agents; whose they are is checked there."""

AGENT_AT_API: Final = frozenset({Scope.ACT})
PEP: Final = "pep"
"""Role of a workload: it asks for decisions about others."""
BY_ROLE_OF_WORKLOAD: Final[dict[str, frozenset[Scope]]] = {
    PEP: frozenset({Scope.DECIDE}),
    "relations": frozenset({Scope.RELATIONS, Scope.RELATIONS_WRITE}),
    "relations-reader": frozenset({Scope.RELATIONS}),
}
"""What each role of a workload earns at the API; unknown roles earn nothing."""
AT_MCP: Final = frozenset({Scope.MCP})
AT_USERINFO: Final = frozenset({Scope.OPENID, Scope.PROFILE, Scope.EMAIL, Scope.GROUPS})
"""What an application may have; a task's tokens never carry one of these."""

_KNOWN: Final = frozenset(str(scope) for scope in Scope)

TASK: Final = WHOLE_TASK
"""What the root of an envelope says for "all that a task's tokens may have"."""
OF_TASKS: Final = AGENT_AT_API | AT_MCP


def parse_scope(text: str) -> frozenset[Scope]:
    """Read a space-separated list; empty means that none was asked.

    Beside `openid` a name that is not ours is left out (Core §3.1.2.1), `offline_access` among them: what
    renews a token here lives as its registration says. Else it raises `InvalidScope`; as for over 64 names.
    """
    names = text.split(" ") if text else []
    if Scope.OPENID in names:
        names = [name for name in names if name in _KNOWN]
    if len(names) > COUNT_LIMIT:
        raise InvalidScope(
            f"{len(names)} scopes were asked, the limit is {COUNT_LIMIT}", reason="scope_too_many"
        )
    try:
        return frozenset(Scope(name) for name in names)
    except ValueError as unknown:
        raise InvalidScope("a scope is unknown here", reason="scope_unknown") from unknown


def scopes_of_roles(roles: str) -> frozenset[Scope]:
    """What the space-separated roles of a human earn together."""
    return OF_EVERY_PERSON.union(*(BY_ROLE.get(role, frozenset()) for role in roles.split()))


def scopes_of_workload(roles: str) -> frozenset[Scope]:
    """What a workload's own token may have at the API."""
    return AGENT_AT_API.union(*(BY_ROLE_OF_WORKLOAD.get(role, frozenset()) for role in roles.split()))


def scopes_of_envelope(text: str) -> frozenset[Scope]:
    """What an envelope's root gives at most: of its names, those that a task's tokens may have at all."""
    names = frozenset(text.split())
    return OF_TASKS if TASK in names else frozenset(scope for scope in OF_TASKS if scope in names)


def narrow(asked: frozenset[Scope], allowed: frozenset[Scope]) -> frozenset[Scope]:
    """What is granted: everything allowed if nothing was asked, else exactly what was asked.

    INVARIANT: the result is a subset of `allowed`. Raises `InvalidScope` rather than granting less than
    was asked in silence.
    """
    if not allowed:
        raise InvalidScope("no scope can be had here", reason="scope_none")
    if not asked <= allowed:
        beyond = " ".join(sorted(asked - allowed))
        raise InvalidScope(f"scope `{beyond}` is more than what was shown allows", reason="scope_widened")
    return asked or allowed


def render(scopes: frozenset[str]) -> str:
    """Space-separated, sorted, so that equal sets are equal text."""
    return " ".join(sorted(scopes))
