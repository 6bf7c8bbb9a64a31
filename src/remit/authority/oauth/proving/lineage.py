"""Whether a token or a client lives: the one question of N2, asked here by every endpoint and verifier."""

from datetime import datetime

from remit.authority.alive import Alive, Dead, alive
from remit.authority.oauth.asking.families import Family, why_over
from remit.authority.oauth.clients.client import Client
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.repository import Standing, View
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oidc.id_token import IdToken
from remit.authority.tasks import Lineage
from remit.identity.principals import Kind
from remit.kernel.ids import KeyId, PrincipalId


def why_dead(view: Standing, token: AccessToken, *, generation: int, at: datetime) -> str:
    """A stable reason code why a token is dead, or an empty string.

    A token of an older generation of the clock is dead (P16).
    """
    if at >= token.expires_at:
        return "token_expired"
    if token.generation != generation:
        return "clock_generation"
    return _reason(alive(view, token_lineage(view, token), at))


def client_dead(view: Standing, client: Client, *, credential: KeyId, at: datetime) -> str:
    """A stable reason code why a client may not even ask, or an empty string."""
    lineage = Lineage(
        tenant=client.tenant,
        user=None,
        task=None,
        grant=None,
        chain=(client.id,),
        principals=view.line(client.id),
        envelope=None,
        others=frozenset({str(credential)}),
    )
    return _reason(alive(view, lineage, at))


def registration_dead(view: Standing, registration: ClientRegistration, *, at: datetime) -> str:
    """A stable reason code why a client that has proven nothing yet gets nothing, or an empty string."""
    lineage = Lineage(
        tenant=registration.tenant,
        user=None,
        task=None,
        grant=None,
        chain=(registration.principal,),
        principals=view.line(registration.principal),
        envelope=None,
        others=frozenset({registration.client_id}),
    )
    return _reason(alive(view, lineage, at))


def family_dead(view: Standing, family: Family, *, at: datetime) -> str:
    """A stable reason code why nothing more comes of a family, or an empty string."""
    task = None if family.task is None else view.task(family.task)
    lineage = Lineage(
        tenant=family.tenant,
        user=family.user,
        task=family.task,
        grant=None if task is None else task.grant,
        chain=(family.principal,),
        principals=view.line(family.principal),
        envelope=None if task is None else task.root,
        others=frozenset({str(family.id), str(family.session), family.key, family.client_id} - {""}),
        companions=() if task is None else task.companions,
    )
    return why_over(family, at=at) or _reason(alive(view, lineage, at))


def id_token_dead(view: View, token: IdToken, *, at: datetime) -> str:
    """A stable reason code why an ID token of ours counts no more, or an empty string.

    It stands on the person, on the client, on the session and all that came of the same answer, and on the
    task of an agent's client.
    """
    if at >= token.expires_at:
        return "token_expired"
    registration = view.registration(token.audience)
    # An instance that nobody registered is called by its own id.
    principal = PrincipalId(token.audience) if registration is None else registration.principal
    known = view.principal(principal)
    if known is None or not (known.kind is Kind.INSTANCE if registration is None else registration.live):
        return "client_unknown"
    task = None if token.task is None else view.task(token.task)
    lineage = Lineage(
        tenant=token.tenant,
        user=token.subject,
        task=token.task,
        grant=None if task is None else task.grant,
        chain=(principal,),
        principals=view.line(principal),
        envelope=None if task is None else task.root,
        others=frozenset({str(token.session), *token.ancestors, token.audience}),
        companions=() if task is None else task.companions,
    )
    return _reason(alive(view, lineage, at))


def token_lineage(view: Standing, token: AccessToken) -> Lineage:
    """Client, every member of the chain, user, task, consent, envelopes, keys and tokens it came from."""
    task = None if token.task is None else view.task(token.task)
    chain = tuple(PrincipalId(member) for member in token.instances) or (token.client,)
    return Lineage(
        tenant=token.tenant,
        user=token.user,
        task=token.task,
        grant=None if task is None else task.grant,
        chain=chain,
        principals=frozenset().union(*map(view.line, {token.client, *chain})),
        envelope=token.envelopes[-1] if token.envelopes else None,
        others=frozenset(
            {
                token.id,
                token.key,
                token.certificate,
                token.credential,
                *token.ancestors,
                *token.envelopes,
            }
            - {""}
        ),
        companions=() if task is None else task.companions,
    )


def _reason(verdict: Alive | Dead) -> str:
    match verdict:
        case Dead() as dead:
            return dead.reason
        case Alive():
            return ""
