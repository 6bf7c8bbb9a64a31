"""What a client says of itself, by the names of RFC 7591 §2: read once, the same for everybody who says it.

A member that we do not know is ignored (§2); one that we know and can't read is refused, never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from remit.authority.oauth.clients.keys import read_jwks
from remit.authority.oauth.clients.registration import (
    CIBA,
    CODE,
    DEVICE,
    GRANTS,
    OFFERED,
    ApplicationType,
    AuthMethod,
    Delivery,
)
from remit.authority.oauth.clients.uris import UnfitUri, check_https, check_redirect, is_loopback_uri
from remit.authority.oauth.wire.errors import (
    InvalidClientMetadata,
    InvalidRedirectUri,
    InvalidSoftwareStatement,
    UnapprovedSoftwareStatement,
)
from remit.authority.oidc.id_token import SIGNED_BY
from remit.kernel.canonical import Json, canonical_json
from remit.kernel.jose.algorithms import Algorithm

REDIRECTS_LIMIT: Final = 16
NAME_LIMIT: Final = 128
SCOPE_LIMIT: Final = 1024
CERTIFICATE_NAMES: Final = ("subject_dn", "san_dns", "san_uri", "san_ip", "san_email")
"""RFC 8705 §2.1.2: a client of `tls_client_auth` says exactly one of them."""
_JWT_DOTS: Final = 2
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedClient:
    """Metadata that hold together: what may be put into a registration as it is."""

    name: str
    redirect_uris: tuple[str, ...]
    application_type: ApplicationType
    auth_method: AuthMethod
    jwks: str | None = None
    jwks_uri: str | None = None
    certificate: tuple[str, str] | None = None
    grant_types: frozenset[str] = GRANTS
    scope: str = ""
    require_par: bool = False
    signed_requests: bool = False
    dpop_bound: bool = False
    certificate_bound: bool = False
    id_token_alg: Algorithm = Algorithm.ES256
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    delivery: Delivery = Delivery.POLL
    notification_endpoint: str | None = None


def read_metadata(document: Mapping[str, Json], *, lenient: bool = False) -> StatedClient:
    """Read client metadata.

    `lenient`: written for every server at once (a metadata document), so that grants and response types
    that are not served here are left out instead of refused.
    Raises `InvalidRedirectUri`, `InvalidClientMetadata`, or an error about a software statement.
    """
    _refuse_secrets(document)
    _refuse_statement(document)
    redirects = _texts(document, "redirect_uris")
    kind = _application_type(document, redirects)
    granted = _grants(document, lenient=lenient)
    _check_redirects(redirects, native=kind is ApplicationType.NATIVE, needed=CODE in granted)
    jwks, jwks_uri = _keys(document)
    method = _method(document, keyed=bool(jwks or jwks_uri))
    if CIBA in granted and method is AuthMethod.NONE:
        # CIBA §5: in the name of a client that proves nothing anybody could ask people.
        if not lenient:
            raise InvalidClientMetadata(
                "a client that asks people behind the scenes proves itself: give it keys"
            )
        granted -= {CIBA}
    delivery, notified = _delivery(document, granted)
    certificate = _certificate(document, method)
    _check_proof(method, jwks, jwks_uri)
    return StatedClient(
        name=_name(document),
        redirect_uris=redirects,
        application_type=kind,
        auth_method=method,
        jwks=jwks,
        jwks_uri=jwks_uri,
        certificate=certificate,
        grant_types=granted,
        scope=_scope(document),
        require_par=_flag(document, "require_pushed_authorization_requests"),
        signed_requests=_flag(document, "require_signed_request_object"),
        dpop_bound=_flag(document, "dpop_bound_access_tokens"),
        certificate_bound=_flag(document, "tls_client_certificate_bound_access_tokens"),
        id_token_alg=_id_token_alg(document),
        post_logout_redirect_uris=_logouts(document, native=kind is ApplicationType.NATIVE),
        backchannel_logout_uri=_backchannel(document),
        delivery=delivery,
        notification_endpoint=notified,
    )


def _refuse_secrets(document: Mapping[str, Json]) -> None:
    found = next((name for name in document if name.startswith("client_secret")), "")
    if found:
        raise InvalidClientMetadata(f"`{found}` has no place here: no client has a shared secret")


def _refuse_statement(document: Mapping[str, Json]) -> None:
    statement = document.get("software_statement")
    if statement is None:
        return
    if not isinstance(statement, str) or statement.count(".") != _JWT_DOTS:
        raise InvalidSoftwareStatement("`software_statement` is no signed JWT")
    raise UnapprovedSoftwareStatement("nobody's software statements are believed here: leave it out")


def _application_type(document: Mapping[str, Json], redirects: tuple[str, ...]) -> ApplicationType:
    stated = _text(document, "application_type")
    if stated:
        return _member(ApplicationType, stated, "application_type")
    # COMPAT: MCP clients that say nothing come back on loopback; the page that asks for consent warns.
    local = any(is_loopback_uri(uri) or not uri.startswith(("https://", "http://")) for uri in redirects)
    return ApplicationType.NATIVE if local else ApplicationType.WEB


def _check_redirects(redirects: tuple[str, ...], *, native: bool, needed: bool) -> None:
    if needed and not redirects:
        raise InvalidRedirectUri("`redirect_uris` must name where a person is sent back to")
    if len(redirects) > REDIRECTS_LIMIT or len(set(redirects)) != len(redirects):
        raise InvalidRedirectUri(
            f"`redirect_uris` has {len(redirects)} members, the limit is {REDIRECTS_LIMIT}, each once"
        )
    for uri in redirects:
        try:
            check_redirect(uri, native=native)
        except UnfitUri as unfit:
            raise InvalidRedirectUri(unfit.hint) from unfit


def _keys(document: Mapping[str, Json]) -> tuple[str | None, str | None]:
    jwks, uri = document.get("jwks"), _text(document, "jwks_uri")
    if jwks is not None and uri:
        raise InvalidClientMetadata("`jwks` and `jwks_uri` exclude each other (RFC 7591 §2)")
    if uri:
        return None, _https(uri, "jwks_uri")
    return (None, None) if jwks is None else (canonical_json(read_jwks(jwks)).decode(), None)


def _method(document: Mapping[str, Json], *, keyed: bool) -> AuthMethod:
    stated = _text(document, "token_endpoint_auth_method")
    if not stated:
        # RFC 7591 §2 says `client_secret_basic`; no such method is served, so keys say what is meant.
        return AuthMethod.PRIVATE_KEY_JWT if keyed else AuthMethod.NONE
    return _member(AuthMethod, stated, "token_endpoint_auth_method")


def _check_proof(method: AuthMethod, jwks: str | None, jwks_uri: str | None) -> None:
    keyed = jwks is not None or jwks_uri is not None
    if method is AuthMethod.PRIVATE_KEY_JWT and not keyed:
        raise InvalidClientMetadata("`private_key_jwt` needs `jwks` or `jwks_uri`")
    if method is AuthMethod.SELF_SIGNED_TLS and jwks is None:
        raise InvalidClientMetadata("`self_signed_tls_client_auth` needs `jwks` with `x5c`")


def _certificate(document: Mapping[str, Json], method: AuthMethod) -> tuple[str, str] | None:
    stated = {name: _text(document, f"tls_client_auth_{name}") for name in CERTIFICATE_NAMES}
    named = [(name, value) for name, value in stated.items() if value]
    if (len(named) == 1) != (method is AuthMethod.TLS) or len(named) > 1:
        raise InvalidClientMetadata(
            "`tls_client_auth` names exactly one `tls_client_auth_…` (RFC 8705 §2.1.2)"
        )
    return named[0] if named else None


def _grants(document: Mapping[str, Json], *, lenient: bool) -> frozenset[str]:
    stated = frozenset(_texts(document, "grant_types"))
    responses = frozenset(_texts(document, "response_types")) or {"code"}
    granted = stated & OFFERED if stated else GRANTS
    if not granted & {DEVICE, CIBA} and ("code" not in responses or CODE not in granted):
        raise InvalidClientMetadata("a client here uses `authorization_code` with response type `code`")
    if not lenient and (stated - OFFERED or responses != {"code"}):
        raise InvalidClientMetadata("a grant or response type is none that a client may register for")
    return granted


def _scope(document: Mapping[str, Json]) -> str:
    text = _text(document, "scope")
    if len(text) > SCOPE_LIMIT:
        raise InvalidClientMetadata(f"`scope` has {len(text)} characters, the limit is {SCOPE_LIMIT}")
    return " ".join(sorted(set(text.split(" ")) - {""}))


def _name(document: Mapping[str, Json]) -> str:
    name = _text(document, "client_name").strip()
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise InvalidClientMetadata(f"`client_name` must be 1 to {NAME_LIMIT} printable characters")
    return name


def _logouts(document: Mapping[str, Json], *, native: bool) -> tuple[str, ...]:
    uris = _texts(document, "post_logout_redirect_uris")
    if len(uris) > REDIRECTS_LIMIT:
        raise InvalidClientMetadata(f"`post_logout_redirect_uris` is over the limit of {REDIRECTS_LIMIT}")
    try:
        return tuple(check_redirect(uri, native=native) for uri in uris)
    except UnfitUri as unfit:
        raise InvalidClientMetadata(f"`post_logout_redirect_uris`: {unfit.hint}") from unfit


def _id_token_alg(document: Mapping[str, Json]) -> Algorithm:
    """OpenID Connect Registration §2, but for its default: it says RS256, we say what most of them take."""
    stated = _text(document, "id_token_signed_response_alg") or Algorithm.ES256
    if stated not in set(SIGNED_BY):
        served = ", ".join(f"`{each}`" for each in SIGNED_BY)
        raise InvalidClientMetadata(f"`id_token_signed_response_alg` is `{stated[:64]}`, served are {served}")
    return Algorithm(stated)


def _backchannel(document: Mapping[str, Json]) -> str | None:
    uri = _text(document, "backchannel_logout_uri")
    return _https(uri, "backchannel_logout_uri") if uri else None


def _delivery(document: Mapping[str, Json], granted: frozenset[str]) -> tuple[Delivery, str | None]:
    """How it learns of answers (CIBA Core §4): where it is told, it says where."""
    if _flag(document, "backchannel_user_code_parameter"):
        raise InvalidClientMetadata("`backchannel_user_code_parameter`: no codes of people are asked here")
    stated = _text(document, "backchannel_token_delivery_mode")
    uri = _text(document, "backchannel_client_notification_endpoint")
    if CIBA not in granted or not stated:
        return Delivery.POLL, None
    mode = _member(Delivery, stated, "backchannel_token_delivery_mode")
    if (mode is Delivery.POLL) == bool(uri):
        raise InvalidClientMetadata(
            "`backchannel_client_notification_endpoint` goes with the delivery modes `ping` and `push` alone"
        )
    return mode, _https(uri, "backchannel_client_notification_endpoint") if uri else None


def _https(uri: str, name: str) -> str:
    try:
        return check_https(uri)
    except UnfitUri as unfit:
        raise InvalidClientMetadata(f"`{name}`: {unfit.hint}") from unfit


def _text(document: Mapping[str, Json], name: str) -> str:
    value = document.get(name, "")
    if not isinstance(value, str):
        raise InvalidClientMetadata(f"`{name}` must be a string")
    return value


def _texts(document: Mapping[str, Json], name: str) -> tuple[str, ...]:
    value = document.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        wrong = InvalidRedirectUri if name == "redirect_uris" else InvalidClientMetadata
        raise wrong(f"`{name}` must be an array of strings")
    return tuple(str(item) for item in value)


def _flag(document: Mapping[str, Json], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise InvalidClientMetadata(f"`{name}` must be true or false")
    return value


def _member(kind: type[E], value: str, name: str) -> E:
    try:
        return kind(value)
    except ValueError as unknown:
        lawful = ", ".join(f"`{member}`" for member in kind)
        raise InvalidClientMetadata(f"`{name}` is `{value[:64]}`, served are {lawful}") from unknown
