"""Whom we believe: issuers that an administrator named, their keys as last seen, and the rules over both."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from remit.identity.federation.conditions import Condition
from remit.identity.federation.profiles import Profile, ProfileName, profile_of
from remit.kernel.ids import AgentId, PrincipalId, TenantId

IssuerId = NewType("IssuerId", str)
RuleId = NewType("RuleId", str)


class KeySource(StrEnum):
    """Where an issuer's keys come from; always the operator's choice, never an assertion's."""

    DISCOVERY = "discovery"
    """`<issuer>/.well-known/openid-configuration`, whose `issuer` must be the very same."""
    ADDRESS = "address"
    """A fixed address of a JWK Set or SPIFFE bundle."""
    PINNED = "pinned"
    """A set that the operator gave; nothing is fetched."""


class TrustState(StrEnum):
    """Whether an issuer or rule counts; what was withdrawn never comes back."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer that an administrator of one tenant trusts.

    `issuer` is compared with `iss` byte for byte; for SPIFFE it is the trust domain's own ID. `longest`
    bounds `exp - iat`. `repeatable`: an assertion may be shown again until it ends.
    """

    id: IssuerId
    tenant: TenantId
    name: str
    profile: ProfileName
    issuer: str
    audience: str
    source: KeySource
    address: str
    longest: timedelta
    repeatable: bool
    state: TrustState
    created_by: PrincipalId
    created_at: datetime
    withdrawn_at: datetime | None = None
    recipient: str = ""
    """SAML: our address that an assertion must be meant for, beside its audience."""

    @property
    def kind(self) -> Profile:
        """What its assertions look like."""
        return profile_of(self.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRule:
    """That workloads whose claims fulfil every condition are instances of one agent."""

    id: RuleId
    tenant: TenantId
    issuer: IssuerId
    agent: AgentId
    conditions: tuple[Condition, ...]
    state: TrustState
    created_by: PrincipalId
    created_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """One public key of an issuer: the algorithm is settled when it is read, never by a header."""

    kid: str
    algorithm: str
    jwk: str
    """Canonical JSON of the public members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """An issuer's keys as last seen, all of them: what is not in here is not believed.

    `authorities` are the X.509 roots of a SPIFFE bundle, or the certificates of a SAML issuer, DER in base64.
    `sequence` never goes back.
    """

    issuer: IssuerId
    keys: tuple[IssuerKey, ...]
    authorities: tuple[str, ...] = ()
    sequence: int | None = None
    seen_at: datetime
    refresh_at: datetime

    def named(self, kid: str) -> IssuerKey | None:
        """The key of that id."""
        return next((key for key in self.keys if key.kid == kid), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload that has proven itself: the instance that it is, and until when.

    `subject` names the workload within its issuer; `key` is the thumbprint that its tokens are bound to.
    """

    instance: PrincipalId
    tenant: TenantId
    issuer: IssuerId
    rule: RuleId
    subject: str
    key: str
    ends_at: datetime
    created_at: datetime
