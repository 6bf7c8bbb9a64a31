"""Who may come to the authorization server: instances, people with a device key, service accounts.

A client is a principal seen from here: its keys, and what its kind may ask. Nobody has a shared secret.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.authority.oauth.scopes import AGENT_AT_API, AT_MCP, Scope, scopes_of_roles
from remit.identity.credentials import Credential
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.spiffe import spiffe_id
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TenantId

CLIENT_KINDS: Final = frozenset({Kind.INSTANCE, Kind.HUMAN, Kind.SERVICE_ACCOUNT})
"""Kinds of principals that may authenticate here; an id of another kind is no client."""
BINDING_ATTRIBUTE: Final = "token_binding"
"""Attribute of an instance or service account; the value `bearer` allows tokens bound to no key."""
ROLES_ATTRIBUTE: Final = "roles"


class Binding(StrEnum):
    """What a client's tokens are bound to; everything but the exact word `bearer` means DPoP."""

    DPOP = "dpop"
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

    def scopes_at(self, server: str) -> frozenset[Scope]:
        """The most that its own tokens may carry: at the API (`server` empty) or at a gateway server."""
        if self.kind is Kind.HUMAN:
            return frozenset() if server else scopes_of_roles(self.roles)
        return AT_MCP if server else AGENT_AT_API

    def credential_of(self, thumbprint: str) -> Credential | None:
        """Which of its registered keys has that thumbprint (RFC 7638)."""
        return next((known for known in self.credentials if known.thumbprint == thumbprint), None)


def client_of(
    principal: Principal,
    *,
    agent: Principal | None,
    credentials: tuple[Credential, ...],
    trust_domain: str,
) -> Client | None:
    """See a principal as a client; None if its kind, or an instance without its agent, can't be one."""
    if principal.kind not in CLIENT_KINDS or (principal.kind is Kind.INSTANCE) != (agent is not None):
        return None
    attributes = dict(principal.attributes)
    head = (principal.id,) if agent is None else (principal.id, agent.id)
    blueprint = agent.blueprint if agent is not None else None
    return Client(
        id=principal.id,
        tenant=principal.tenant,
        kind=principal.kind,
        name=principal.name,
        subject=_subject(principal, agent, trust_domain),
        state=principal.state,
        agent=None if agent is None else AgentId(agent.id),
        owner=principal.owner if agent is None else agent.owner,
        environment=principal.environment if agent is None else agent.environment,
        binding=_binding(principal, attributes),
        roles=attributes.get(ROLES_ATTRIBUTE, "") if principal.kind is Kind.HUMAN else "",
        credentials=credentials,
        line=head if blueprint is None else (*head, PrincipalId(blueprint)),
    )


def _subject(principal: Principal, agent: Principal | None, trust_domain: str) -> str:
    if agent is None:
        return principal.id
    return spiffe_id(trust_domain, agent.name, InstanceId(principal.id))


def _binding(principal: Principal, attributes: dict[str, str]) -> Binding:
    # A person's token is always bound: a stolen one could approve and kill.
    if principal.kind is not Kind.HUMAN and attributes.get(BINDING_ATTRIBUTE) == Binding.BEARER:
        return Binding.BEARER
    return Binding.DPOP
