"""Trust across domains as the API shows it."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec

from remit.authority.domains.trust import Direction, DomainPerson, DomainRule, TrustedDomain
from remit.authority.oauth.domains.service import ShownDomain
from remit.identity.federation.trust import TrustState
from remit.surface.web.schemas.rights import CeilingBody, ceiling_view
from remit.surface.web.schemas.words import Ident, Line, Name

Address = Annotated[str, msgspec.Meta(max_length=2048)]
ScopeName = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[!#-\[\]-~]+$")]
Scopes = Annotated[list[ScopeName], msgspec.Meta(max_length=64)]
Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Foreign = Annotated[str, msgspec.Meta(max_length=255)]


class NewDomain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A domain to trust; inbound it has keys at an address, or pinned ones."""

    name: Name
    issuer: Address
    direction: Direction
    address: Address = ""
    keys: dict[str, Any] | None = None
    scopes: Scopes = []
    ceiling: CeilingBody | None = None
    bound: bool = False


class NewDomainRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may use which client of ours across the border, up to what, and why."""

    who: Line
    client: Address
    text: Line
    there: Foreign = ""
    scopes: Scopes = []
    ceiling: CeilingBody | None = None


class NewDomainPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who a subject of that domain is here; `tenant` is theirs, where their issuer serves several."""

    subject: Subject
    user: Ident
    tenant: Foreign = ""


class UnlinkedPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subject that is nobody here any more."""

    subject: Subject
    tenant: Foreign = ""


class DomainView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One domain, in one direction."""

    id: str
    name: str
    issuer: str
    direction: Direction
    state: TrustState
    keys_from: str = ""
    scopes: list[str] = []
    ceiling: CeilingBody | None = None
    bound: bool = False
    created_by: str
    created_at: datetime
    withdrawn_at: datetime | None = None

    @classmethod
    def of(cls, domain: TrustedDomain) -> Self:
        """From the domain."""
        return cls(
            id=domain.id,
            name=domain.name,
            issuer=domain.issuer,
            direction=domain.direction,
            state=domain.state,
            keys_from="" if domain.direction is Direction.OUTBOUND else domain.address or domain.source,
            scopes=sorted(domain.scopes),
            ceiling=None if domain.ceiling is None else ceiling_view(domain.ceiling),
            bound=domain.bound,
            created_by=domain.created_by,
            created_at=domain.created_at,
            withdrawn_at=domain.withdrawn_at,
        )


class DomainRuleView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule."""

    id: str
    domain: str
    who: str
    client: str
    text: str
    there: str = ""
    scopes: list[str] = []
    ceiling: CeilingBody | None = None
    state: TrustState
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, rule: DomainRule) -> Self:
        """From the domain."""
        return cls(
            id=rule.id,
            domain=rule.domain,
            who=rule.who,
            client=rule.client,
            text=rule.text,
            there=rule.there,
            scopes=sorted(rule.scopes),
            ceiling=None if rule.ceiling is None else ceiling_view(rule.ceiling),
            state=rule.state,
            created_by=rule.created_by,
            created_at=rule.created_at,
        )


class DomainPersonView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One link of a subject to a person."""

    subject: str
    tenant: str = ""
    user: str
    linked_by: str
    linked_at: datetime

    @classmethod
    def of(cls, person: DomainPerson) -> Self:
        """From the domain."""
        return cls(
            subject=person.subject,
            tenant=person.theirs,
            user=person.user,
            linked_by=person.linked_by,
            linked_at=person.linked_at,
        )


class ShownDomainView(msgspec.Struct, frozen=True, kw_only=True):
    """One domain with its rules in force and its people."""

    domain: DomainView
    rules: list[DomainRuleView]
    people: list[DomainPersonView]

    @classmethod
    def of(cls, shown: ShownDomain) -> Self:
        """From the service."""
        return cls(
            domain=DomainView.of(shown.domain),
            rules=[DomainRuleView.of(each) for each in shown.rules],
            people=[DomainPersonView.of(each) for each in shown.people],
        )
