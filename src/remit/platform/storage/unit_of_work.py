"""The one transaction that all wings share, and the unit of work over a store."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from remit.authority.oauth.asking.backchannel_notices import Notice
from remit.authority.oidc.logout import LogoutNotice
from remit.kernel.events import Event
from remit.kernel.ids import TenantId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.storage.batch import Batch
from remit.platform.storage.keystore import Keystore
from remit.platform.storage.nodes import Nodes
from remit.platform.storage.repositories.activity import ActivityRepository
from remit.platform.storage.repositories.administration import RoleTextRepository
from remit.platform.storage.repositories.attention import (
    ApproverBudgetRepository,
    InboxRepository,
)
from remit.platform.storage.repositories.authority import (
    CeilingRepository,
    EnvelopeRepository,
    GrantRepository,
    TaskRepository,
)
from remit.platform.storage.repositories.authorization import (
    CodeRepository,
    FamilyRepository,
    PendingRepository,
)
from remit.platform.storage.repositories.backchannel import BackchannelRepository
from remit.platform.storage.repositories.breakglass import GlassRepository
from remit.platform.storage.repositories.capabilities import CapabilityRepository
from remit.platform.storage.repositories.cases import CaseRepository
from remit.platform.storage.repositories.changes import PendingChangeRepository
from remit.platform.storage.repositories.channels import (
    ChannelRepository,
    MessageRepository,
    PushDeviceRepository,
    ReachRepository,
)
from remit.platform.storage.repositories.clock import ClockRepository
from remit.platform.storage.repositories.decision import (
    BudgetRepository,
    DecisionRepository,
    PolicyRepository,
)
from remit.platform.storage.repositories.devices import DeviceRepository
from remit.platform.storage.repositories.domains import DomainRepository
from remit.platform.storage.repositories.federation import (
    IssuerKeyRepository,
    IssuerRepository,
    TrustRuleRepository,
    WorkloadRepository,
)
from remit.platform.storage.repositories.history import HistoryRepository
from remit.platform.storage.repositories.idempotency import IdempotencyRepository
from remit.platform.storage.repositories.identity import (
    CredentialRepository,
    PrincipalRepository,
    ServerRepository,
    ToolRepository,
)
from remit.platform.storage.repositories.inventory import ShelfRepository
from remit.platform.storage.repositories.kills import KillRepository
from remit.platform.storage.repositories.ledger import SqlLedger, appender_of
from remit.platform.storage.repositories.ledger_contents import ContentRows, KekSealer
from remit.platform.storage.repositories.lineage import LineageRepository
from remit.platform.storage.repositories.notices import ANSWERS, LOGOUTS, NoticeRepository
from remit.platform.storage.repositories.oversight import ApprovalRepository
from remit.platform.storage.repositories.people import (
    ChallengeRepository,
    EnrolmentRepository,
    PasskeyRepository,
    SessionRepository,
)
from remit.platform.storage.repositories.registrations import (
    InvitationRepository,
    RegistrationRepository,
)
from remit.platform.storage.repositories.relations import SqlRelations
from remit.platform.storage.repositories.risk import RiskSignalRepository
from remit.platform.storage.repositories.rosters import RosterRepository
from remit.platform.storage.repositories.seen import SeenRepository
from remit.platform.storage.repositories.settings import SettingsRepository
from remit.platform.storage.repositories.sign_ons import SignOnRepository
from remit.platform.storage.repositories.sources import SourceRepository
from remit.platform.storage.repositories.statuses import StatusRepository
from remit.platform.storage.repositories.tenants import TenantRepository
from remit.platform.storage.repositories.tokens import ReplayRepository, TokenRepository
from remit.platform.storage.repositories.upstream import (
    IdentityProviderRepository,
    LinkedIdentityRepository,
    UpstreamSessionRepository,
)
from remit.platform.storage.repositories.vault import VaultRepository
from remit.platform.storage.revision import ChangeLog
from remit.platform.storage.sql import Sql

T = TypeVar("T")


class SqlTransaction:
    """One open unit of work: what the kernel asks of every transaction, and one property per repository.

    A repository is made on use: it is a thin object over `sql` and the tenant.
    """

    __slots__ = ("_batch", "sql", "tenant")

    def __init__(self, batch: Batch, tenant: TenantId) -> None:
        self._batch = batch
        self.sql: Sql = batch.sql
        self.tenant = tenant

    def publish(self, event: Event) -> None:
        """Put a fact into the outbox; it is delivered after the commit, at least once."""
        self._batch.publish(event)

    def touch(self, kind: str, ident: str) -> None:
        """Say that a thing which decisions can see has changed."""
        self._batch.touch(self.tenant, kind, ident)

    def advance_epoch(self, cause: str) -> int:
        """Bump the tenant's epoch, because authority has shrunk; returns the new epoch."""
        return self._batch.advance_epoch(self.tenant, cause)

    def epoch(self) -> int:
        """The tenant's epoch as this transaction sees it."""
        return self._batch.epoch(self.tenant)

    @property
    def sources(self) -> SourceRepository:
        """What is in the context of tasks."""
        return SourceRepository(self.sql, self.tenant)

    @property
    def ledger(self) -> SqlLedger:
        """The log of record: append, read, prove."""
        return SqlLedger(self.sql, appender_of(self._batch.journal), self.tenant)

    @property
    def idempotency(self) -> IdempotencyRepository:
        """Keys of repeated requests."""
        return IdempotencyRepository(self.sql, self.tenant, self._sealer())

    @property
    def principals(self) -> PrincipalRepository:
        """The directory."""
        return PrincipalRepository(self.sql, self.tenant)

    @property
    def activity(self) -> ActivityRepository:
        """What happens now, in numbers."""
        return ActivityRepository(self.sql, self.tenant)

    @property
    def shelves(self) -> ShelfRepository:
        """The directory as a shelf."""
        return ShelfRepository(self.sql, self.tenant)

    @property
    def credentials(self) -> CredentialRepository:
        """Public keys of principals."""
        return CredentialRepository(self.sql, self.tenant)

    @property
    def servers(self) -> ServerRepository:
        """MCP servers."""
        return ServerRepository(self.sql, self.tenant)

    @property
    def tools(self) -> ToolRepository:
        """Pinned tools."""
        return ToolRepository(self.sql, self.tenant)

    @property
    def sessions(self) -> SessionRepository:
        """People who are signed in."""
        return SessionRepository(self.sql, self.tenant)

    @property
    def passkeys(self) -> PasskeyRepository:
        """Passkeys of people."""
        return PasskeyRepository(self.sql, self.tenant)

    @property
    def enrolments(self) -> EnrolmentRepository:
        """Links by which people register a passkey."""
        return EnrolmentRepository(self.sql, self.tenant)

    @property
    def challenges(self) -> ChallengeRepository:
        """Questions to authenticators that were answered."""
        return ChallengeRepository(self.sql, self.tenant)

    @property
    def identity_providers(self) -> IdentityProviderRepository:
        """Providers that people come from."""
        return IdentityProviderRepository(self.sql, self.tenant)

    @property
    def linked_identities(self) -> LinkedIdentityRepository:
        """Who at a provider is whom here."""
        return LinkedIdentityRepository(self.sql, self.tenant)

    @property
    def upstream_sessions(self) -> UpstreamSessionRepository:
        """Which sessions stand on a provider's."""
        return UpstreamSessionRepository(self.sql, self.tenant)

    @property
    def issuers(self) -> IssuerRepository:
        """Trusted issuers."""
        return IssuerRepository(self.sql, self.tenant)

    @property
    def issuer_keys(self) -> IssuerKeyRepository:
        """Keys of trusted issuers."""
        return IssuerKeyRepository(self.sql, self.tenant)

    @property
    def trust_rules(self) -> TrustRuleRepository:
        """Which workloads are which agent."""
        return TrustRuleRepository(self.sql, self.tenant)

    @property
    def workloads(self) -> WorkloadRepository:
        """Workloads that have proven themselves."""
        return WorkloadRepository(self.sql, self.tenant)

    @property
    def domains(self) -> DomainRepository:
        """Trust across domains."""
        return DomainRepository(self.sql, self.tenant)

    @property
    def tasks(self) -> TaskRepository:
        """Runs of agents and their bounds."""
        return TaskRepository(self.sql, self.tenant)

    @property
    def grants(self) -> GrantRepository:
        """Consents."""
        return GrantRepository(self.sql, self.tenant)

    @property
    def ceilings(self) -> CeilingRepository:
        """Standing ceilings."""
        return CeilingRepository(self.sql, self.tenant)

    @property
    def envelopes(self) -> EnvelopeRepository:
        """Delegations that were verified."""
        return EnvelopeRepository(self.sql, self.tenant)

    @property
    def tokens(self) -> TokenRepository:
        """What access tokens said."""
        return TokenRepository(self.sql, self.tenant)

    @property
    def registrations(self) -> RegistrationRepository:
        """Clients of the authorization server."""
        return RegistrationRepository(self.sql, self.tenant)

    @property
    def invitations(self) -> InvitationRepository:
        """Initial access tokens."""
        return InvitationRepository(self.sql, self.tenant)

    @property
    def statuses(self) -> StatusRepository:
        """Places in status lists."""
        return StatusRepository(self.sql, self.tenant)

    @property
    def pendings(self) -> PendingRepository:
        """Requests that wait for a person."""
        return PendingRepository(self.sql, self.tenant)

    @property
    def codes(self) -> CodeRepository:
        """Authorization codes."""
        return CodeRepository(self.sql, self.tenant)

    @property
    def devices(self) -> DeviceRepository:
        """Requests of devices without a browser."""
        return DeviceRepository(self.sql, self.tenant)

    @property
    def backchannels(self) -> BackchannelRepository:
        """Requests to people behind the scenes."""
        return BackchannelRepository(self.sql, self.tenant)

    @property
    def notices(self) -> NoticeRepository[Notice]:
        """Clients to be told that a person has answered."""
        return NoticeRepository(ANSWERS, self.sql, self.tenant)

    @property
    def sign_ons(self) -> SignOnRepository:
        """Yeses to applications that people sign in to."""
        return SignOnRepository(self.sql, self.tenant)

    @property
    def logouts(self) -> NoticeRepository[LogoutNotice]:
        """Clients to be told that a session has ended."""
        return NoticeRepository(LOGOUTS, self.sql, self.tenant)

    @property
    def families(self) -> FamilyRepository:
        """What came of codes, and the tokens that renew it."""
        return FamilyRepository(self.sql, self.tenant)

    @property
    def capabilities(self) -> CapabilityRepository:
        """Capabilities and their one use."""
        return CapabilityRepository(self.sql, self.tenant)

    @property
    def replay(self) -> ReplayRepository:
        """What may be shown once."""
        return ReplayRepository(self.sql)

    @property
    def lineage(self) -> LineageRepository:
        """Tombstones and states: what `alive` reads."""
        return LineageRepository(self.sql, self.tenant)

    @property
    def policies(self) -> PolicyRepository:
        """Policy texts."""
        return PolicyRepository(self.sql, self.tenant)

    @property
    def administration(self) -> RoleTextRepository:
        """The administrative policy."""
        return RoleTextRepository(self.sql, self.tenant)

    @property
    def budgets(self) -> BudgetRepository:
        """What accounts have spent."""
        return BudgetRepository(self.sql, self.tenant)

    @property
    def history(self) -> HistoryRepository:
        """Marks of what was done before."""
        return HistoryRepository(self.sql, self.tenant)

    @property
    def seen(self) -> SeenRepository:
        """Where the values that tasks have seen came from."""
        return SeenRepository(self.sql, self.tenant, self.ledger)

    @property
    def signals(self) -> RiskSignalRepository:
        """What others say of the risk of somebody."""
        return RiskSignalRepository(self.sql, self.tenant)

    @property
    def relations(self) -> SqlRelations:
        """Who is related to what."""
        return SqlRelations(self.sql, self.tenant)

    @property
    def decisions(self) -> DecisionRepository:
        """Every answer that was given."""
        return DecisionRepository(self.sql, self.tenant)

    @property
    def approvals(self) -> ApprovalRepository:
        """What people were asked."""
        return ApprovalRepository(self.sql, self.tenant, ContentRows(self.sql, self._sealer(), self.tenant))

    @property
    def inboxes(self) -> InboxRepository:
        """Who is asked what."""
        return InboxRepository(self.sql, self.tenant, self.approvals)

    @property
    def approver_budgets(self) -> ApproverBudgetRepository:
        """Who may be asked how much."""
        return ApproverBudgetRepository(self.sql, self.tenant)

    @property
    def cases(self) -> CaseRepository:
        """Questions of agents."""
        return CaseRepository(self.sql, self.tenant, ContentRows(self.sql, self._sealer(), self.tenant))

    @property
    def rosters(self) -> RosterRepository:
        """Who is on call, and who is away."""
        return RosterRepository(self.sql, self.tenant)

    @property
    def glasses(self) -> GlassRepository:
        """Break glass, and what was decided under it."""
        return GlassRepository(self.sql, self.tenant)

    @property
    def pending_changes(self) -> PendingChangeRepository:
        """Administration that waits for a second person."""
        return PendingChangeRepository(self.sql, self.tenant)

    @property
    def kills(self) -> KillRepository:
        """What was stopped."""
        return KillRepository(self.sql, self.tenant)

    @property
    def channels(self) -> ChannelRepository:
        """Ways out to people."""
        return ChannelRepository(self.sql, self.tenant)

    @property
    def reaches(self) -> ReachRepository:
        """What was chosen for people."""
        return ReachRepository(self.sql, self.tenant)

    @property
    def push_devices(self) -> PushDeviceRepository:
        """Browsers that asked to be notified."""
        return PushDeviceRepository(self.sql, self.tenant)

    @property
    def messages(self) -> MessageRepository:
        """What people are told."""
        return MessageRepository(self.sql, self.tenant)

    @property
    def vault(self) -> VaultRepository:
        """Credentials of other services."""
        return VaultRepository(self.sql, self.tenant)

    @property
    def keys(self) -> Keystore:
        """The server's own keys, sealed."""
        return Keystore(self.sql, self.tenant)

    @property
    def changes(self) -> ChangeLog:
        """What decisions can see has changed."""
        return ChangeLog(self.sql, self.tenant)

    @property
    def tenants(self) -> TenantRepository:
        """The register of further tenants."""
        return TenantRepository(self.sql, self.tenant)

    @property
    def home_ledger(self) -> SqlLedger:
        """The installation's own log, in the same commit: what operators do to a tenant is on both."""
        return SqlLedger(self.sql, appender_of(self._batch.journal), DEFAULT_TENANT)

    @property
    def nodes(self) -> Nodes:
        """Which processes may write."""
        return Nodes(self.sql)

    @property
    def clock_marks(self) -> ClockRepository:
        """Where the wall clock was last seen."""
        return ClockRepository(self.sql)

    @property
    def settings_store(self) -> SettingsRepository:
        """Small values that outlive a start."""
        return SettingsRepository(self.sql, self.tenant)

    def _sealer(self) -> KekSealer:
        """What seals texts at rest: the ledger's own key-encryption key."""
        return appender_of(self._batch.journal).sealer


Work = Callable[[SqlTransaction], T]


class Store(Protocol):
    """One database that takes units of work."""

    async def submit(self, work: Work[T], *, tenant: TenantId, lane: Lane) -> T:
        """Run inside a group commit; returns once durable."""

    async def view(self, work: Work[T], *, tenant: TenantId) -> T:
        """Run on one consistent view, read only."""


class SqlUnitOfWork:
    """The kernel's unit of work, for one tenant of a store."""

    def __init__(self, store: Store, *, tenant: TenantId) -> None:
        self._store = store
        self._tenant = tenant

    def commit(self, work: Work[T], *, lane: Lane = Lane.NORMAL) -> Coroutine[Any, Any, T]:
        """Run `work` and return its result once the commit is durable."""
        return self._store.submit(work, tenant=self._tenant, lane=lane)

    def read(self, work: Work[T]) -> Coroutine[Any, Any, T]:
        """Run `work` on one consistent view; it must not write."""
        return self._store.view(work, tenant=self._tenant)
