"""The trust matrix: other authorization servers, what may be asked of them, and what they may ask here.

One row is one direction. Trust is never transitive: what came from one domain goes to no other. The rights
at another domain are named by that domain, and at home behind its name: `partner:rooms/rooms.book` is a
right that a person, an agent or a task may have here, and that means nothing at any server of ours.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from remit.authority.rights import Ceiling
from remit.identity.federation.claims import Need, claim
from remit.identity.federation.profiles import Profile, ProfileName, profile_of
from remit.identity.federation.trust import IssuerId, KeySource, TrustedIssuer, TrustState
from remit.kernel.ids import AgentId, GrantId, PrincipalId, TaskId, TenantId, UserId
from remit.kernel.jose.algorithms import Algorithm

DomainId = NewType("DomainId", str)
DomainRuleId = NewType("DomainRuleId", str)

EVERYBODY: Final = "everybody"
"""Who a rule is for, where it is for every person that the domain's subjects are linked to."""
TEAM: Final = "team:"
LONGEST: Final = timedelta(minutes=5)
"""The most that a grant between domains lives."""
SESSION: Final = timedelta(hours=8)
"""How long what an administrator allowed stands in a person's list before it is written there anew."""
MARK: Final = ":"
"""Between a domain's name and the domain's own name of an action."""


class Direction(StrEnum):
    """Which way grants go."""

    OUTBOUND = "outbound"
    """We sign grants that it redeems."""
    INBOUND = "inbound"
    """It signs grants that we redeem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedDomain:
    """Another authorization server, in one direction.

    `issuer` is compared byte for byte. `source` and `address` say where its keys are (inbound alone).
    `bound`: only grants that are bound to a key are taken from it. `ceiling` is the most that any rule of it
    may give, in the words of whoever's server it is about: theirs outbound, ours inbound; None: as each says.
    """

    id: DomainId
    tenant: TenantId
    name: str
    issuer: str
    direction: Direction
    source: KeySource
    address: str
    scopes: frozenset[str]
    ceiling: Ceiling | None
    bound: bool
    state: TrustState
    created_by: PrincipalId
    created_at: datetime
    withdrawn_at: datetime | None = None

    @property
    def live(self) -> bool:
        """Whether it counts; what was withdrawn never comes back."""
        return self.state is TrustState.ACTIVE

    def signing(self, audience: str) -> "DomainIssuer":
        """The domain as whoever signs assertions for that audience."""
        return DomainIssuer(
            id=IssuerId(self.id),
            tenant=self.tenant,
            name=self.name,
            profile=ProfileName.GENERIC_OIDC,
            issuer=self.issuer,
            audience=audience,
            source=self.source,
            address=self.address,
            longest=LONGEST,
            repeatable=True,
            state=self.state,
            created_by=self.created_by,
            created_at=self.created_at,
        )

    def at_home(self, action: str) -> str:
        """What an action of that domain is called here."""
        return f"{self.name}{MARK}{action}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRule:
    """One row of policy: for whom, which client of ours, up to what, and why; it stands for a consent page.

    `who` is a person's id, `team:<name>`, or `everybody` whom the domain is linked to. `client` is an agent,
    an instance of one, or a registered client. `there` is the client's id at the other domain (outbound).
    `text` is what the person reads.
    """

    id: DomainRuleId
    tenant: TenantId
    domain: DomainId
    who: str
    client: str
    there: str
    scopes: frozenset[str]
    ceiling: Ceiling | None
    text: str
    state: TrustState
    created_by: PrincipalId
    created_at: datetime
    withdrawn_at: datetime | None = None

    def is_for(self, user: UserId, teams: frozenset[str]) -> bool:
        """Whether the person is meant."""
        return self.who in {user, EVERYBODY} or (
            self.who.startswith(TEAM) and self.who.removeprefix(TEAM) in teams
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPerson:
    """Who a subject of another domain is here; keyed by its issuer, its tenant there and its `sub` (§16)."""

    tenant: TenantId
    domain: DomainId
    theirs: str
    """The `tenant` claim, or empty."""
    subject: str
    user: UserId
    linked_by: PrincipalId
    linked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRun:
    """A task that began by a grant of another domain; the same grant, shown again, goes on with it.

    `id` is a digest of the domain and of the grant's own id.
    """

    id: str
    tenant: TenantId
    domain: DomainId
    rule: DomainRuleId
    client: PrincipalId
    agent: AgentId
    user: UserId
    task: TaskId
    grant: GrantId
    before: str
    """Who acted in that domain, as canonical JSON of `act`."""
    ends_at: datetime


class DomainIssuer(TrustedIssuer):
    """A trusted domain, with the face of an issuer of assertions."""

    __slots__ = ()

    @property
    def kind(self) -> Profile:
        """What its grants look like."""
        return _GRANTS


_GRANTS: Final = replace(
    profile_of(ProfileName.GENERIC_OIDC),
    table=(claim("sub", Need.REQUIRED), claim("client_id", Need.OPTIONAL), claim("jti", Need.REQUIRED)),
    # No rule over workloads can stand on it: a grant says on whose behalf, not which program.
    proofs=(),
    algorithms=frozenset(Algorithm),
    longest=LONGEST,
    usual=LONGEST,
    types=frozenset({"jwt", "", "oauth-id-jag+jwt"}),
)
