"""Trust as the API shows it."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec

from remit.identity.federation.assertion import Form
from remit.identity.federation.claims import Claim, Need
from remit.identity.federation.profiles import Profile, ProfileName, profile_of
from remit.identity.federation.service import Tried
from remit.identity.federation.trust import KeySet, KeySource, TrustedIssuer, TrustRule, TrustState
from remit.surface.web.schemas.words import Ident

Address = Annotated[str, msgspec.Meta(max_length=2048)]
Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


Metadata = Annotated[str, msgspec.Meta(max_length=256 << 10)]


class NewIssuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An issuer to trust; keys come from discovery unless an address or a pinned set is given."""

    name: Ident
    profile: ProfileName
    issuer: Address
    audience: Address = ""
    address: Address = ""
    keys: dict[str, Any] | None = None
    metadata: Metadata = ""
    """SAML: the provider's metadata (XML), or its certificates (PEM)."""
    longest_seconds: Annotated[int, msgspec.Meta(ge=60, le=90_000)] | None = None
    repeatable: bool = False


class NewRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which workloads are which agent: claim → whole value, or pattern with `*` for one segment."""

    agent: Ident
    conditions: Annotated[
        dict[Annotated[str, msgspec.Meta(max_length=128)], Pattern],
        msgspec.Meta(min_length=1, max_length=16),
    ]


class PinnedKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JWK Set or SPIFFE bundle; for SAML metadata or certificates instead."""

    keys: dict[str, Any] | None = None
    metadata: Metadata = ""


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An assertion to try."""

    assertion: Annotated[str, msgspec.Meta(max_length=48 << 10)]
    form: Form = Form.JWT


class ClaimView(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a claims table."""

    name: str
    need: Need
    patterns: list[str]

    @classmethod
    def of(cls, row: Claim) -> Self:
        """From the domain."""
        return cls(name=row.name, need=row.need, patterns=list(row.shapes))


class ProfileView(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of issuer: `proofs` are the sets of claims of which a rule must name one whole set."""

    profile: ProfileName
    issuer_example: str
    claims: list[ClaimView]
    proofs: list[list[str]]
    guarded: dict[str, list[str]]
    algorithms: list[str]
    longest_seconds: int
    may_repeat: bool

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """From the domain."""
        return cls(
            profile=profile.name,
            issuer_example=profile.issuer_example,
            claims=[ClaimView.of(row) for row in profile.rows],
            proofs=[sorted(each) for each in profile.ways],
            guarded={guard.claim: sorted(guard.values) for guard in profile.guards},
            algorithms=sorted(profile.algorithms),
            longest_seconds=int(profile.longest.total_seconds()),
            may_repeat=profile.repeatable,
        )

    @classmethod
    def all(cls) -> list[Self]:
        """Every profile."""
        return [cls.of(profile_of(name)) for name in ProfileName]


class IssuerView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One issuer."""

    id: str
    name: str
    profile: ProfileName
    issuer: str
    audience: str
    source: KeySource
    address: str = ""
    longest_seconds: int
    repeatable: bool
    state: TrustState
    created_by: str
    created_at: datetime
    withdrawn_at: datetime | None = None

    @classmethod
    def of(cls, issuer: TrustedIssuer) -> Self:
        """From the domain."""
        return cls(
            id=issuer.id,
            name=issuer.name,
            profile=issuer.profile,
            issuer=issuer.issuer,
            audience=issuer.audience,
            source=issuer.source,
            address=issuer.address,
            longest_seconds=int(issuer.longest.total_seconds()),
            repeatable=issuer.repeatable,
            state=issuer.state,
            created_by=issuer.created_by,
            created_at=issuer.created_at,
            withdrawn_at=issuer.withdrawn_at,
        )


class KeySetView(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of an issuer as last seen."""

    kids: list[str]
    authorities: int
    sequence: int | None
    seen_at: datetime
    refresh_at: datetime

    @classmethod
    def of(cls, keys: KeySet) -> Self:
        """From the domain."""
        return cls(
            kids=[key.kid for key in keys.keys],
            authorities=len(keys.authorities),
            sequence=keys.sequence,
            seen_at=keys.seen_at,
            refresh_at=keys.refresh_at,
        )


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """One rule."""

    id: str
    issuer: str
    agent: str
    conditions: dict[str, str]
    state: TrustState
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, rule: TrustRule) -> Self:
        """From the domain."""
        return cls(
            id=rule.id,
            issuer=rule.issuer,
            agent=rule.agent,
            conditions={each.claim: each.pattern for each in rule.conditions},
            state=rule.state,
            created_by=rule.created_by,
            created_at=rule.created_at,
        )


class ShownIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """One issuer with everything that hangs on it."""

    issuer: IssuerView
    keys: KeySetView | None
    rules: list[RuleView]
    claims: list[ClaimView]


class TrialView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What would come of an assertion: an agent, or the step (1 to 8) at which it stops and why."""

    accepted: bool
    step: int = 0
    reason: str = ""
    detail: str = ""
    issuer: str = ""
    agent: str = ""
    rule: str = ""
    workload: str = ""
    claims: dict[str, str] = {}

    @classmethod
    def of(cls, tried: Tried) -> Self:
        """From the domain."""
        found = tried.assertion
        return cls(
            accepted=tried.rule is not None,
            step=tried.step,
            reason=tried.reason,
            detail=tried.debug,
            issuer="" if found is None else found.issuer.name,
            agent="" if tried.rule is None else tried.rule.agent,
            rule="" if tried.rule is None else tried.rule.id,
            workload="" if found is None else found.workload,
            claims={} if found is None else dict(found.texts),
        )


class NewSvid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom an SVID is."""

    audience: Annotated[list[Address], msgspec.Meta(min_length=1, max_length=8)]


class SvidView(msgspec.Struct, frozen=True, kw_only=True):
    """An SVID; it is shown once and kept nowhere."""

    svid: str
    spiffe_id: str
    expires_at: datetime
