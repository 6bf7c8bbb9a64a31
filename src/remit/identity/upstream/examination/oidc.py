"""The way to an OpenID provider: its discovery document, its keys, and what it says to our own requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from remit.identity.federation.keysets import read_keys
from remit.identity.federation.trust import IssuerId
from remit.identity.upstream.discovery import LIMITS, address_of, read_document
from remit.identity.upstream.errors import IdentityProviderUnavailable
from remit.identity.upstream.examination.asking import Answered, Asker
from remit.identity.upstream.examination.profile import profile_steps
from remit.identity.upstream.examination.step import Step, Steps, either, failed, ill, moved, well
from remit.identity.upstream.id_token import SKEW
from remit.identity.upstream.keys import PROFILE
from remit.identity.upstream.provider import IdentityProvider, OidcClient
from remit.kernel.canonical import JsonObject, parse_object
from remit.kernel.errors import RemitError
from remit.kernel.outbound import Outbound, OutboundRequest, OutboundResponse
from remit.kernel.secret import Secret

_OK: Final = 200
_SECONDS: Final = 10.0
_LARGEST: Final = 64 << 10
_ENDPOINTS: Final = (
    "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "par_endpoint",
    "end_session_endpoint",
)  # fmt: skip
_CONSOLE: Final = "see docs/guides/sign-in-with.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcWay:
    """Goes it as a sign-in would, up to where a person would have to come in."""

    http: Outbound
    asker: Asker
    plain_loopback: bool = False

    async def steps(self, provider: IdentityProvider, secret: Secret | None, *, at: datetime) -> Steps:
        """From discovery by endpoints, keys and profile to our authentication and our redirect URI."""
        client = provider.oidc
        if client is None:
            yield ill("connected", "it has no OpenID endpoints", moved(provider))
            return
        try:
            reply = await self._get(address_of(provider.issuer))
            document = parse_object(reply.body, limits=LIMITS)
        except RemitError as unreadable:
            yield failed("discovery", unreadable, "check the issuer in the provider's console")
            return
        yield well("discovery", address_of(provider.issuer))
        for step in (_issuer(provider, document), _clock(reply, at)):
            yield step
        for step in self._endpoints(provider, client, document):
            yield step
        yield await self._keys(client, at)
        for step in profile_steps(provider, client, document):
            yield step
        yield _client(provider, await self.asker.redeem_nothing(provider, secret, at=at))
        yield _redirect(
            provider, await self.asker.ask_quietly(provider, secret, at=at), self.asker.back(provider)
        )

    def _endpoints(
        self, provider: IdentityProvider, client: OidcClient, document: JsonObject
    ) -> Iterator[Step]:
        """What it offers, and whether it is still where it was when it was connected."""
        try:
            said = read_document(
                document,
                issuer=str(document.get("issuer", "")),
                client_id=client.client_id,
                proves=client.proves,
                scopes=client.scopes,
                plain_loopback=self.plain_loopback,
            )
        except RemitError as unfit:
            yield failed("endpoints", unfit, _CONSOLE)
            return
        gone = [name for name in _ENDPOINTS if getattr(said, name) != getattr(client, name)]
        yield either(
            "endpoints",
            ok=not gone,
            well=f"code flow, {client.proves}; as when it was connected",
            ill=f"`{', '.join(gone)}` moved since it was connected",
            fix=moved(provider),
        )

    async def _keys(self, client: OidcClient, at: datetime) -> Step:
        """RFC 7517 §5: at least one key that verifies, read as at every sign-in."""
        try:
            reply = await self._get(client.jwks_uri)
            found = read_keys(reply.body, PROFILE, issuer=IssuerId(""), at=at)
        except RemitError as unfit:
            return failed("keys", unfit, "publish public signing keys with `kid`, RSA of 2048 bits or more")
        kinds = sorted({each.algorithm for each in found.keys})
        return well("keys", f"{len(found.keys)} at {client.jwks_uri} ({', '.join(kinds)})")

    async def _get(self, url: str) -> OutboundResponse:
        reply = await self.http.send(
            OutboundRequest(
                method="GET",
                url=url,
                headers={"accept": "application/json"},
                largest_answer=_LARGEST,
                timeout=_SECONDS,
            )
        )
        if reply.status != _OK:
            raise IdentityProviderUnavailable(f"`{url}` answers {reply.status}")
        return reply


def _issuer(provider: IdentityProvider, document: JsonObject) -> Step:
    """Discovery §4.3: byte for byte (AS-14)."""
    said = str(document.get("issuer", ""))
    return either(
        "issuer",
        ok=said == provider.issuer,
        well=said,
        ill=f"says `{said[:200]}`, connected as `{provider.issuer}`",
        fix=moved(provider),
    )


def _clock(reply: OutboundResponse, at: datetime) -> Step:
    """Its clock by the `Date` header (RFC 9110 §6.6.1), against the server's own."""
    try:
        told = parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        return well("clock", "the provider does not say")
    skew = abs((told.astimezone(UTC) - at).total_seconds())
    return either(
        "clock",
        ok=skew <= SKEW.total_seconds(),
        well=f"{skew:.0f} s apart",
        ill=f"{skew:.0f} s apart, {SKEW.total_seconds():.0f} s are tolerated",
        fix="set both clocks by NTP",
    )


def _client(provider: IdentityProvider, heard: Answered) -> Step:
    """RFC 6749 §5.2: a code that is none is `invalid_grant` once we are believed, else `invalid_client`."""
    proves = "" if provider.oidc is None else provider.oidc.proves
    fix = (
        "register our keys (JWKS URL) there for `private_key_jwt`, ES256"
        if proves == "private_key_jwt"
        else "connect it anew with its present secret (--secret-stdin)"
    )
    return either(
        "client",
        ok=heard.error == "invalid_grant",
        well=f"believes us by {proves}",
        ill=f"answers {heard.said()} to a code that is none, not `invalid_grant`",
        fix=fix if heard.error == "invalid_client" or not heard.error else f"{_CONSOLE}: {heard.error}",
    )


def _redirect(provider: IdentityProvider, heard: Answered, back: str) -> Step:
    """OpenID Connect Core §3.1.2.6: an error goes to the redirect URI only if that is registered."""
    if heard.returned or heard.pushed:
        return well("redirect", f"{back} is registered")
    if heard.status in {0, *range(400, 600)}:
        return ill(
            "redirect", f"answers {heard.said()} to our request", f"register {back} at `{provider.name}`"
        )
    return well("redirect", f"shows a page of its own; see in its console that {back} is registered")
