"""Tokens of what a person allowed a client: an agent's for its task, an application's for who the person is.

Nothing acts as the person: an agent's token names it in `act`, as every token by exchange does.
"""

from dataclasses import replace
from typing import Final

from remit.authority.oauth.asking.families import Family
from remit.authority.oauth.issuing.minting import Delegated, Mint
from remit.authority.oauth.proving.lineage import why_dead
from remit.authority.oauth.proving.requests import Asking
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire import action_scopes, rar
from remit.authority.oauth.wire.errors import InvalidAuthorizationDetails, InvalidGrant
from remit.authority.oauth.wire.resources import Target
from remit.authority.oauth.wire.scopes import AT_USERINFO, parse_scope
from remit.authority.oidc.disclosure import told
from remit.authority.oidc.id_token import LIFE, IdToken
from remit.authority.tasks import Task
from remit.kernel.ids import EnvelopeId, PrincipalId, TokenId
from remit.kernel.jose.algorithms import Algorithm

ENDED: Final = "what was allowed here has ended"


class SessionMint:
    """Draws up the tokens of families."""

    def __init__(self, *, mint: Mint, issuer: str) -> None:
        self._mint = mint
        self._issuer = issuer

    def token(self, asking: Asking, family: Family) -> AccessToken:
        """A token within what was allowed. Raises `InvalidGrant` if what it stands on has ended."""
        target = self._mint.held(asking, family.resource)
        plain, named = action_scopes.split(asking.request.parameters.get("scope"))
        asked = parse_scope(plain)
        if family.task is not None:
            asked -= AT_USERINFO  # what a client learns of a person is no right of a task's token
        scopes = action_scopes.renewed(asked, named, family.scopes)
        task = None if family.task is None else asking.view.task(family.task)
        if family.task is None:
            token = self._of_application(asking, family, target, scopes)
        elif task is None:
            raise InvalidGrant(ENDED, reason="task_unknown")
        else:
            token = self._of_agent(asking, family, target, scopes, task)
        token = replace(token, signed_in_at=family.signed_in_at, acr=family.acr, amr=family.amr)
        dead = why_dead(asking.view, token, generation=asking.request.generation, at=asking.request.at)
        if dead:
            raise InvalidGrant(ENDED, reason=dead)
        return token

    def id_token(self, asking: Asking, family: Family, *, nonce: str) -> IdToken | None:
        """What the client learns of the person with the token, if it asked who they are."""
        person = asking.view.principal(PrincipalId(family.user))
        if not family.disclosure.identifies or person is None:
            return None
        at = asking.request.at.replace(microsecond=0)
        registration = asking.who.client.registration
        opened = told(person, family.disclosure.scopes)
        return IdToken(
            tenant=family.tenant,
            issuer=self._issuer,
            subject=family.user,
            audience=family.client_id,
            session=family.session,
            signed_in_at=family.signed_in_at,
            acr=family.acr,
            amr=family.amr,
            issued_at=at,
            expires_at=min(at + LIFE, family.ends_at.replace(microsecond=0)),
            nonce=nonce,
            ancestors=_ancestors(family),
            agent=asking.who.client.agent,
            task=family.task,
            algorithm=Algorithm.ES256 if registration is None else registration.id_token_alg,
            told={name: opened[name] for name in family.disclosure.in_token if name in opened},
        )

    def _of_agent(
        self, asking: Asking, family: Family, target: Target, scopes: frozenset[str], task: Task
    ) -> AccessToken:
        root = asking.tx.envelopes.get(task.root)
        if root is None or asking.request.at >= task.deadline:
            raise InvalidGrant(ENDED, reason="task_deadline")
        details = asking.request.parameters.get("authorization_details")
        ceiling = rar.narrow(details, task.ceiling, at=target.resource)
        ceiling = action_scopes.narrowed(ceiling, scopes, target.server)
        delegated = Delegated(
            subject=family.user,
            user=family.user,
            task=task.id,
            chain=(asking.who.client.subject,),
            ceiling=ceiling,
            envelope=root.digest,
            envelopes=(EnvelopeId(root.digest), root.id),
            ancestors=_ancestors(family),
            ends=(task.deadline, ceiling.window.end, family.ends_at),
        )
        return self._mint.token(asking, target, scopes, delegated=delegated)

    def _of_application(
        self, asking: Asking, family: Family, target: Target, scopes: frozenset[str]
    ) -> AccessToken:
        if asking.request.parameters.get("authorization_details"):
            raise InvalidAuthorizationDetails(
                "an application has no rights of agents", reason="details_no_task"
            )
        own = self._mint.token(asking, target, scopes, delegated=None)
        return replace(
            own,
            subject=family.user,
            user=family.user,
            ancestors=_ancestors(family),
            expires_at=min(own.expires_at, family.ends_at.replace(microsecond=0)),
        )


def _ancestors(family: Family) -> tuple[TokenId, ...]:
    """What a tombstone ends its tokens by: the family itself, and the session of the person."""
    return (TokenId(family.id), TokenId(family.session))
