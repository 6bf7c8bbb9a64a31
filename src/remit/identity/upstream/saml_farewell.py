"""What we say to a SAML provider at logout, signed, by the binding that it takes."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from remit.identity.federation.saml import names
from remit.identity.federation.saml.assertion import NameId
from remit.identity.federation.saml.binding import REQUEST, RESPONSE, deflated
from remit.identity.upstream.provider import IdentityProvider, SamlPeer
from remit.identity.upstream.saml_ours import Places
from remit.identity.upstream.saml_requests import RequestSigner
from remit.kernel.ids import Entropy, mint_id

_QUALIFIERS: Final = ("NameQualifier", "SPNameQualifier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message on its way: to an address, or as the fields of a form to it."""

    to: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Farewell:
    """Writes and signs both messages of logout. Bindings §3.4.5.2, §3.5.5.2: neither goes out unsigned."""

    keys: RequestSigner
    places: Places
    entropy: Entropy

    async def answer(
        self, provider: IdentityProvider, peer: SamlPeer, *, to: str, relay: str, at: datetime
    ) -> Sent:
        """A `LogoutResponse` (Core §3.7.2): done, also where nobody was signed in any more."""
        where = peer.sign_out_answer or peer.sign_out
        text = (
            f"{self._head('LogoutResponse', where, mint_id('slo', at=at, entropy=self.entropy), at)}"
            f" InResponseTo={quoteattr(to)}><saml:Issuer>{escape(self.places.entity(provider))}</saml:Issuer>"
            f'<samlp:Status><samlp:StatusCode Value="{names.SUCCESS}"/></samlp:Status></samlp:LogoutResponse>'
        )
        relayed = {"RelayState": relay} if relay else {}
        if peer.sign_out_binding == names.POST:
            signed = await self.keys.enveloped(text, at=at)
            return Sent(to=where, fields=((RESPONSE, base64.b64encode(signed).decode()), *relayed.items()))
        query = await self.keys.signed({RESPONSE: deflated(text), **relayed}, at=at)
        return Sent(to=f"{where}{_joint(where)}{query}")

    async def ask(
        self, provider: IdentityProvider, peer: SamlPeer, who: NameId, sid: str, *, ident: str, at: datetime
    ) -> str:
        """The address of a `LogoutRequest` (Core §3.7.1); empty where the provider takes forms alone."""
        if peer.sign_out_binding != names.REDIRECT:
            return ""
        qualifiers = zip(_QUALIFIERS, (who.qualifier, who.sp_qualifier), strict=True)
        said = "".join(f" {name}={quoteattr(value)}" for name, value in qualifiers if value)
        index = f"<samlp:SessionIndex>{escape(sid)}</samlp:SessionIndex>" if sid else ""
        text = (
            f"{self._head('LogoutRequest', peer.sign_out, ident, at)}>"
            f"<saml:Issuer>{escape(self.places.entity(provider))}</saml:Issuer>"
            f"<saml:NameID Format={quoteattr(who.format)}{said}>{escape(who.value)}</saml:NameID>"
            f"{index}</samlp:LogoutRequest>"
        )
        query = await self.keys.signed({REQUEST: deflated(text)}, at=at)
        return f"{peer.sign_out}{_joint(peer.sign_out)}{query}"

    def _head(self, name: str, to: str, ident: str, at: datetime) -> str:
        return (
            f'<samlp:{name} xmlns:samlp="{names.PROTOCOL_NS}" xmlns:saml="{names.ASSERTION_NS}"'
            f' ID={quoteattr(ident)} Version="2.0" IssueInstant="{at:%Y-%m-%dT%H:%M:%SZ}"'
            f" Destination={quoteattr(to)}"
        )


def _joint(url: str) -> str:
    return "&" if urlsplit(url).query else "?"
