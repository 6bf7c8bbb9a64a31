"""Letting a client in, changing it and putting it out, inside an open transaction.

A client is an instance of an agent, with its keys in the directory; so whatever stops agents stops clients.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.authority.oauth.clients.client import BINDING_ATTRIBUTE, Binding
from remit.authority.oauth.clients.keys import stated_keys
from remit.authority.oauth.clients.metadata import StatedClient
from remit.authority.oauth.clients.registration import (
    LIMITS,
    OFFERED,
    ClientRegistration,
    RegistrationKind,
    SessionLimits,
    digest_of,
)
from remit.authority.oauth.enrolling import client_records as records
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.errors import InvalidClientMetadata
from remit.identity import endings
from remit.identity.credential_service import add_key
from remit.identity.credentials import CredentialState
from remit.identity.errors import SharedCredential
from remit.identity.principals import PREFIX, Environment, Kind, Principal
from remit.identity.registration import PROVEN_BY, Registration
from remit.identity.service import activate, known, register
from remit.kernel.canonical import Digest
from remit.kernel.errors import Conflict, NotFound
from remit.kernel.ids import Entropy, PrincipalId, TenantId, mint_id

TOMBSTONE: Final = "client"
_BY_CLIENT: Final = "client"


class UnknownClient(NotFound):
    """No such client, or none that is still one."""

    code = "unknown_client"


class ClientTaken(Conflict):
    """The id is another client's, or was."""

    code = "client_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A client that is about to be let in. `agent` None: an application that only signs people in."""

    stated: StatedClient
    kind: RegistrationKind
    agent: PrincipalId | None
    client_id: str = ""
    """Only for a metadata document; every other client gets an id of ours."""
    purpose: str = ""
    environment: Environment | None = None
    bearer: bool = False
    """Whether it may have tokens that are bound to no key."""
    grant_types: frozenset[str] = frozenset()
    """Grants beyond those that it may ask for itself."""
    limits: SessionLimits = LIMITS
    requires: frozenset[str] = frozenset()
    access_digest: Digest | None = None
    fresh_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who does it, when, for which tenant, with which randomness."""

    tenant: TenantId
    by: PrincipalId
    at: datetime
    entropy: Entropy


def enrol(tx: OAuthTransaction, wanted: Enrolment, act: Act) -> ClientRegistration:
    """Make the instance or the application, register its keys, and the client.

    Raises `ClientTaken`, `InvalidClientMetadata` for a key that is another's, or as the directory does.
    """
    principal = _principal(tx, wanted, act)
    stated = wanted.stated
    registration = _described(
        ClientRegistration(
            client_id=wanted.client_id or _own_id(wanted, principal, act),
            tenant=act.tenant,
            principal=principal.id,
            kind=wanted.kind,
            name=stated.name,
            redirect_uris=stated.redirect_uris,
            application_type=stated.application_type,
            auth_method=stated.auth_method,
            limits=wanted.limits,
            requires=wanted.requires,
            digest="",
            access_digest=wanted.access_digest,
            fresh_until=wanted.fresh_until,
            dpop_bound=not wanted.bearer,
            created_at=act.at,
            changed_at=act.at,
        ),
        stated,
        wanted.grant_types,
    )
    if not tx.registrations.add(registration):
        raise ClientTaken(f"client `{registration.client_id[:256]}` was registered before")
    tx.touch("registration", registration.principal)
    _note(tx, records.REGISTERED, registration, act)
    return registration


def amend(
    tx: OAuthTransaction,
    present: ClientRegistration,
    stated: StatedClient,
    act: Act,
    *,
    fresh_until: datetime | None = None,
) -> ClientRegistration:
    """Put new metadata in the place of the old ones; a key that is not among them any more is dead."""
    extra = present.grant_types - OFFERED
    changed = replace(
        _described(present, stated, extra), fresh_until=fresh_until, changed_at=present.changed_at
    )
    tx.touch("registration", present.principal)
    if replace(changed, fresh_until=present.fresh_until) == present:
        tx.registrations.put(changed)
        return changed
    changed = replace(changed, changed_at=act.at)
    # What a client may do can become less; who judged by the old metadata must judge again.
    tx.advance_epoch(f"client-changed:{present.principal}")
    _swap_keys(tx, present, changed, act)
    if not tx.registrations.put(changed):
        raise _unknown(present.client_id)
    _note(tx, records.CHANGED, changed, act)
    return changed


def set_terms(
    tx: OAuthTransaction,
    present: ClientRegistration,
    limits: SessionLimits,
    requires: frozenset[str],
    act: Act,
) -> ClientRegistration:
    """Change how long sessions last and what a sign-in must be; from now on, for what is open too."""
    changed = replace(present, limits=limits, requires=requires, changed_at=act.at)
    if not tx.registrations.put(changed):
        raise _unknown(present.client_id)
    _note(tx, records.CHANGED, changed, act)
    return changed


def revoke(
    tx: OAuthTransaction, present: ClientRegistration, act: Act, *, because: str
) -> ClientRegistration:
    """Put a client out for good, with the instance or application that it was, its keys and tokens."""
    changed = replace(present, revoked_at=act.at, changed_at=act.at)
    if not present.live or not tx.registrations.put(changed):
        raise _unknown(present.client_id)
    principal = known(tx, present.principal)
    endings.retire(tx, principal, by=act.by, because=because, at=act.at, entropy=act.entropy)
    epoch = tx.advance_epoch(f"client:{present.principal}")
    tx.lineage.bury(TOMBSTONE, present.client_id, cause="revoked", epoch=epoch, at=act.at)
    tx.touch("tombstone", present.client_id)
    tx.touch("registration", present.principal)
    _note(tx, records.REVOKED, changed, act, because=because)
    return changed


def stated_of(present: ClientRegistration, *, jwks: str | None) -> StatedClient:
    """What a client is, with other keys."""
    return StatedClient(
        name=present.name,
        redirect_uris=present.redirect_uris,
        application_type=present.application_type,
        auth_method=present.auth_method,
        jwks=jwks,
        jwks_uri=present.jwks_uri,
        certificate=present.certificate,
        grant_types=present.grant_types & OFFERED,
        scope=present.scope,
        require_par=present.require_par,
        signed_requests=present.signed_requests,
        dpop_bound=present.dpop_bound,
        certificate_bound=present.certificate_bound,
        id_token_alg=present.id_token_alg,
        post_logout_redirect_uris=present.post_logout_redirect_uris,
        backchannel_logout_uri=present.backchannel_logout_uri,
        delivery=present.delivery,
        notification_endpoint=present.notification_endpoint,
    )


def live(tx: OAuthTransaction, client_id: str) -> ClientRegistration:
    """A client that was not revoked. Raises `UnknownClient`."""
    found = tx.registrations.get(client_id)
    if found is None or not found.live:
        raise _unknown(client_id)
    return found


def _described(before: ClientRegistration, stated: StatedClient, extra: frozenset[str]) -> ClientRegistration:
    return replace(
        before,
        name=stated.name,
        redirect_uris=stated.redirect_uris,
        application_type=stated.application_type,
        auth_method=stated.auth_method,
        jwks=stated.jwks,
        jwks_uri=stated.jwks_uri,
        certificate=stated.certificate,
        grant_types=stated.grant_types | extra,
        scope=stated.scope,
        require_par=stated.require_par,
        signed_requests=stated.signed_requests,
        dpop_bound=before.dpop_bound or stated.dpop_bound,
        certificate_bound=stated.certificate_bound,
        id_token_alg=stated.id_token_alg,
        post_logout_redirect_uris=stated.post_logout_redirect_uris,
        backchannel_logout_uri=stated.backchannel_logout_uri,
        delivery=stated.delivery,
        notification_endpoint=stated.notification_endpoint,
        digest=digest_of(
            name=stated.name,
            redirect_uris=stated.redirect_uris,
            auth_method=stated.auth_method,
            # Keys behind an address may rotate there; the address itself may not change unseen.
            jwks=None if stated.jwks_uri else stated.jwks,
            jwks_uri=stated.jwks_uri,
            certificate=stated.certificate,
            notified=stated.notification_endpoint,
        ),
    )


def _principal(tx: OAuthTransaction, wanted: Enrolment, act: Act) -> Principal:
    kind = Kind.APPLICATION if wanted.agent is None else Kind.INSTANCE
    ident = PrincipalId(mint_id(PREFIX[kind], at=act.at, entropy=act.entropy))
    stated = Registration(
        kind=kind,
        name=wanted.stated.name if wanted.agent is None else ident,
        owner=act.by if wanted.agent is None else None,
        purpose=wanted.purpose,
        environment=wanted.environment,
        parent=wanted.agent,
        attributes=_attributes(wanted),
    )
    entry = register(tx, stated, act.tenant, act.by, act.at, act.entropy, ident=ident)
    _add_keys(tx, entry, wanted.stated.jwks, act)
    return activate(tx, ident, act.by, act.at, act.entropy)


def _attributes(wanted: Enrolment) -> tuple[tuple[str, str], ...]:
    bearer = ((BINDING_ATTRIBUTE, str(Binding.BEARER)),) if wanted.bearer else ()
    return bearer if wanted.agent is None else ((PROVEN_BY, _BY_CLIENT), *bearer)


def _own_id(wanted: Enrolment, principal: Principal, act: Act) -> str:
    if wanted.kind is RegistrationKind.DYNAMIC:
        return mint_id("cli", at=act.at, entropy=act.entropy)
    return str(principal.id)


def _add_keys(tx: OAuthTransaction, entry: Principal, jwks: str | None, act: Act) -> None:
    registered = {key.thumbprint for key in tx.credentials.of(entry.id)}
    for key in stated_keys(jwks) if jwks else ():
        if key.public.thumbprint in registered:
            continue
        jwk = {**key.public.jwk(), "alg": str(key.public.algorithm)}
        added = add_key(tx, entry, jwk, act.by, act.at, act.entropy)
        if isinstance(added, SharedCredential):
            raise InvalidClientMetadata(added.hint, reason=added.code) from added
        registered.add(key.public.thumbprint)


def _swap_keys(tx: OAuthTransaction, before: ClientRegistration, after: ClientRegistration, act: Act) -> None:
    if before.jwks == after.jwks:
        return
    entry = known(tx, after.principal)
    kept = {key.public.thumbprint for key in stated_keys(after.jwks)} if after.jwks else set()
    _add_keys(tx, entry, after.jwks, act)
    gone = [
        key
        for key in tx.credentials.of(entry.id)
        if key.state is CredentialState.ACTIVE and key.thumbprint not in kept
    ]
    if not gone:
        return
    epoch = tx.advance_epoch(f"client-keys:{entry.id}")
    for key in gone:
        tx.credentials.revoke(key.id)
        endings.bury_key(tx, key.id, key.thumbprint, cause="rotated", epoch=epoch, at=act.at)


def _note(tx: OAuthTransaction, fact: str, about: ClientRegistration, act: Act, *, because: str = "") -> None:
    records.state(tx, fact, about, by=act.by, at=act.at, entropy=act.entropy, because=because)


def _unknown(client_id: str) -> UnknownClient:
    return UnknownClient(f"no client `{client_id[:256]}`", next_step="remit client list")
