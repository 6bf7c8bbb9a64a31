"""A provider's discovery document (OpenID Connect Discovery §3), read for what we need of it."""

from typing import Final

from remit.identity.federation.errors import IssuerUnfit
from remit.identity.federation.registering import check_transport
from remit.identity.upstream.errors import IdentityProviderUnfit
from remit.identity.upstream.provider import OidcClient, Proves
from remit.kernel.canonical import Json, JsonLimits, JsonObject

LIMITS: Final = JsonLimits(size=64 << 10, depth=8, members=2000, string=8 << 10)
OURS: Final = "ES256"
"""What we sign our client assertions with."""


def address_of(issuer: str) -> str:
    """Where the document is (§4): appended, one slash between."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def read_document(
    document: JsonObject,
    *,
    issuer: str,
    client_id: str,
    proves: Proves,
    scopes: tuple[str, ...],
    plain_loopback: bool,
) -> OidcClient:
    """Make a client of what a provider says of itself. Raises `IdentityProviderUnfit`.

    1 the document is of the very issuer that was asked (§4.3; AS-14)   2 it offers the code flow, and S256
    wherever it names PKCE methods   3 it takes the way in which we prove ourselves   4 endpoints are https.
    """
    if document.get("issuer") != issuer:
        raise IdentityProviderUnfit(
            f"the discovery document is not of `{issuer}`, but of `{_text(document, 'issuer')[:200]}`"
        )
    _offers(document, "response_types_supported", "code", absent=False)
    _offers(document, "code_challenge_methods_supported", "S256", absent=True)
    # OpenID Connect Discovery §3: left out, it is `client_secret_basic`.
    _offers(document, "token_endpoint_auth_methods_supported", proves, absent=proves is Proves.BASIC)
    if proves is Proves.KEY:
        _offers(document, "token_endpoint_auth_signing_alg_values_supported", OURS, absent=True)
    client = OidcClient(
        client_id=client_id,
        proves=proves,
        scopes=_scopes(document, scopes),
        authorization_endpoint=_text(document, "authorization_endpoint"),
        token_endpoint=_text(document, "token_endpoint"),
        jwks_uri=_text(document, "jwks_uri"),
        userinfo_endpoint=_text(document, "userinfo_endpoint"),
        par_endpoint=_text(document, "pushed_authorization_request_endpoint"),
        end_session_endpoint=_text(document, "end_session_endpoint"),
        iss_promised=document.get("authorization_response_iss_parameter_supported") is True,
    )
    _check_endpoints(client, plain_loopback=plain_loopback)
    return client


def check_url(url: str, *, what: str, plain_loopback: bool) -> None:
    """Refuse what is no https address; plain http is for this machine, in development."""
    try:
        check_transport(url, plain_loopback=plain_loopback)
    except IssuerUnfit as unfit:
        raise IdentityProviderUnfit(f"{what}: {unfit.hint}", next_step=unfit.next_step) from unfit


def _check_endpoints(client: OidcClient, *, plain_loopback: bool) -> None:
    needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    for name in (*needed, "userinfo_endpoint", "par_endpoint", "end_session_endpoint"):
        url: str = getattr(client, name)
        if url or name in needed:
            check_url(url, what=f"`{name}` of the discovery document", plain_loopback=plain_loopback)


def _offers(document: JsonObject, member: str, wanted: str, *, absent: bool) -> None:
    found = document.get(member)
    if found is None and absent:
        return
    if not isinstance(found, list) or wanted not in found:
        raise IdentityProviderUnfit(
            f"the provider does not offer `{wanted}`: `{member}` is {_shown(found)}",
            next_step="see docs/guides/sign-in-with.md",
        )


def _scopes(document: JsonObject, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """What we ask for, without what the provider says that it does not know."""
    known = document.get("scopes_supported")
    if not isinstance(known, list):
        return wanted
    return tuple(scope for scope in wanted if scope == "openid" or scope in known)


def _text(document: JsonObject, name: str) -> str:
    value = document.get(name, "")
    return value if isinstance(value, str) else ""


def _shown(found: Json) -> str:
    if not isinstance(found, list):
        return "absent"
    return ", ".join(f"`{each}`" for each in found[:8] if isinstance(each, str)) or "empty"
