"""We as a client of a provider: its metadata, its token endpoint, its revocation endpoint."""

import base64
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

from remit.authority.vault.errors import ProviderRefused, ProviderUnavailable, ProviderUnfit
from remit.authority.vault.provider import ClientAuth, Provider
from remit.authority.vault.sealing import Tokens
from remit.kernel.canonical import JsonObject, parse_object
from remit.kernel.errors import RemitError
from remit.kernel.outbound import OutboundRequest, OutboundResponse
from remit.kernel.secret import Secret

SECONDS: Final = 10.0
LARGEST: Final = 64 << 10
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/\-]+=*")
"""RFC 6750 §2.1: what can stand in a header."""
_TOKEN_LIMIT: Final = 16 << 10
_LONGEST_LIFE: Final = 10 * 365 * 86_400
_OK, _BAD, _UNAUTHORIZED, _BUSY = 200, 400, 401, 503
_ERROR: Final = re.compile(r"[a-z_]{1,64}")
_SECONDS: Final = re.compile(r"[0-9]{1,6}")


class ProviderHttp(Protocol):
    """The guarded way out, as far as a provider's registration opened it."""

    async def send(self, provider: Provider, request: OutboundRequest) -> OutboundResponse:
        """Send to an endpoint of this provider. Raises `OutboundRefused` or an unavailable `RemitError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What the token endpoint gave (RFC 6749 §5.1). `scopes` is None where it is silent: as asked."""

    tokens: Tokens
    expires_at: datetime | None
    scopes: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNow:
    """A revocation that was not confirmed; `wait` is what the provider asked for."""

    because: str
    wait: timedelta | None = None


class ProviderClient:
    """Speaks to providers. Nothing that it raises or logs holds a code, a token or a secret."""

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    async def redeem(
        self,
        provider: Provider,
        secret: Secret | None,
        *,
        code: str,
        verifier: Secret,
        back: str,
        at: datetime,
    ) -> Granted:
        """Redeem an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier.reveal().decode(),
        }
        return await self._token(provider, secret, form, at=at)

    async def refresh(
        self, provider: Provider, secret: Secret | None, *, token: Secret, at: datetime
    ) -> Granted:
        """Renew by a refresh token (RFC 6749 §6); the same scopes, so none are named."""
        form = {"grant_type": "refresh_token", "refresh_token": token.reveal().decode()}
        return await self._token(provider, secret, form, at=at)

    async def revoke(
        self, provider: Provider, secret: Secret | None, *, token: Secret, hint: str
    ) -> NotNow | None:
        """End a token (RFC 7009 §2.1); None once the provider has confirmed it."""
        form = {"token": token.reveal().decode(), "token_type_hint": hint}
        try:
            reply = await self._post(provider, secret, provider.revocation_endpoint, form)
        except RemitError as unreachable:
            return NotNow(because=unreachable.code)
        if reply.status == _OK:
            return None
        error = _error_of(reply)
        if reply.status == _BAD and error == "unsupported_token_type" and hint == "access_token":
            # RFC 7009 §2.2.1: this provider ends access tokens with their refresh token, or by time.
            return None
        wait = reply.headers.get("retry-after", "")
        known = timedelta(seconds=int(wait)) if _SECONDS.fullmatch(wait) else None
        return NotNow(because=error or f"status_{reply.status}", wait=known)

    async def describe(self, draft: Provider) -> Provider:
        """Complete a provider from its own metadata (RFC 8414 §3, else OpenID Connect Discovery §4).

        Raises `ProviderUnfit` if the document is of another issuer, or offers no code with S256.
        """
        found = await self._document(draft)
        return _completed(draft, found)

    async def _document(self, draft: Provider) -> JsonObject:
        for url in _well_known(draft.issuer):
            request = OutboundRequest(
                method="GET",
                url=url,
                headers={"Accept": "application/json"},
                largest_answer=LARGEST,
                timeout=SECONDS,
            )
            reply = await self._http.send(draft, request)
            if reply.status == _OK:
                return _object(reply)
        raise ProviderUnfit("the provider has no metadata document; name its endpoints yourself")

    async def _token(
        self, provider: Provider, secret: Secret | None, form: dict[str, str], *, at: datetime
    ) -> Granted:
        reply = await self._post(provider, secret, provider.token_endpoint, form)
        if reply.status == _OK:
            return _granted(_object(reply), at=at)
        error = _error_of(reply)
        if reply.status in {_BAD, _UNAUTHORIZED} and error:
            raise ProviderRefused(f"`{provider.name}` refused: `{error}`", error=error)
        raise ProviderUnavailable(f"`{provider.name}` answered with status {reply.status}")

    async def _post(
        self, provider: Provider, secret: Secret | None, url: str, form: dict[str, str]
    ) -> OutboundResponse:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        body = dict(form)
        if provider.auth is ClientAuth.BASIC:
            headers["Authorization"] = _basic(provider, secret)
        else:
            body["client_id"] = provider.client_id
        if provider.auth is ClientAuth.POST:
            body["client_secret"] = _needed(provider, secret).reveal().decode()
        request = OutboundRequest(
            method="POST",
            url=url,
            headers=headers,
            body=urlencode(body).encode(),
            largest_answer=LARGEST,
            timeout=SECONDS,
        )
        return await self._http.send(provider, request)


def _basic(provider: Provider, secret: Secret | None) -> str:
    """RFC 6749 §2.3.1: both halves form-encoded first."""
    held = _needed(provider, secret).reveal().decode()
    pair = f"{quote_plus(provider.client_id)}:{quote_plus(held)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _needed(provider: Provider, secret: Secret | None) -> Secret:
    if secret is None:
        raise ProviderUnfit(f"our secret at `{provider.name}` is missing")
    return secret


def _object(reply: OutboundResponse) -> JsonObject:
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        found = parse_object(reply.body)
    except RemitError as broken:
        raise ProviderUnavailable("the provider's answer is no JSON object") from broken
    if media != "application/json":
        raise ProviderUnavailable(f"the provider's answer is `{media[:80]}`, not `application/json`")
    return found


def _error_of(reply: OutboundResponse) -> str:
    """The provider's own error word; empty if it has none."""
    try:
        found = parse_object(reply.body).get("error")
    except RemitError:
        return ""  # not every refusal is a document
    return found if isinstance(found, str) and _ERROR.fullmatch(found) else ""


def _granted(found: JsonObject, *, at: datetime) -> Granted:
    access, refresh, kind = found.get("access_token"), found.get("refresh_token"), found.get("token_type")
    life, scope = found.get("expires_in"), found.get("scope")
    # RFC 6749 §7.1: a token of a type that is not understood must not be used.
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ProviderRefused("the provider gave a token of a type that is not used here", error="token_type")
    if not _is_token(access) or not (refresh is None or _is_token(refresh)):
        raise ProviderRefused("the provider gave a token that can't be shown", error="token_malformed")
    if isinstance(life, bool) or not (life is None or (isinstance(life, int) and 0 < life <= _LONGEST_LIFE)):
        raise ProviderRefused("the provider gave a life that is none", error="expires_in")
    if not (scope is None or isinstance(scope, str)):
        raise ProviderRefused("the provider gave a scope that is none", error="scope")
    return Granted(
        tokens=Tokens(
            access=Secret(str(access).encode()),
            refresh=None if refresh is None else Secret(str(refresh).encode()),
        ),
        expires_at=None if life is None else at + timedelta(seconds=life),
        scopes=None if scope is None else frozenset(scope.split()),
    )


def _is_token(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _TOKEN_LIMIT and _TOKEN.fullmatch(value) is not None


def _well_known(issuer: str) -> tuple[str, str]:
    """RFC 8414 §3.1 inserts, OpenID Connect Discovery §4 appends."""
    parts = urlsplit(issuer)
    base = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    return (
        f"{base}/.well-known/oauth-authorization-server{path}",
        f"{base}{path}/.well-known/openid-configuration",
    )


def _completed(draft: Provider, found: JsonObject) -> Provider:
    """RFC 8414 §3.3: the document's issuer is byte for byte the one that was asked (AS-14)."""
    if found.get("issuer") != draft.issuer:
        raise ProviderUnfit("the metadata document is of another issuer than the one that was asked")
    methods = found.get("code_challenge_methods_supported")
    if not isinstance(methods, list) or "S256" not in methods:
        raise ProviderUnfit("the provider does not offer PKCE with S256")
    return replace(
        draft,
        authorization_endpoint=draft.authorization_endpoint or _text(found, "authorization_endpoint"),
        token_endpoint=draft.token_endpoint or _text(found, "token_endpoint"),
        revocation_endpoint=draft.revocation_endpoint or _text(found, "revocation_endpoint"),
        iss_promised=found.get("authorization_response_iss_parameter_supported") is True,
    )


def _text(found: JsonObject, name: str) -> str:
    value = found.get(name, "")
    return value if isinstance(value, str) else ""
