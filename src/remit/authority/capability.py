"""A capability: one action on one resource with exactly these bytes, once, for at most 90 seconds (R40).

Pure: claims, minting, offline verification and the match with a call. That it is used once is the
store's single conditional statement (`repository.Capabilities.consume`), not anything here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, cast

from remit.authority.errors import CapabilityRejected
from remit.authority.lifetimes import CAPABILITY_CEILING
from remit.kernel.building import builder
from remit.kernel.canonical import Digest, Json
from remit.kernel.ids import CallId, CapabilityId, DecisionId, Entropy, InstanceId, TaskId, TenantId, mint_id
from remit.kernel.jose import jwt
from remit.kernel.jose.claims import Claims
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyLookup, Signer
from remit.kernel.jose.profiles import TokenType

_ONCE: Final = 1
_TEXTS_ALONE: Final = {str}
_UNBOUND: Final[Json] = {"jkt": ""}


class CapabilityState(StrEnum):
    """A capability is used at most once; `UNKNOWN` says that its call began and nobody saw its end.

    `STOPPED` ended with its task before its use. `UNUSED` is over: what its decision reserved is given back.
    """

    LIVE = "live"
    STOPPED = "stopped"
    UNUSED = "unused"
    CONSUMED = "consumed"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What one capability allows. Digests are SHA-256 in hex; `key` is the holder's thumbprint (RFC 7638).

    `audience` is the resource URL of the server; `envelope` and `task` are empty for a call without task.
    """

    id: CapabilityId
    tenant: TenantId
    issuer: str
    audience: str
    subject: str
    """SPIFFE ID of the instance that may use it."""
    instance: InstanceId
    action: str
    resource_type: str
    resource: str
    arguments: Digest
    tool: Digest
    decision: DecisionId
    task: TaskId | None
    envelope: Digest | None
    key: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A capability and its signed form; the token goes to whoever may use it and is never stored."""

    capability: Capability
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a decision permitted, as it becomes a capability."""

    tenant: TenantId
    audience: str
    subject: str
    instance: InstanceId
    action: str
    resource_type: str
    resource: str
    arguments: Digest
    tool: Digest
    decision: DecisionId
    task: TaskId | None
    envelope: Digest | None
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One attempt to use a capability: what will be forwarded, by digest, and by whom."""

    capability: CapabilityId
    tenant: TenantId
    call: CallId
    audience: str
    instance: InstanceId
    action: str
    resource_type: str
    resource: str
    arguments: Digest
    tool: Digest
    task: TaskId | None
    key: str


_capability = builder(Capability)
_minted = builder(Minted)


def mint(
    order: Order, *, issuer: str, signer: Signer, lifetime: timedelta, at: datetime, entropy: Entropy
) -> Minted:
    """Sign a capability; the longest life wins over a longer setting (90 s)."""
    span = _span_of(int(at.timestamp()), lifetime)
    capability = _capability(
        id=CapabilityId(mint_id("cap", at=at, entropy=entropy)),
        tenant=order.tenant,
        issuer=issuer,
        audience=order.audience,
        subject=order.subject,
        instance=order.instance,
        action=order.action,
        resource_type=order.resource_type,
        resource=order.resource,
        arguments=order.arguments,
        tool=order.tool,
        decision=order.decision,
        task=order.task,
        envelope=order.envelope,
        key=order.key,
        issued_at=span.issued_at,
        expires_at=span.expires_at,
    )
    token = jwt.issue(_claims(capability, span), as_type=TokenType.CAPABILITY, signer=signer)
    return _minted(capability=capability, token=token)


def verify_capability(token: str, *, keys: KeyLookup, audience: str, at: datetime) -> Capability:
    """Verify a capability offline, as an upstream server does before it acts.

    1 the token: our key, type, signature, audience, time   2 its members are well formed
    3 it is for one use and lives at most 90 s. The caller MUST still match it with the call (`require`),
    and only `Capabilities.consume` makes it single. Raises `CapabilityRejected` with the step.
    """
    try:
        verified = jwt.verify(token, as_type=TokenType.CAPABILITY, keys=keys, at=at, audience=audience)
    except TokenRejected as rejected:
        raise CapabilityRejected(1, rejected.reason) from rejected
    try:
        found = _read(verified.claims, verified.record.tenant)
    except (KeyError, TypeError) as broken:
        raise CapabilityRejected(2, "malformed") from broken
    uses = verified.claims.members.get("use")
    # `True == 1` in Python: a boolean is no count.
    if isinstance(uses, bool) or uses != _ONCE or found.expires_at - found.issued_at > CAPABILITY_CEILING:
        raise CapabilityRejected(3, "not_single_use")
    return found


def require(capability: Capability, use: Use) -> None:
    """Match a verified capability with a call, everything byte for byte.

    4 the same id, tenant and server   5 the same holder and task   6 the same action and resource
    7 the same arguments   8 the same tool definition   9 the key that it is bound to.
    Raises `CapabilityRejected` with the step.
    """
    checks = (
        (4, "other_capability", capability.id, use.capability),
        (4, "other_tenant", capability.tenant, use.tenant),
        (4, "other_audience", capability.audience, use.audience),
        (5, "other_instance", capability.instance, use.instance),
        (5, "other_task", capability.task, use.task),
        (6, "other_action", capability.action, use.action),
        (6, "other_resource", capability.resource_type, use.resource_type),
        (6, "other_resource", capability.resource, use.resource),
        (7, "other_arguments", capability.arguments, use.arguments),
        (8, "other_tool", capability.tool, use.tool),
        (9, "other_key", capability.key, use.key),
    )
    for step, reason, held, used in checks:
        if held != used:
            raise CapabilityRejected(step, reason)


class _Span(NamedTuple):
    """From when to when, as moments and as NumericDate."""

    issued_at: datetime
    expires_at: datetime
    iat: int
    exp: int


@lru_cache(maxsize=64)
def _span_of(seconds: int, lifetime: timedelta) -> _Span:
    """Pure; all that is minted in one second shares it."""
    issued_at = datetime.fromtimestamp(seconds, UTC)
    expires_at = issued_at + min(lifetime, CAPABILITY_CEILING)
    return _Span(issued_at, expires_at, seconds, int(expires_at.timestamp()))


def _claims(capability: Capability, span: _Span) -> dict[str, Json]:
    claims: dict[str, Json] = {
        "jti": capability.id,
        "iss": capability.issuer,
        "aud": capability.audience,
        "sub": capability.subject,
        "client_id": capability.instance,
        "action": capability.action,
        "resource": {"type": capability.resource_type, "id": capability.resource},
        "args_sha256": capability.arguments,
        "tool_sha256": capability.tool,
        "decision": capability.decision,
        "iat": span.iat,
        "exp": span.exp,
        "use": _ONCE,
    }
    if capability.task is not None:
        claims["txn"] = capability.task
    if capability.envelope is not None:
        claims["env"] = capability.envelope
    if capability.key:
        claims["cnf"] = {"jkt": capability.key}
    return claims


def _read(claims: Claims, tenant: TenantId) -> Capability:
    members = claims.members
    resource, bound = members["resource"], members.get("cnf", _UNBOUND)
    if not isinstance(resource, dict) or not isinstance(bound, dict) or claims.issued_at is None:
        raise TypeError("resource")
    task, envelope = members.get("txn"), members.get("env")
    texts = (
        *(members["client_id"], members["action"], resource["type"], resource["id"], members["args_sha256"]),
        *(members["tool_sha256"], members["decision"], bound["jkt"]),
        *("" if task is None else task, "" if envelope is None else envelope),
    )
    if {*map(type, texts)} != _TEXTS_ALONE:
        raise TypeError("text")
    instance, action, kind, ident, arguments, tool, decision, key, _, _ = cast("tuple[str, ...]", texts)
    return _capability(
        id=CapabilityId(claims.jti),
        tenant=tenant,
        issuer=claims.issuer,
        audience=claims.audience,
        subject=claims.subject,
        instance=InstanceId(instance),
        action=action,
        resource_type=kind,
        resource=ident,
        arguments=arguments,
        tool=tool,
        decision=DecisionId(decision),
        task=cast("TaskId | None", task),
        envelope=cast("Digest | None", envelope),
        key=key,
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
    )
