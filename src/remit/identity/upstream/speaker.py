"""We as a client of an OpenID provider: what is sent to it, and what comes back, byte by byte judged."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from remit.identity.upstream.discovery import LIMITS
from remit.identity.upstream.errors import ArrivalRefused, IdentityProviderUnavailable
from remit.identity.upstream.leaving import Aim, Leaving
from remit.identity.upstream.products import oidc_of
from remit.identity.upstream.provider import IdentityProvider, OidcClient, Proves
from remit.kernel.canonical import JsonObject, parse_object
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, mint_id
from remit.kernel.jose import jws
from remit.kernel.jose.keys import KeyClass, Signer
from remit.kernel.outbound import Outbound, OutboundRequest, OutboundResponse
from remit.kernel.secret import Secret

SECONDS: Final = 10.0
LARGEST: Final = 64 << 10
ASSERTION_LIFE: Final = timedelta(seconds=60)
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CREATED, _OK = 201, 200
_TOKEN_LIMIT: Final = 16 << 10


class SigningKeys(Protocol):
    """Our own keys."""

    def signer(self, key_class: KeyClass) -> Signer:
        """The active key of a class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """What the token endpoint gave for a code; both are secrets."""

    id_token: str
    access_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Speaks to providers. SAFETY: every URL is of a registration; `http` judges every address.

    Nothing that it raises holds a code, a token or a secret.
    """

    http: Outbound
    keys: SigningKeys
    home: str
    """The address below which our pages are seen."""
    entropy: Entropy

    async def ask(
        self, provider: IdentityProvider, secret: Secret | None, leaving: Leaving, state: str, *, at: datetime
    ) -> str:
        """The address at which the person goes on; pushed ahead where the provider takes that (RFC 9126)."""
        client = _client(provider)
        asked = self._asked(provider, client, leaving, state)
        if client.par_endpoint:
            uri = await self._push(provider, client, secret, asked, at=at)
            asked = {"client_id": client.client_id, "request_uri": uri}
        return f"{client.authorization_endpoint}{_joint(client.authorization_endpoint)}{urlencode(asked)}"

    async def redeem(
        self, provider: IdentityProvider, secret: Secret | None, leaving: Leaving, code: str, *, at: datetime
    ) -> Redeemed:
        """Redeem a code (RFC 6749 §4.1.3, RFC 7636 §4.5, OpenID Connect Core §3.1.3)."""
        reply = await self.try_code(provider, secret, leaving, code, at=at)
        if reply.status != _OK:
            raise ArrivalRefused(6, "code_refused", debug=f"status {reply.status}")
        found = _object(provider, reply)
        id_token, access = found.get("id_token"), found.get("access_token")
        kind = found.get("token_type")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise ArrivalRefused(6, "token_type")
        if not isinstance(id_token, str) or not isinstance(access, str) or len(access) > _TOKEN_LIMIT:
            raise ArrivalRefused(6, "no_id_token")
        return Redeemed(id_token=id_token, access_token=access)

    async def try_code(
        self, provider: IdentityProvider, secret: Secret | None, leaving: Leaving, code: str, *, at: datetime
    ) -> OutboundResponse:
        """What the token endpoint says to a code; for whoever wants to know if the provider knows us."""
        client = _client(provider)
        form = self._redeeming(provider, leaving, code)
        return await self._post(provider, client, secret, client.token_endpoint, form, at=at)

    async def try_request(
        self, provider: IdentityProvider, secret: Secret | None, leaving: Leaving, state: str, *, at: datetime
    ) -> OutboundResponse:
        """What it says to our request for somebody who is not there (`prompt=none`, Core §3.1.2.1)."""
        client = _client(provider)
        asked = {**self._asked(provider, client, leaving, state), "prompt": "none"}
        if client.par_endpoint:
            return await self._post(provider, client, secret, client.par_endpoint, asked, at=at)
        url = f"{client.authorization_endpoint}{_joint(client.authorization_endpoint)}{urlencode(asked)}"
        return await self._send(provider, OutboundRequest(method="GET", url=url, headers={}))

    async def userinfo(self, provider: IdentityProvider, access_token: str, *, subject: str) -> JsonObject:
        """What the provider tells of the person besides; of that very person (Core §5.3.2, §5.3.4)."""
        client = _client(provider)
        if not access_token.isascii() or not access_token.isprintable() or " " in access_token:
            raise ArrivalRefused(8, "access_token_malformed")
        headers = {"Accept": "application/json", "Authorization": f"Bearer {access_token}"}
        reply = await self._send(
            provider, OutboundRequest(method="GET", url=client.userinfo_endpoint, headers=headers)
        )
        if reply.status != _OK:
            raise IdentityProviderUnavailable(f"`{provider.name}` answered with status {reply.status}")
        found = _object(provider, reply)
        if found.get("sub") != subject:
            raise ArrivalRefused(8, "userinfo_of_another")
        return found

    def back(self, provider: IdentityProvider) -> str:
        """Where a provider sends people back: one address per provider, so that no two can be mixed up."""
        return f"{self.home}/sign-in/with/{provider.name}/callback"

    def _redeeming(self, provider: IdentityProvider, leaving: Leaving, code: str) -> dict[str, str]:
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.back(provider),
            "code_verifier": leaving.verifier,
        }

    def _asked(
        self, provider: IdentityProvider, client: OidcClient, leaving: Leaving, state: str
    ) -> dict[str, str]:
        product = oidc_of(provider.product)
        again = {"prompt": "login"} if leaving.aim is not Aim.SIGN_IN else {}
        stronger = {"acr_values": " ".join(client.acr_values)} if again and client.acr_values else {}
        age = {"max_age": str(int(leaving.max_age.total_seconds()))}
        return {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": self.back(provider),
            "scope": " ".join(client.scopes),
            "state": state,
            "nonce": leaving.nonce,
            "code_challenge": leaving.challenge,
            "code_challenge_method": "S256",
            **({**again, **stronger, **age} if product.asks_again else {}),
            **({"claims": product.asked_claims} if product.asked_claims else {}),
        }

    async def _push(
        self,
        provider: IdentityProvider,
        client: OidcClient,
        secret: Secret | None,
        asked: Mapping[str, str],
        *,
        at: datetime,
    ) -> str:
        reply = await self._post(provider, client, secret, client.par_endpoint, dict(asked), at=at)
        uri = _object(provider, reply).get("request_uri") if reply.status == _CREATED else None
        if not isinstance(uri, str) or not uri:
            raise IdentityProviderUnavailable(f"`{provider.name}` did not take our request: {reply.status}")
        return uri

    async def _post(
        self,
        provider: IdentityProvider,
        client: OidcClient,
        secret: Secret | None,
        url: str,
        form: dict[str, str],
        *,
        at: datetime,
    ) -> OutboundResponse:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        body = {**form, "client_id": client.client_id}
        match client.proves:
            case Proves.KEY:
                body["client_assertion_type"] = ASSERTION_TYPE
                body["client_assertion"] = self._assertion(provider, client, at)
            case Proves.POST:
                body["client_secret"] = _needed(provider, secret)
            case Proves.BASIC:
                # RFC 6749 §2.3.1: both halves form-encoded first; §2.3: one way to prove it, and no second.
                pair = f"{quote_plus(client.client_id)}:{quote_plus(_needed(provider, secret))}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
                del body["client_id"]
        request = OutboundRequest(method="POST", url=url, headers=headers, body=urlencode(body).encode())
        return await self._send(provider, request)

    def _assertion(self, provider: IdentityProvider, client: OidcClient, at: datetime) -> str:
        """RFC 7523 §2.2 as updated by RFC 10070: the provider's issuer is the sole audience."""
        signer = self.keys.signer(KeyClass.RELYING_PARTY)
        now = int(at.timestamp())
        claims = {
            "iss": client.client_id,
            "sub": client.client_id,
            "aud": provider.issuer,
            "jti": mint_id("jti", at=at, entropy=self.entropy),
            "iat": now,
            "exp": now + int(ASSERTION_LIFE.total_seconds()),
        }
        payload = msgspec.json.encode(claims)
        return jws.sign_named(signer.kid, "client-authentication+jwt", payload, signer.private)

    async def _send(self, provider: IdentityProvider, request: OutboundRequest) -> OutboundResponse:
        limited = OutboundRequest(
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=request.body,
            largest_answer=LARGEST,
            timeout=SECONDS,
        )
        try:
            return await self.http.send(limited)
        except RemitError as failed:
            raise IdentityProviderUnavailable(
                f"`{provider.name}` can't be reached: {failed.hint}", debug=failed.debug
            ) from failed


def _joint(url: str) -> str:
    return "&" if urlsplit(url).query else "?"


def _client(provider: IdentityProvider) -> OidcClient:
    if provider.oidc is None:
        raise ArrivalRefused(2, "other_language")
    return provider.oidc


def _needed(provider: IdentityProvider, secret: Secret | None) -> str:
    if secret is None:
        raise IdentityProviderUnavailable(f"our secret at `{provider.name}` is missing")
    return secret.reveal().decode()


def _object(provider: IdentityProvider, reply: OutboundResponse) -> JsonObject:
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        found = parse_object(reply.body, limits=LIMITS)
    except RemitError as broken:
        raise IdentityProviderUnavailable(f"`{provider.name}` answered what is no JSON object") from broken
    if media != "application/json":
        raise IdentityProviderUnavailable(
            f"`{provider.name}` answered `{media[:80]}`, not `application/json`"
        )
    return found
