"""A grant between domains: what it says, written and read (RFC 7523 §3; identity chaining; ID-JAG §16).

Two kinds, told apart by `typ` alone: one carries a task from domain to domain, the other an enterprise's word
that a person may use a client there. Reading believes nothing that the signature does not cover.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.authority.oauth.metadata import GRANT_JWT_BEARER
from remit.authority.oauth.wire.actors import told
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.oauth.wire.rar import TYPE as REMIT_ACTION
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.jose import jws
from remit.kernel.jose.errors import TokenRejected

ID_JAG: Final = "oauth-id-jag+jwt"
CHAINED: Final = "JWT"
SCOPES_LIMIT: Final = 64
RESOURCES_LIMIT: Final = 16


class UnreadableGrant(ValueError):
    """A signed grant holds a claim that is not of the form that its standard gives it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainGrant:
    """What a grant says besides `iss`, `aud` and its times, which were judged before.

    `before` is who acted already, as canonical JSON of `act`. `details` are authorization details of our
    own type; those of another type are the business of whoever knows them. `key` is the thumbprint that it is
    bound to.
    """

    id: str
    subject: str
    client: str
    theirs: str = ""
    here: str = ""
    """`aud_sub`: who the person is over here, by the issuer's own word; it can only agree."""
    tenant_here: str = ""
    resources: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    details: Json = None
    before: str = ""
    key: str = ""
    transaction: str = ""


def read(members: JsonObject, *, issuer: str) -> DomainGrant:
    """Read the claims of a grant whose signature holds. Raises `UnreadableGrant`."""
    scope = members.get("scope")
    return DomainGrant(
        id=_text(members, "jti"),
        subject=_text(members, "sub"),
        client=_text(members, "client_id", optional=True),
        theirs=_text(members, "tenant", optional=True),
        here=_text(members, "aud_sub", optional=True),
        tenant_here=_text(members, "aud_tenant", optional=True),
        resources=_resources(members.get("resource")),
        scopes=None if scope is None else _scopes(scope),
        details=_details(members.get("authorization_details")),
        before=_before(members.get("act"), issuer),
        key=_key(members.get("cnf")),
        transaction=_text(members, "txn", optional=True),
    )


def is_one(parameters: Parameters) -> bool:
    """Whether an assertion is a client's grant and not a workload's proof.

    Whoever brings a grant of another domain proves itself beside it; a workload has its assertion and
    nothing else. One that calls itself an ID-JAG is never a workload's.
    """
    if parameters.get("grant_type") != GRANT_JWT_BEARER:
        return False
    return bool(parameters.get("client_assertion")) or type_of(parameters.get("assertion")) == ID_JAG


def type_of(text: str) -> str:
    """What a token calls itself, unverified; empty for what is none."""
    try:
        return jws.read_header(jws.take_apart(text).protected).typ
    except TokenRejected:
        return ""


def seconds(moment: datetime) -> int:
    """A time as claims have it."""
    return int(moment.timestamp())


def _text(members: JsonObject, name: str, *, optional: bool = False) -> str:
    value = members.get(name, "" if optional else None)
    if not isinstance(value, str) or not value.isprintable() or not (value or optional):
        raise UnreadableGrant(f"{name}_malformed")
    return value


def _resources(value: Json) -> tuple[str, ...]:
    if value is None:
        return ()
    found = value if isinstance(value, list) else [value]
    if not 0 < len(found) <= RESOURCES_LIMIT or not all(isinstance(each, str) and each for each in found):
        raise UnreadableGrant("resource_malformed")
    return tuple(str(each) for each in found)


def _scopes(value: Json) -> tuple[str, ...]:
    names = value.split(" ") if isinstance(value, str) else []
    if not names or not all(names) or len(names) > SCOPES_LIMIT:
        raise UnreadableGrant("scope_malformed")
    return tuple(names)


def _details(value: Json) -> Json:
    """Ours alone. An empty list, or one of other types, is not the same as none: it allows nothing."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise UnreadableGrant("details_malformed")
    return [each for each in value if isinstance(each, dict) and each.get("type") == REMIT_ACTION]


def _before(act: Json, issuer: str) -> str:
    try:
        return told(act, issuer=issuer)
    except ValueError as odd:
        raise UnreadableGrant("act_malformed") from odd


def _key(confirmation: Json) -> str:
    """A `cnf` that we can't read is never read as "not bound"."""
    if confirmation is None:
        return ""
    if not isinstance(confirmation, dict) or not isinstance(confirmation.get("jkt"), str):
        raise UnreadableGrant("cnf_unknown")
    return str(confirmation["jkt"])
