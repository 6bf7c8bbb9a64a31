"""What a client asks of a person at `/authorize` or by PAR: read whole, then believed as a whole.

Two steps, because they fail differently (RFC 6749 §4.1.2.1). `returning` finds out where an answer may go:
whatever fails before that is told on a page of ours, and nobody is sent anywhere. `read_request` reads the
rest: whatever fails there is told to the client, by a redirect.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.authority.oauth.clients import redirects
from remit.authority.oauth.clients.registration import CODE, ClientRegistration
from remit.authority.oauth.wire import action_scopes
from remit.authority.oauth.wire.errors import (
    InvalidDpopProof,
    InvalidRequest,
    OAuthError,
    UnauthorizedClient,
    UnsupportedResponseType,
)
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.oauth.wire.pkce import check_challenge
from remit.authority.oauth.wire.rar import check_form
from remit.authority.oauth.wire.scopes import AT_USERINFO, parse_scope
from remit.authority.oidc import claims_request
from remit.authority.oidc.claims_request import NOTHING as NO_CLAIMS
from remit.authority.oidc.claims_request import ClaimsRequest, UnfitClaims
from remit.authority.oidc.disclosure import Disclosure

STATE_LIMIT: Final = 2048
NONCE_LIMIT: Final = 512
HINT_LIMIT: Final = 8 << 10
_LONGEST_AGE: Final = 10**9
_AGE: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class Prompt(StrEnum):
    """What a client wants of the pages (OpenID Connect Core §3.1.2.1)."""

    NONE = "none"
    LOGIN = "login"
    CONSENT = "consent"
    SELECT_ACCOUNT = "select_account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Returning:
    """Where the answer to a request goes, verified, and what the client knows it by."""

    client_id: str
    redirect_uri: str
    redirect_stated: bool
    """Whether the request said it; the token request must then repeat it, if it says any."""
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request in which every parameter was read; nothing in it is looked up yet.

    `details` is the text of `authorization_details`, of the right form, or empty; `key` is the thumbprint
    that the code will be bound to (RFC 9449 §10), or empty; `max_age` is in seconds.
    """

    returning: Returning
    scopes: frozenset[str]
    resource: str
    challenge: str
    key: str = ""
    details: str = ""
    nonce: str = ""
    prompt: frozenset[Prompt] = frozenset()
    max_age: int | None = None
    acr: tuple[str, ...] = ()
    claims: ClaimsRequest = NO_CLAIMS
    hint: str = ""
    """Text of `id_token_hint`, not yet verified, or empty."""

    @property
    def disclosure(self) -> Disclosure:
        """What the client wants to learn of the person: the scopes asked, and those of the claims asked."""
        scopes = self.scopes & {str(scope) for scope in AT_USERINFO}
        return Disclosure(scopes=scopes | self.claims.scopes, in_token=self.claims.in_token)


def returning(parameters: Parameters, registration: ClientRegistration) -> Returning:
    """Where the answer goes. Raises `InvalidRequest`, which is for a page of ours alone."""
    stated = parameters.get("redirect_uri")
    where = stated or redirects.only_one(registration)
    if not where:
        raise InvalidRequest("`redirect_uri` is missing", reason="redirect_missing")
    if not redirects.accepts(registration, where):
        raise InvalidRequest("`redirect_uri` is not registered for this client", reason="redirect_unknown")
    return Returning(
        client_id=registration.client_id,
        redirect_uri=where,
        redirect_stated=bool(stated),
        state=parameters.get("state"),
    )


def read_request(
    parameters: Parameters, where: Returning, registration: ClientRegistration, *, pushed: bool
) -> AuthorizationRequest:
    """Read everything else; each failure has the name that RFC 6749 §4.1.2.1 or its extension gives it."""
    _check_kind(parameters, registration, pushed=pushed)
    claims = _claims(parameters.get("claims"))
    return AuthorizationRequest(
        returning=where,
        challenge=check_challenge(parameters.get("code_challenge"), parameters.get("code_challenge_method")),
        scopes=_scopes(parameters.get("scope")),
        resource=parameters.only("resource"),
        key=_key(parameters.get("dpop_jkt")),
        details=check_form(parameters.get("authorization_details"), at=parameters.only("resource")),
        nonce=_bounded(parameters, "nonce", NONCE_LIMIT),
        prompt=_prompt(parameters.get("prompt")),
        max_age=_age(parameters.get("max_age")),
        acr=(*parameters.get("acr_values").split(), *claims.acr),
        claims=claims,
        hint=_bounded(parameters, "id_token_hint", HINT_LIMIT),
    )


def read_device_request(
    parameters: Parameters, registration: ClientRegistration, *, key: str
) -> AuthorizationRequest:
    """Read what a device asks (RFC 8628 §3.1), or a client behind the scenes (CIBA §7.1).

    No answer goes anywhere, so nothing says where to.

    `key` is the thumbprint that it proved, or empty. Raises `InvalidDpopProof` if it names another.
    """
    named = _key(parameters.get("dpop_jkt"))
    if key and named and key != named:
        raise InvalidDpopProof("`dpop_jkt` names another key than the proof", reason="dpop_jkt_differs")
    return AuthorizationRequest(
        returning=Returning(
            client_id=registration.client_id, redirect_uri="", redirect_stated=False, state=""
        ),
        challenge="",
        scopes=_scopes(parameters.get("scope")),
        resource=parameters.only("resource"),
        key=key or named,
        details=check_form(parameters.get("authorization_details"), at=parameters.only("resource")),
        max_age=_age(parameters.get("max_age")),
        acr=tuple(parameters.get("acr_values").split()),
    )


def answer_of(error: OAuthError, where: Returning, *, issuer: str) -> str:
    """The redirect that tells a client what failed (RFC 6749 §4.1.2.1, RFC 9207 §2)."""
    said = [("error", str(error.error)), ("error_description", _plain(error.hint))]
    return redirects.answer_to(where.redirect_uri, [*said, *_known_by(where, issuer)])


def code_answer(code: str, where: Returning, *, issuer: str) -> str:
    """The redirect that brings a code (RFC 6749 §4.1.2, RFC 9207 §2)."""
    return redirects.answer_to(where.redirect_uri, [("code", code), *_known_by(where, issuer)])


def _known_by(where: Returning, issuer: str) -> list[tuple[str, str]]:
    return [*([("state", where.state)] if where.state else []), ("iss", issuer)]


def _check_kind(parameters: Parameters, registration: ClientRegistration, *, pushed: bool) -> None:
    _bounded(parameters, "state", STATE_LIMIT)
    if registration.require_par and not pushed:
        raise InvalidRequest("this client pushes its requests (RFC 9126)", reason="par_required")
    kind = parameters.get("response_type")
    if not kind:
        raise InvalidRequest("`response_type` is missing", reason="response_type_missing")
    if kind != "code":
        raise UnsupportedResponseType("the only `response_type` here is `code`")
    if parameters.get("response_mode") not in {"", "query"}:
        raise InvalidRequest("the only `response_mode` here is `query`", reason="response_mode")
    if CODE not in registration.grant_types:
        raise UnauthorizedClient("this client is not registered for codes", reason="grant_not_registered")


def _bounded(parameters: Parameters, name: str, limit: int) -> str:
    value = parameters.get(name)
    if len(value) > limit:
        raise InvalidRequest(f"`{name}` is longer than {limit} characters", reason=f"{name}_too_long")
    return value


def _claims(text: str) -> ClaimsRequest:
    try:
        return claims_request.read(text)
    except UnfitClaims as unfit:
        raise InvalidRequest(unfit.hint, reason=unfit.code) from unfit


def _key(thumbprint: str) -> str:
    if thumbprint and not _THUMBPRINT.fullmatch(thumbprint):
        raise InvalidRequest("`dpop_jkt` is no SHA-256 thumbprint (RFC 9449 §10)", reason="dpop_jkt")
    return thumbprint


def _prompt(text: str) -> frozenset[Prompt]:
    try:
        wanted = frozenset(Prompt(name) for name in text.split())
    except ValueError as unknown:
        raise InvalidRequest("`prompt` holds a word that is not known", reason="prompt_unknown") from unknown
    if Prompt.NONE in wanted and len(wanted) > 1:
        raise InvalidRequest("`prompt` `none` stands alone", reason="prompt_contradicts")
    return wanted


def _age(text: str) -> int | None:
    if not text:
        return None
    if not _AGE.fullmatch(text) or int(text) > _LONGEST_AGE:
        raise InvalidRequest("`max_age` is no count of seconds", reason="max_age")
    return int(text)


def _scopes(text: str) -> frozenset[str]:
    plain, named = action_scopes.split(text)
    return named.union(str(scope) for scope in parse_scope(plain))


def _plain(hint: str) -> str:
    """Within what RFC 6749 §4.1.2.1 allows: printable ASCII without quote and backslash."""
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "?" for char in hint)
