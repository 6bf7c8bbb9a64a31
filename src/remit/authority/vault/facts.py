"""What the vault puts on record: ids, versions and words; never a credential, a code or a state."""

from datetime import datetime
from typing import Final

from remit.authority import events
from remit.authority.vault.connection import Connection
from remit.authority.vault.errors import FlowRefused
from remit.authority.vault.flow import Flow
from remit.authority.vault.provider import Provider
from remit.authority.vault.repository import VaultTransaction
from remit.authority.vault.revocation import Revocation
from remit.identity.tools import Server
from remit.kernel.ids import CallId, DecisionId, Entropy, PrincipalId, TenantId

PROVIDER_REGISTERED: Final = "authority.provider.registered"
PROVIDER_RETIRED: Final = "authority.provider.retired"
PROVIDER_REQUIRED: Final = "authority.provider.required"
"""A server was told to get the credential of a provider's connections, or none any more."""
CONNECTION_MADE: Final = "authority.connection.made"
CONNECTION_REFUSED: Final = "authority.connection.refused"
CONNECTION_RENEWED: Final = "authority.connection.renewed"
CONNECTION_BROKEN: Final = "authority.connection.broken"
CONNECTION_ENDED: Final = "authority.connection.ended"
CONNECTION_OPENED: Final = "authority.connection.opened"
UPSTREAM_REVOKED: Final = "authority.upstream.revoked"
UPSTREAM_POSTPONED: Final = "authority.upstream.postponed"

SYSTEM: Final = PrincipalId("system")


def about_provider(
    tx: VaultTransaction,
    fact: str,
    provider: Provider,
    *,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    detail: tuple[tuple[str, str], ...] = (),
) -> None:
    """Record a fact about a provider."""
    events.state(
        tx,
        fact,
        tenant=provider.tenant,
        actor=by,
        agent="",
        at=at,
        entropy=entropy,
        subject=provider.id,
        detail=(("name", provider.name), ("kind", provider.kind), *detail),
    )


def about_connection(
    tx: VaultTransaction,
    fact: str,
    connection: Connection,
    *,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    detail: tuple[tuple[str, str], ...] = (),
) -> None:
    """Record a fact about a connection."""
    place = connection.place
    events.state(
        tx,
        fact,
        tenant=connection.tenant,
        actor=by,
        agent=place.agent,
        user=place.user or "",
        at=at,
        entropy=entropy,
        subject=connection.id,
        detail=(
            ("provider", place.provider),
            ("scopes", " ".join(place.scopes)),
            ("version", str(connection.version)),
            *detail,
        ),
    )


def about_revocation(
    tx: VaultTransaction, fact: str, revocation: Revocation, *, at: datetime, entropy: Entropy
) -> None:
    """Record how an upstream revocation went."""
    place = revocation.place
    events.state(
        tx,
        fact,
        tenant=revocation.tenant,
        actor=SYSTEM,
        agent=place.agent,
        user=place.user or "",
        at=at,
        entropy=entropy,
        subject=revocation.connection,
        codes=(revocation.last or revocation.outcome,),
        detail=(
            ("provider", place.provider),
            ("outcome", revocation.outcome),
            ("tries", str(revocation.tries)),
        ),
    )


def about_opening(
    tx: VaultTransaction,
    connection: Connection,
    decision: DecisionId,
    call: CallId,
    instance: PrincipalId,
    at: datetime,
    entropy: Entropy,
) -> None:
    """Record that a credential left the vault, for which call of whom."""
    place = connection.place
    events.state(
        tx,
        CONNECTION_OPENED,
        tenant=connection.tenant,
        actor=instance,
        agent=place.agent,
        user=place.user or "",
        at=at,
        entropy=entropy,
        decision=decision,
        subject=connection.id,
        detail=(("provider", place.provider), ("version", str(connection.version)), ("call", call)),
    )


def about_server(
    tx: VaultTransaction,
    server: Server,
    provider: Provider | None,
    *,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
) -> None:
    """Record which credential a server's calls carry from now on."""
    scopes = "" if server.credential is None else " ".join(server.credential.scopes)
    events.state(
        tx,
        PROVIDER_REQUIRED,
        tenant=server.tenant,
        actor=by,
        agent="",
        at=at,
        entropy=entropy,
        subject=server.id,
        detail=(("provider", "" if provider is None else provider.id), ("scopes", scopes)),
    )


def about_flow(
    tx: VaultTransaction,
    flow: Flow | None,
    refused: FlowRefused,
    *,
    tenant: TenantId,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
) -> None:
    """Record a refused answer: who brought it, and who had begun (OA-28: both are to be told)."""
    place = None if flow is None else flow.place
    events.state(
        tx,
        CONNECTION_REFUSED,
        tenant=tenant,
        actor=by,
        agent="" if place is None else place.agent,
        user="" if flow is None else flow.user,
        at=at,
        entropy=entropy,
        subject=by,
        codes=(refused.reason,),
        detail=(
            ("step", str(refused.step)),
            ("provider", "" if place is None else place.provider),
            ("begun_by", "" if flow is None else flow.user),
        ),
    )
