"""Our secret at a provider, at rest: sealed for its own place."""

from collections.abc import Sequence

from remit.identity.upstream.provider import IdentityProvider
from remit.kernel.ids import Entropy
from remit.kernel.sealing import Kek, seal, unseal
from remit.kernel.secret import Secret


def secret_place(tenant: str, ident: str) -> Sequence[bytes]:
    """The context of our secret at one provider."""
    return [b"identity/provider", tenant.encode(), ident.encode()]


def hint_place(tenant: str, session: str) -> Sequence[bytes]:
    """The context of a sealed hint: it opens for its own session alone."""
    return [b"identity/upstream-hint", tenant.encode(), session.encode()]


def close_secret(
    secret: Secret | None, provider: IdentityProvider, *, kek: Kek, entropy: Entropy
) -> bytes | None:
    """Seal it."""
    if secret is None:
        return None
    return seal(secret, kek=kek, context=secret_place(provider.tenant, provider.id), entropy=entropy)


def open_secret(sealed: bytes | None, provider: IdentityProvider, *, kek: Kek) -> Secret | None:
    """Open it. Raises `KekWrong`, or `SealBroken` if it was sealed for another place."""
    if sealed is None:
        return None
    return unseal(sealed, kek=kek, context=secret_place(provider.tenant, provider.id))
