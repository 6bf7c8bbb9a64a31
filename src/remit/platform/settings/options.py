"""The options of the platform and the surface; each wing above the kernel keeps its own beside its code.

The sentence under each field is its documentation: `reference` prints it, and a test demands it.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from remit.authority.lifetimes import Lifetimes
from remit.authority.oauth.wire.client_options import (
    DocumentClients,
    DocumentPolicy,
    DynamicClients,
    RegistrationMode,
)
from remit.identity.enrolment import LONGEST
from remit.identity.sessions import SessionRule
from remit.kernel.outbound import Destination
from remit.platform.settings.units import Bytes, format_duration


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_API_BODY: Final = Bytes(1 << 20)
_MCP_BODY: Final = Bytes(4 << 20)
_HEADERS: Final = Bytes(32 << 10)
_URL: Final = Bytes(8 << 10)
_CEILINGS: Final = {
    "port": 65535,
    "max_body": 16 << 20,
    "max_mcp_body": 64 << 20,
    "max_headers": 256 << 10,
    "max_url": 64 << 10,
    "max_connections": 65536,
}


_MOST_PROOFS: Final = 1_000_000
"""Of one key in a minute: what one node could not even verify."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """The one port, and how much anybody may send to it."""

    host: str = "127.0.0.1"
    """Address that the server listens on."""
    port: int = 7480
    """Port that the server listens on."""
    max_body: Bytes = _API_BODY
    """Largest request body of the API and the OAuth endpoints."""
    max_mcp_body: Bytes = _MCP_BODY
    """Largest request body of the MCP gateway."""
    max_headers: Bytes = _HEADERS
    """Largest sum of all header names and values of one request."""
    max_url: Bytes = _URL
    """Longest path and query of one request."""
    body_timeout: timedelta = timedelta(seconds=30)
    """How long a request body may take to arrive."""
    header_timeout: timedelta = timedelta(seconds=5)
    """How long a connection may take to send its first request's headers."""
    idle_timeout: timedelta = timedelta(seconds=30)
    """How long a connection may rest between two requests."""
    certificate_proxies: tuple[str, ...] = ()
    """Addresses of proxies that end TLS and report client certificates in `Client-Cert` (RFC 9440)."""
    max_connections: int = 1024
    """Connections that are open at one time; one more is answered with 503."""

    def __post_init__(self) -> None:
        """Hold the ceilings: a limit that anybody can lift is none (security 3)."""
        for name, ceiling in _CEILINGS.items():
            value = getattr(self, name)
            if not 0 <= value <= ceiling:
                raise ValueError(f"setting `http.{name}` is {value}, the ceiling is {ceiling}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """The system of record."""

    url: str = ""
    """`postgresql://…`; empty keeps a SQLite file in the data directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOptions:
    """The key that encrypts all other keys at rest."""

    kek_file: Path | None = None
    """File with the key-encryption key (mode 0600, at least 32 bytes); absent means `kek` in `data`."""
    kek_command: tuple[str, ...] = ()
    """Program, with arguments, that prints the key-encryption key at start, instead of a file."""
    kek_patience: timedelta = timedelta(seconds=10)
    """How long `kek_command` may take; then Remit does not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryOptions:
    """What the process says about itself; never a token, a secret or content."""

    log_format: LogFormat = LogFormat.CONSOLE
    """`console` for a terminal, `json` for a collector."""
    log_level: LogLevel = LogLevel.INFO
    """The least severe line that is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityChoices:
    """How long what we issue lives, and how much of it there may be."""

    capability: timedelta = Lifetimes().capability
    """Life of a capability for one call, at most 90s."""
    access_token: timedelta = Lifetimes().access_token
    """Life of an access token that is bound to a key, at most 10m."""
    bearer_token: timedelta = timedelta(seconds=120)
    """Life of an access token that is bound to no key, at most 5m."""
    task: timedelta = Lifetimes().task
    """The longest that a task may run, at most 30d."""
    live_capabilities: int = Lifetimes().live_capabilities
    """Capabilities of one task that are minted and not yet used, at most 64."""
    hops: int = Lifetimes().hops
    """Delegations one below the other, at most 10."""

    def __post_init__(self) -> None:
        """Hold the ceilings, those of the authority wing included."""
        _within("authority.bearer_token", self.bearer_token, timedelta(minutes=5))
        self.lifetimes()

    def lifetimes(self) -> Lifetimes:
        """As the authority wing takes them. Raises `LifetimeTooLong`."""
        return Lifetimes(
            capability=self.capability,
            access_token=self.access_token,
            task=self.task,
            live_capabilities=self.live_capabilities,
            hops=self.hops,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthChoices:
    """How strict the token endpoint is with its clients."""

    require_nonce: bool = False
    """Whether proofs at the token endpoint must carry our nonce (RFC 9449 section 8)."""
    proofs_per_minute: int = 120_000
    """How many proofs of one key are taken in a minute, at the token endpoint and at every other door."""
    strict_assertion_type: bool = False
    """Whether a client assertion must have the type `client-authentication+jwt` (RFC 10070)."""
    status_lists: bool = False
    """Whether access tokens have a place in a published status list (draft-ietf-oauth-status-list)."""
    transaction_tokens: bool = False
    """Whether services can have transaction tokens (draft-ietf-oauth-transaction-tokens-10)."""
    devices: bool = False
    """Whether devices without a browser may ask (RFC 8628); off, as people can be tricked into answering."""

    def __post_init__(self) -> None:
        """Refuse a limit that lets nobody in, or that everybody could lift."""
        if not 1 <= self.proofs_per_minute <= _MOST_PROOFS:
            told = f"setting `oauth.proofs_per_minute` is {self.proofs_per_minute}"
            raise ValueError(f"{told}, it goes from 1 to {_MOST_PROOFS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChoices:
    """Which clients come without an administrator having registered each of them."""

    metadata_documents: DocumentPolicy = DocumentPolicy.OFF
    """Whose metadata documents are believed: nobody's, those of `clients.hosts`, or anybody's."""
    hosts: tuple[str, ...] = ()
    """Hosts of metadata documents and the agent that their clients are instances of: `host=agent`."""
    agent: str = ""
    """Agent of the clients from any other host, and of those that register themselves without a token."""
    private_hosts: tuple[str, ...] = ()
    """Exact `host:port` of metadata documents and key sets inside a private network."""
    registration: RegistrationMode = RegistrationMode.OFF
    """Who may register a client by itself: nobody, whoever shows an initial access token, or anybody."""
    registrations_per_minute: int = 10
    """Clients that may register themselves in one minute, at most 600."""
    registrations: int = 1000
    """Live clients that registered themselves, at most 100000."""
    authorities: Path | None = None
    """File (PEM) of the authorities whose certificates name clients (`tls_client_auth`)."""

    def __post_init__(self) -> None:
        """Hold the ceilings; clients that nobody registered must be some agent's."""
        _from_one("clients.registrations_per_minute", self.registrations_per_minute, 600)
        _from_one("clients.registrations", self.registrations, 100_000)
        if any(not all(each.partition("=")[::2]) for each in self.hosts):
            raise ValueError("setting `clients.hosts` holds pairs `host=agent`")
        if any(not each.rpartition(":")[2].isdigit() for each in self.private_hosts):
            raise ValueError("setting `clients.private_hosts` holds pairs `host:port`")
        needs = self.metadata_documents is DocumentPolicy.ANY or self.registration is RegistrationMode.OPEN
        if needs and not self.agent:
            raise ValueError("setting `clients.agent` must name the agent of clients that nobody registered")

    def documents(self) -> DocumentClients:
        """As the authority wing takes them."""
        pairs = (each.partition("=") for each in self.hosts)
        return DocumentClients(
            policy=self.metadata_documents,
            agents={host.strip().lower(): agent.strip() for host, _, agent in pairs},
            others=self.agent,
        )

    def dynamic(self) -> DynamicClients:
        """As the endpoint takes them."""
        return DynamicClients(
            mode=self.registration,
            agent=self.agent,
            per_minute=self.registrations_per_minute,
            most=self.registrations,
        )

    def destinations(self) -> frozenset[Destination]:
        """The pairs that may lie inside a private network."""
        return frozenset(
            Destination(host=host.lower(), port=int(port))
            for host, _, port in (each.rpartition(":") for each in self.private_hosts)
        )


class Provenance(StrEnum):
    """How far it weighs where the values of a call came from."""

    OFF = "off"
    OBSERVE = "observe"
    WARN = "warn"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayChoices:
    """How long the MCP gateway waits, and how much of it one caller may hold."""

    hold: timedelta = timedelta(seconds=20)
    """How long a call waits for a person's answer before its caller is told to come back, at most 60s."""
    connect_timeout: timedelta = timedelta(seconds=3)
    """How long a connection to a server may take, at most 30s."""
    first_byte_timeout: timedelta = timedelta(seconds=30)
    """How long a server may take until its answer begins, at most 5m."""
    total_timeout: timedelta = timedelta(minutes=5)
    """How long a whole answer may take, at most 1h."""
    freshness: timedelta = timedelta(seconds=10)
    """How old a server's own list of tools may be when one is called, at most 5m; 0s asks each time."""
    streams: int = 32
    """Exchanges that one instance may have open at once, at most 1024."""
    sessions: int = 8
    """Sessions of older clients that one caller may have open at once, at most 64."""
    provenance: Provenance = Provenance.OFF
    """Whether values that nobody believed vouches for may steer effects: `observe` and `warn` note it."""
    provenance_approvers: str = "owner"
    """Who is asked where provenance asks, as in `@approval`; what can be taken back, the user may approve."""
    trusted_servers: tuple[str, ...] = ()
    """Names of servers whose typed results are records by themselves, such as a directory of colleagues."""
    mail_domains: tuple[str, ...] = ()
    """Mail domains of the house, in lower case: a message that was asked for may reach them unasked."""
    child_user: int | None = None
    """Numeric user that servers over stdio run as; only if this process is root. Absent: our own user."""

    def __post_init__(self) -> None:
        """Hold the ceilings."""
        _within("gateway.hold", self.hold, timedelta(seconds=60))
        _within("gateway.connect_timeout", self.connect_timeout, timedelta(seconds=30))
        _within("gateway.first_byte_timeout", self.first_byte_timeout, timedelta(minutes=5))
        _within("gateway.total_timeout", self.total_timeout, timedelta(hours=1))
        _within("gateway.freshness", self.freshness, timedelta(minutes=5), least=timedelta(0))
        _from_one("gateway.streams", self.streams, 1024)
        _from_one("gateway.sessions", self.sessions, 64)
        if self.child_user is not None:
            _from_one("gateway.child_user", self.child_user, (1 << 32) - 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalChoices:
    """How long people have to answer, and how much of their attention an agent may take."""

    lifetime: timedelta = timedelta(minutes=15)
    """How long people have to answer before silence moves an ask on or ends it, at most 7d."""
    waiting: timedelta = timedelta(hours=24)
    """How long an ask waits that silence does not end (`@silence("wait")`), at most 7d."""
    per_user_per_minute: int = 10
    """Asks on behalf of one user in a minute, at most 100."""
    pending_per_agent: int = 3
    """Asks of one agent that wait at one time, at most 50."""
    denials_in_a_row: int = 5
    """Denials in a row after which an agent is suspended, at most 50."""
    per_approver_per_hour: int = 20
    """Cards put to one person in an hour, unless they have a budget of their own, at most 1000."""
    per_approver_per_day: int = 60
    """Cards put to one person in a day, unless they have a budget of their own, at most 1000."""
    per_approver_and_agent_per_day: int = 40
    """Cards of one agent put to one person in a day, so that no agent takes it all, at most 1000."""
    cases_to: tuple[str, ...] = ("user", "owner")
    """Whom agents may ask in a case: `user`, `owner`, `team:<name>`, `role:<name>`; the first is usual."""
    case_lifetime: timedelta = timedelta(hours=24)
    """How long a case waits for an answer, never longer than its task runs; at most 7d."""

    def __post_init__(self) -> None:
        """Hold the ceilings."""
        _within("approvals.lifetime", self.lifetime, timedelta(days=7))
        _within("approvals.waiting", self.waiting, timedelta(days=7))
        _from_one("approvals.per_user_per_minute", self.per_user_per_minute, 100)
        _from_one("approvals.pending_per_agent", self.pending_per_agent, 50)
        _from_one("approvals.denials_in_a_row", self.denials_in_a_row, 50)
        _within("approvals.case_lifetime", self.case_lifetime, timedelta(days=7))
        _from_one("approvals.per_approver_per_hour", self.per_approver_per_hour, 1000)
        _from_one("approvals.per_approver_per_day", self.per_approver_per_day, 1000)
        _from_one("approvals.per_approver_and_agent_per_day", self.per_approver_and_agent_per_day, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleChoices:
    """How long people stay signed in, and how long a link to make a passkey works."""

    session: timedelta = SessionRule().lifetime
    """How long a person stays signed in at most, at most 24h."""
    session_idle: timedelta = SessionRule().idle
    """How long a person stays signed in without doing anything, at most 12h."""
    enrolment: timedelta = timedelta(minutes=30)
    """How long an enrolment link works unless its maker says otherwise, at most 24h."""

    def __post_init__(self) -> None:
        """Hold the ceilings."""
        _within("people.session", self.session, timedelta(hours=24))
        _within("people.session_idle", self.session_idle, timedelta(hours=12))
        _within("people.enrolment", self.enrolment, LONGEST)

    def rule(self) -> SessionRule:
        """As the identity wing takes it."""
        return SessionRule(lifetime=self.session, idle=self.session_idle)


def _within(
    name: str, value: timedelta, ceiling: timedelta, *, least: timedelta = timedelta(milliseconds=1)
) -> None:
    if not least <= value <= ceiling:
        raise ValueError(
            f"setting `{name}` is {format_duration(value)}, "
            f"it lies between {format_duration(least)} and {format_duration(ceiling)}"
        )


def _from_one(name: str, value: int, ceiling: int) -> None:
    if not 1 <= value <= ceiling:
        raise ValueError(f"setting `{name}` is {value}, it lies between 1 and {ceiling}")
