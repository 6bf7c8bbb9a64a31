"""What a further tenant is given of the installation's settings, and what it is not."""

from dataclasses import replace
from typing import Final

from remit.enforcement.mcp.exit import Child, ExitFailed
from remit.kernel.ids import TenantId
from remit.kernel.outbound import Address, Destination, OutboundRefused, is_public
from remit.kernel.tenancy import DEFAULT_TENANT, issuer_of, trust_domain_of
from remit.platform.outbound import Rule
from remit.platform.settings.model import Settings
from remit.platform.settings.options import ClientChoices

_NO_COMMANDS: Final = "a tenant's servers are reached over HTTP: it starts no program on this machine"


def settings_of(settings: Settings, tenant: TenantId) -> Settings:
    """The settings as a further tenant sees them: its own issuer and trust domain.

    What names agents of the installation, or hosts inside its network, is about the installation alone.
    """
    hosts = settings.tenants.private_hosts
    return replace(
        settings,
        issuer=issuer_of(settings.issuer_url, tenant),
        trust_domain=trust_domain_of(settings.trust_domain, tenant),
        demo=False,
        clients=ClientChoices(private_hosts=hosts, authorities=settings.clients.authorities),
        federation=replace(settings.federation, private_hosts=hosts),
        channels=replace(settings.channels, private_hosts=hosts),
    )


class TenantRule:
    """A rule of addresses, narrowed: a tenant's administrator opens nothing inside the operator's network."""

    def __init__(self, rule: Rule, allowed: frozenset[Destination]) -> None:
        self._rule = rule
        self._allowed = allowed

    @property
    def registered(self) -> frozenset[Destination]:
        """Exact pairs that the tenant's administrators named."""
        return self._rule.registered

    def check(self, destination: Destination, address: Address) -> None:
        """Refuse what the rule refuses, and private addresses that the operator has not listed."""
        self._rule.check(destination, address)
        if destination not in self._allowed and not is_public(address):
            raise OutboundRefused(
                f"`{destination.host}` is not on the public network",
                debug=f"resolved to {address}, not in `tenants.private_hosts`",
                next_step="ask who operates this installation to list it",
            )


def narrowed(rule: Rule, settings: Settings, tenant: TenantId) -> Rule:
    """The rule for one tenant's way out."""
    return rule if tenant == DEFAULT_TENANT else TenantRule(rule, settings.tenants.destinations())


class NoPrograms:
    """`Spawner` of further tenants: whoever administers one owns nothing of this machine."""

    async def spawn(self, argv: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> Child:
        """Refuse."""
        raise ExitFailed(_NO_COMMANDS, sent=False, debug=f"{len(argv)} words, {len(environment)} variables")
