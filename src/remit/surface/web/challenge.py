"""`WWW-Authenticate` of what we protect: the way in (RFC 6750 §3, 9449 §7.1, 9728 §5.1)."""

from typing import Final

from remit.authority.oauth.metadata import PROOF_ALGORITHMS, well_known
from remit.authority.oauth.wire.errors import (
    InsufficientAuthentication,
    InsufficientScope,
    MissingToken,
    OAuthError,
)
from remit.authority.oauth.wire.scopes import render

_RESOURCE: Final = "oauth-protected-resource"


def challenge_of(error: OAuthError, *, resource: str, scopes: frozenset[str], bearer: bool = False) -> str:
    """The header's value for one refused request to `resource`, whose usual scopes are `scopes`.

    A request without credentials gets no error code (RFC 6750 §3.1). `bearer` offers that scheme too, for
    clients that know no other.
    """
    needed = scopes | error.scopes if isinstance(error, InsufficientScope) else scopes
    parts = [f'resource_metadata="{well_known(_RESOURCE, resource)}"']
    if not isinstance(error, MissingToken):
        parts.insert(0, f'error="{error.error}"')
    if isinstance(error, InsufficientAuthentication) and error.acr_values:
        parts.append(f'acr_values="{" ".join(error.acr_values)}"')
    if needed:
        parts.append(f'scope="{render(needed)}"')
    common = ", ".join(parts)
    dpop = f'DPoP algs="{" ".join(PROOF_ALGORITHMS)}", {common}'
    return f"{dpop}, Bearer {common}" if bearer else dpop
