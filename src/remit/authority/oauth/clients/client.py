"""Who may come to the authorization server: instances, people with a device key, workloads, applications.

A client is a principal seen from here: its keys, and what its kind may ask. Nobody has a shared secret.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.wire.scopes import AGENT_AT_API, AT_MCP, Scope, scopes_of_roles, scopes_of_workload
from remit.identity.credentials import Credential
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal, Tier, tier_of
from remit.identity.spiffe import spiffe_id
from remit.kernel.building import builder
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TenantId

CLIENT_KINDS: Final = frozenset({Kind.INSTANCE, Kind.HUMAN, Kind.SERVICE_ACCOUNT, Kind.APPLICATION})
"""Kinds of principals that may authenticate here; an id of another kind is no client."""
BINDING_ATTRIBUTE: Final = "token_binding"
"""Attribute of an instance or service account; the value `bearer` allows tokens bound to no key."""
ROLES_ATTRIBUTE: Final = "roles"


class Binding(StrEnum):
    """What a client's tokens are bound to; everything but the exact word `bearer` means DPoP.

    `certificate`: to that of its TLS connection (RFC 8705 §3), which only a registration can say.
    """

    DPOP = "dpop"
    CERTIFICATE = "certificate"
    BEARER = "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A principal that may ask for tokens, with its keys and its line of parents.

    `subject` is the `sub` of its own tokens: a SPIFFE ID for an instance, else its id. `agent` is None for
    what is no instance. `line` holds every principal whose end is its end too: itself, agent, blueprint.
    """

    id: PrincipalId
    tenant: TenantId
    kind: Kind
    name: str
    subject: str
    state: State
    agent: AgentId | None
    owner: PrincipalId | None
    environment: Environment | None
    binding: Binding
    roles: str
    credentials: tuple[Credential, ...]
    line: tuple[PrincipalId, ...]
    registration: ClientRegistration | None = None
    """Where it is a registered client: an application, or an instance that a person signs in to."""

    @property
    def client_id(self) -> str:
        """What it calls itself: the URL of its document, an id of its registration, or its own id."""
        return self.id if self.registration is None else self.registration.client_id

    @property
    def public(self) -> bool:
        """Whether nothing proves it: then it may neither ask about tokens nor earn one of its own."""
        return self.registration is not None and self.registration.public

    @property
    def any_key(self) -> bool:
        """Whether its tokens may be bound to a key that nobody registered: a browser's, a session's.

        An agent's plain instance may not: a thief of its assertion would get a token for a key of his own.
        """
        return self.registration is not None

    def may_use(self, grant_type: str) -> bool:
        """Whether this way to earn a token is open to it; a plain instance's are bounded by its grant."""
        return self.registration is None or grant_type in self.registration.grant_types

    def scopes_at(self, server: str) -> frozenset[Scope]:
        """The most that its own tokens may carry: at the API (`server` empty) or at a gateway server."""
        if self.kind is Kind.APPLICATION:
            return frozenset()
        if self.kind is Kind.HUMAN:
            return frozenset() if server else scopes_of_roles(self.roles)
        if tier_of(self.kind) is Tier.WORKLOAD:
            return AT_MCP if server else scopes_of_workload(self.roles)
        return AT_MCP if server else AGENT_AT_API

    def credential_of(self, thumbprint: str) -> Credential | None:
        """Which of its registered keys has that thumbprint (RFC 7638)."""
        for known in self.credentials:
            if known.thumbprint == thumbprint:
                return known
        return None


_client = builder(Client)


def client_of(
    principal: Principal,
    *,
    agent: Principal | None,
    credentials: tuple[Credential, ...],
    trust_domain: str,
    registration: ClientRegistration | None = None,
) -> Client | None:
    """See a principal as a client; None if its kind, or an instance without its agent, can't be one."""
    if principal.kind not in CLIENT_KINDS or (principal.kind is Kind.INSTANCE) != (agent is not None):
        return None
    attributes = dict(principal.attributes)
    head = (principal.id,) if agent is None else (principal.id, agent.id)
    blueprint = agent.blueprint if agent is not None else None
    return _client(
        id=principal.id,
        tenant=principal.tenant,
        kind=principal.kind,
        name=principal.name,
        subject=_subject(principal, agent, trust_domain),
        state=principal.state,
        agent=None if agent is None else AgentId(agent.id),
        owner=principal.owner if agent is None else agent.owner,
        environment=principal.environment if agent is None else agent.environment,
        binding=_binding(principal, attributes, registration),
        roles="" if principal.tier is Tier.AGENTIC else attributes.get(ROLES_ATTRIBUTE, ""),
        credentials=credentials,
        line=head if blueprint is None else (*head, PrincipalId(blueprint)),
        registration=registration,
    )


def _subject(principal: Principal, agent: Principal | None, trust_domain: str) -> str:
    if agent is None:
        return principal.id
    return spiffe_id(trust_domain, agent.name, InstanceId(principal.id))


def _binding(
    principal: Principal, attributes: dict[str, str], registration: ClientRegistration | None
) -> Binding:
    if registration is not None and registration.certificate_bound:
        return Binding.CERTIFICATE
    if registration is not None and registration.dpop_bound:
        return Binding.DPOP
    # A person's token is always bound: a stolen one could approve and kill.
    if principal.kind is not Kind.HUMAN and attributes.get(BINDING_ATTRIBUTE) == Binding.BEARER:
        return Binding.BEARER
    return Binding.DPOP
