"""What is offered to a person on behalf of a client: resource, scopes and rights, as of one view.

Asked twice with the same answer: when a client pushes a request, so that it learns at once what is wrong
with it (RFC 9126 §2.1), and when the person is there, where the answer becomes what the page shows.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from remit.authority.oauth.asking.authorization_request import AuthorizationRequest
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.consenting import offering
from remit.authority.oauth.consenting.offering import Offered
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import action_scopes
from remit.authority.oauth.wire.errors import (
    AccessDenied,
    InvalidAuthorizationDetails,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.resources import Target, parse_resource, target_of
from remit.authority.oauth.wire.scopes import AGENT_AT_API, AT_MCP, Scope
from remit.authority.oidc.disclosure import OPENID, SCOPES, Disclosure
from remit.authority.rights import Ceiling
from remit.authority.task_service import member_of
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import PrincipalId


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What may be offered, and by which agent it would be used; an application has none, and no ceiling."""

    agent: Principal | None
    target: Target
    scopes: frozenset[str]
    ceiling: Ceiling | None
    ends_at: datetime
    disclosure: Disclosure


class Desk:
    """Finds out what a client's request comes to. Raises the `OAuthError` that its client is told."""

    def __init__(self, *, options: OAuthOptions) -> None:
        self._options = options

    def find(
        self,
        tx: OAuthTransaction,
        request: AuthorizationRequest,
        registration: ClientRegistration,
        *,
        at: datetime,
    ) -> Found:
        """What the request comes to; whoever the person is, an agent's client is offered the same."""
        principal = tx.principals.get(registration.principal)
        if principal is None or not _lives(tx, principal):
            raise UnauthorizedClient("this client does not act here any more", reason="client_dead")
        offered = Offered(at=at, lifetime=registration.limits.lifetime)
        if principal.kind is Kind.APPLICATION:
            return self._for_application(request, offered)
        agent = None if principal.parent is None else tx.principals.get(principal.parent)
        if agent is None or not _lives(tx, agent):
            raise UnauthorizedClient("the agent of this client does not act any more", reason="client_dead")
        return self._for_agent(tx, request, agent, offered)

    def _for_application(self, request: AuthorizationRequest, offered: Offered) -> Found:
        """At the API nobody stands for a person: an application learns who it is, and may do nothing."""
        if request.resource not in {"", self._options.userinfo}:
            raise InvalidTarget(
                "an application signs people in; whoever acts for them is the client of an agent",
                reason="target_application",
            )
        if request.details:
            raise InvalidAuthorizationDetails(
                "an application has no rights of agents", reason="details_no_task"
            )
        asked = request.scopes or {OPENID}
        if OPENID not in asked or not asked <= SCOPES:
            raise InvalidScope(
                "an application asks for `openid`, and for what it learns of a person", reason="scope_openid"
            )
        learns = replace(request.disclosure, scopes=request.disclosure.scopes | asked)
        return Found(
            agent=None,
            target=Target(resource=self._options.userinfo),
            scopes=learns.scopes,
            ceiling=None,
            ends_at=offered.window.end,
            disclosure=learns,
        )

    def _for_agent(
        self, tx: OAuthTransaction, request: AuthorizationRequest, agent: Principal, offered: Offered
    ) -> Found:
        member = member_of(tx, agent)
        # RFC 8707 §2: nothing asked means the one resource there is, never all of them.
        only = offering.only_server(member)
        asked = request.resource or (self._options.mcp(only) if only else "")
        if not asked:
            raise InvalidTarget("`resource` is missing, and there are several", reason="target_missing")
        target = self._target(tx, asked, agent)
        asked_scopes = request.scopes - SCOPES
        named = action_scopes.named_in(asked_scopes)
        if named and not target.server:
            raise InvalidScope("only an MCP server has actions", reason="scope_widened")
        if named and Scope.MCP not in asked_scopes:
            scopes = named
        else:
            allowed = AT_MCP if target.server else AGENT_AT_API
            scopes = offering.scopes_for(asked_scopes - named, allowed)
        ceiling = offering.ceiling_for(member, target, request.details, offered)
        ceiling = action_scopes.narrowed(ceiling, scopes, target.server)
        return Found(
            agent=agent,
            target=target,
            scopes=scopes,
            ceiling=ceiling,
            ends_at=ceiling.window.end,
            # Beside its task an agent's client learns who it is for, and no more of them.
            disclosure=Disclosure(scopes=request.scopes & {OPENID}),
        )

    def _target(self, tx: OAuthTransaction, asked: str, agent: Principal) -> Target:
        target = target_of(parse_resource(asked), self._options)
        if not target.server:
            return target
        server = tx.servers.named(target.server)
        entry = None if server is None else tx.principals.get(PrincipalId(server.id))
        if entry is None or entry.state is not State.ACTIVE:
            raise InvalidTarget("no such server", reason="target_unknown")
        if entry.environment is not agent.environment:
            raise AccessDenied(
                f"`{agent.environment}` may not act in `{entry.environment}`", reason="environment_crossed"
            )
        return target


def _lives(tx: OAuthTransaction, principal: Principal) -> bool:
    return principal.state is State.ACTIVE and not tx.lineage.buried(principal.id)
