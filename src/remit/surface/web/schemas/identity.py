"""The directory as the API shows it."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec

from remit.identity.blueprints import Drift
from remit.identity.credential_service import Survey
from remit.identity.credentials import Credential, CredentialState
from remit.identity.lifecycle import State
from remit.identity.ownership import Ownership
from remit.identity.principals import Environment, Kind, Principal, Tier
from remit.surface.web.paging import PageQuery
from remit.surface.web.schemas.words import Email, Ident, Instant, Line

Labels = Annotated[list[Ident], msgspec.Meta(max_length=32)]
Attributes = Annotated[
    dict[Ident, Annotated[str, msgspec.Meta(max_length=1024)]], msgspec.Meta(max_length=64)
]
Purpose = Annotated[str, msgspec.Meta(max_length=1024)]


class PrincipalQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries."""

    state: State | None = None
    owner: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[A-Za-z0-9._:@-]*$")] = ""
    environment: Environment | None = None


class NewPrincipal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry as its registrar states it; what is left out comes from the blueprint or the caller."""

    name: Ident
    owner: Ident | None = None
    """Id or name of a person; absent means the caller."""
    purpose: Purpose = ""
    environment: Environment | None = None
    blueprint: Ident | None = None
    email: Email | None = None
    deputy: Ident | None = None
    person: Ident | None = None
    segments: Labels | None = None
    attributes: Attributes = {}


class PrincipalChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    name: Ident | None = None
    owner: Ident | None = None
    purpose: Purpose | None = None
    deputy: Ident | None = None
    segments: Labels | None = None
    attributes: Attributes | None = None


class Because(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why; it goes on record."""

    reason: Line


class PrincipalView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry."""

    id: str
    kind: Kind
    tier: Tier
    name: str
    state: State
    owner: str | None = None
    purpose: str = ""
    environment: Environment | None = None
    parent: str | None = None
    blueprint: str | None = None
    email: str | None = None
    deputy: str | None = None
    person: str | None = None
    segments: list[str] = []
    attributes: dict[str, str] = {}
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, entry: Principal) -> Self:
        """From the domain."""
        return cls(
            id=entry.id,
            kind=entry.kind,
            tier=entry.tier,
            name=entry.name,
            state=entry.state,
            owner=entry.owner,
            purpose=entry.purpose,
            environment=entry.environment,
            parent=entry.parent,
            blueprint=entry.blueprint,
            email=entry.email,
            deputy=entry.deputy,
            person=entry.person,
            segments=sorted(entry.segments),
            attributes=dict(entry.attributes),
            created_at=entry.created_at,
            changed_at=entry.changed_at,
        )


class OwnershipView(msgspec.Struct, frozen=True, kw_only=True):
    """The chain of owners and the person at its end."""

    human: str
    chain: list[str]
    by_deputy: bool

    @classmethod
    def of(cls, found: Ownership) -> Self:
        """From the domain."""
        return cls(human=found.human.id, chain=list(found.chain), by_deputy=found.by_deputy)


class DriftView(msgspec.Struct, frozen=True, kw_only=True):
    """Where an agent differs from its blueprint."""

    field: str
    blueprint: str
    agent: str

    @classmethod
    def of(cls, found: Drift) -> Self:
        """From the domain."""
        return cls(field=found.field, blueprint=found.blueprint, agent=found.agent)


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key (RFC 7517); a private member is refused."""

    jwk: dict[str, Any]
    not_after: Instant | None = None


class NewInstance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A running copy of an agent with a key of its own; one made for a task ends with it."""

    jwk: dict[str, Any]
    task: Ident | None = None
    attributes: Attributes = {}


class KeyView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A registered public key."""

    id: str
    principal: str
    algorithm: str
    thumbprint: str
    state: CredentialState
    created_at: datetime
    not_after: datetime | None = None

    @classmethod
    def of(cls, key: Credential) -> Self:
        """From the domain."""
        return cls(
            id=key.id,
            principal=key.principal,
            algorithm=key.algorithm,
            thumbprint=key.thumbprint,
            state=key.state,
            created_at=key.created_at,
            not_after=key.not_after,
        )


class InstanceView(msgspec.Struct, frozen=True, kw_only=True):
    """A new instance: its entry, its key, its SPIFFE ID."""

    instance: PrincipalView
    key: KeyView
    spiffe_id: str


class KeyholderView(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that still has a key without an end."""

    id: str
    name: str
    owner: str


class SecretlessView(msgspec.Struct, frozen=True, kw_only=True):
    """How many active agents need no secret."""

    agents: int
    secretless: int
    share: float
    """Of all active agents, from 0 to 1; 1 where there is none."""
    lasting: list[KeyholderView]

    @classmethod
    def of(cls, found: Survey) -> Self:
        """From the domain."""
        return cls(
            agents=found.agents,
            secretless=found.secretless,
            share=round(found.secretless / found.agents, 4) if found.agents else 1.0,
            lasting=[
                KeyholderView(id=each.id, name=each.name, owner=each.owner or "") for each in found.lasting
            ],
        )
