"""All settings in one immutable value, composed of each domain's options."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from remit.platform.settings.access import AccessChoices
from remit.platform.settings.administration import AdministrationChoices
from remit.platform.settings.channels import ChannelChoices
from remit.platform.settings.federation import FederationChoices
from remit.platform.settings.options import (
    ApprovalChoices,
    AuthorityChoices,
    ClientChoices,
    GatewayChoices,
    HttpOptions,
    KeyOptions,
    OAuthChoices,
    PeopleChoices,
    StoreOptions,
    TelemetryOptions,
)
from remit.platform.settings.relations import RelationChoices
from remit.platform.settings.risk import RiskChoices
from remit.platform.settings.tenants import TenantChoices

DEFAULT_DATA = Path("~/.remit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that an operator may choose; nothing is read from anywhere else."""

    data: Path = DEFAULT_DATA
    """Directory of this installation: store, keys, sockets (mode 0700)."""
    issuer: str = ""
    """Base address of this installation in every token and document; empty means the loopback address."""
    trust_domain: str = "remit.local"
    """SPIFFE trust domain of the agents (`spiffe://<trust domain>/agent/…`)."""
    demo: bool = False
    """Whether the demonstration runs; it brings its own policy, servers and agents."""
    debug: bool = False
    """Whether everything is logged, whatever `telemetry.log_level` says; refused on a public address."""
    http: HttpOptions = field(default_factory=HttpOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    keys: KeyOptions = field(default_factory=KeyOptions)
    telemetry: TelemetryOptions = field(default_factory=TelemetryOptions)
    authority: AuthorityChoices = field(default_factory=AuthorityChoices)
    oauth: OAuthChoices = field(default_factory=OAuthChoices)
    clients: ClientChoices = field(default_factory=ClientChoices)
    federation: FederationChoices = field(default_factory=FederationChoices)
    gateway: GatewayChoices = field(default_factory=GatewayChoices)
    approvals: ApprovalChoices = field(default_factory=ApprovalChoices)
    channels: ChannelChoices = field(default_factory=ChannelChoices)
    access: AccessChoices = field(default_factory=AccessChoices)
    people: PeopleChoices = field(default_factory=PeopleChoices)
    administration: AdministrationChoices = field(default_factory=AdministrationChoices)
    relations: RelationChoices = field(default_factory=RelationChoices)
    risk: RiskChoices = field(default_factory=RiskChoices)
    tenants: TenantChoices = field(default_factory=TenantChoices)

    @property
    def issuer_url(self) -> str:
        """The issuer, byte for byte as it stands in tokens; never from a request (standards 0.2)."""
        return self.issuer or f"http://{_bracketed(self.http.host)}:{self.http.port}"

    @property
    def directory(self) -> Path:
        """The data directory, absolute: children and commands start elsewhere."""
        return self.data.expanduser().absolute()

    @property
    def kek_file(self) -> Path:
        """Where the key-encryption key is."""
        chosen = self.keys.kek_file
        return chosen.expanduser() if chosen else self.directory / "kek"

    @property
    def listens_publicly(self) -> bool:
        """Whether somebody on another machine can connect."""
        return not is_loopback(self.http.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def issuer_host(issuer: str) -> str:
    """The host of an issuer, or nothing."""
    try:
        return urlsplit(issuer).hostname or ""
    except ValueError:
        return ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
