"""An agent's instance as a client that nobody registered: it asks people behind the scenes, and renews that.

It proves itself by its own key, and is sent nowhere: so there is nothing that a registration would have to
say. What was registered counts alone: an instance that is a client under another name is none of its own.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from remit.authority.oauth.clients.client import Client
from remit.authority.oauth.clients.registration import (
    CIBA,
    REFRESH,
    ApplicationType,
    AuthMethod,
    ClientRegistration,
    RegistrationKind,
    SessionLimits,
    digest_of,
)
from remit.authority.oauth.repository import OAuthTransaction
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import PrincipalId, TenantId

LIMITS: Final = SessionLimits(lifetime=timedelta(hours=8), idle=timedelta(hours=2))
"""How long a yes to such an instance lasts: a day's work, and then its person is asked anew."""


def registration_of(tx: OAuthTransaction, client_id: str) -> ClientRegistration | None:
    """What a client was registered for, or what an instance is without that."""
    found = tx.registrations.get(client_id)
    if found is not None:
        return found
    instance = tx.principals.get(PrincipalId(client_id))
    if instance is None or instance.kind is not Kind.INSTANCE or tx.registrations.of(instance.id):
        return None
    agent = None if instance.parent is None else tx.principals.get(instance.parent)
    return None if agent is None else _own(instance, agent)


def terms_of(client: Client) -> ClientRegistration | None:
    """The same of a client that has proven itself: for the terms alone, nobody reads its name there."""
    if client.registration is not None or client.kind is not Kind.INSTANCE:
        return client.registration
    return _terms(client.id, name=client.name, tenant=client.tenant, made=_EVER, changed=_EVER)


_EVER: Final = datetime.min.replace(tzinfo=UTC)


def _own(instance: Principal, agent: Principal) -> ClientRegistration:
    return _terms(
        instance.id,
        name=agent.name,
        tenant=instance.tenant,
        made=instance.created_at,
        changed=instance.changed_at,
    )


def _terms(
    ident: PrincipalId, *, name: str, tenant: TenantId, made: datetime, changed: datetime
) -> ClientRegistration:
    method = AuthMethod.PRIVATE_KEY_JWT
    return ClientRegistration(
        client_id=ident,
        tenant=tenant,
        principal=ident,
        # Whoever registered its agent vouches for it.
        kind=RegistrationKind.PRE_REGISTERED,
        name=name,
        redirect_uris=(),
        application_type=ApplicationType.NATIVE,
        auth_method=method,
        grant_types=frozenset({CIBA, REFRESH}),
        limits=LIMITS,
        digest=digest_of(name=name, redirect_uris=(), auth_method=method, jwks=None, jwks_uri=None),
        created_at=made,
        changed_at=changed,
    )
