"""Credentials at rest: each sealed for its own place, so that no row opens in another person's."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from remit.authority.vault.connection import Connection
from remit.authority.vault.provider import ProviderId
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.sealing import Kek, seal, unseal
from remit.kernel.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a provider gave us for one connection; a static key is an access token that nobody renews."""

    access: Secret
    refresh: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSeal:
    """Seals and opens under the key-encryption key; `context` names the place and is authenticated."""

    kek: Kek
    entropy: Entropy

    def close(self, tokens: Tokens, context: Sequence[bytes]) -> bytes:
        """Seal the credentials of one place."""
        refresh = tokens.refresh.reveal().decode() if tokens.refresh is not None else None
        plain = json.dumps({"access": tokens.access.reveal().decode(), "refresh": refresh}).encode()
        return self.close_one(Secret(plain), context)

    def open(self, sealed: bytes, context: Sequence[bytes]) -> Tokens:
        """Open them. Raises `KekWrong`, or `SealBroken` if they were sealed for another place."""
        found = json.loads(self.open_one(sealed, context).reveal())
        refresh = found["refresh"]
        return Tokens(
            access=Secret(found["access"].encode()),
            refresh=None if refresh is None else Secret(refresh.encode()),
        )

    def close_one(self, plain: Secret, context: Sequence[bytes]) -> bytes:
        """Seal one secret."""
        return seal(plain, kek=self.kek, context=context, entropy=self.entropy)

    def open_one(self, sealed: bytes, context: Sequence[bytes]) -> Secret:
        """Open one secret."""
        return unseal(sealed, kek=self.kek, context=context)


def place_of(connection: Connection) -> Sequence[bytes]:
    """The context of a connection's credentials.

    SAFETY: person, agent, provider and scopes are in it: a row that somebody moved opens for nobody (N28).
    """
    at = connection.place
    return connection_place(
        connection.tenant, connection.id, at.user or "", at.agent, at.provider, " ".join(at.scopes)
    )


def connection_place(
    tenant: str, ident: str, user: str, agent: str, provider: str, scopes: str
) -> Sequence[bytes]:
    """The same from the columns."""
    return _framed("vault/connection", tenant, ident, user, agent, provider, scopes)


def provider_place(tenant: TenantId | str, ident: ProviderId | str) -> Sequence[bytes]:
    """The context of our own secret at a provider."""
    return _framed("vault/provider", tenant, ident)


def flow_place(tenant: TenantId | str, state: str) -> Sequence[bytes]:
    """The context of a flow's PKCE verifier."""
    return _framed("vault/flow", tenant, state)


def revocation_place(tenant: TenantId | str, ident: str) -> Sequence[bytes]:
    """The context of what waits to be revoked."""
    return _framed("vault/revocation", tenant, ident)


def _framed(*parts: str) -> Sequence[bytes]:
    return [part.encode() for part in parts]
