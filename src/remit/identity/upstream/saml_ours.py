"""What we are to a SAML provider: our addresses there, and our metadata (SAML Metadata §2.4.4)."""

from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from remit.identity.federation.saml import names
from remit.identity.upstream.provider import IdentityProvider, SamlPeer
from remit.identity.upstream.saml_requests import RequestSigner
from remit.kernel.jose.keys import KeyClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """One address per provider and purpose, so that no two can be mixed up. `home` is where our pages are."""

    home: str

    def entity(self, provider: IdentityProvider) -> str:
        """What we are called there; also where our own metadata is."""
        return f"{self.home}/sign-in/with/{provider.name}/metadata"

    def consumer(self, provider: IdentityProvider) -> str:
        """Where a provider posts its answer."""
        return f"{self.home}/sign-in/with/{provider.name}/saml"

    def logout(self, provider: IdentityProvider) -> str:
        """Where it signs people out, and says that it did."""
        return f"{self.home}/sign-in/with/{provider.name}/slo"


@dataclass(frozen=True, slots=True, kw_only=True)
class OurMetadata:
    """Writes our metadata for one provider: as much as concerns that one."""

    places: Places
    keys: RequestSigner

    async def written(self, provider: IdentityProvider, peer: SamlPeer, *, at: datetime) -> str:
        """The document; its keys are made now if there are none yet."""
        signed = str(peer.signed).lower()
        format_ = f"<md:NameIDFormat>{escape(peer.name_format)}</md:NameIDFormat>" if peer.name_format else ""
        entity, consumer = self.places.entity(provider), self.places.consumer(provider)
        return (
            f'<md:EntityDescriptor xmlns:md="{names.METADATA_NS}" entityID={quoteattr(entity)}>'
            f'<md:SPSSODescriptor AuthnRequestsSigned="{signed}" WantAssertionsSigned="true"'
            f' protocolSupportEnumeration="{names.PROTOCOL_NS}">'
            f"{await self._keys(peer, at)}{self._logout(provider, peer)}{format_}"
            f'<md:AssertionConsumerService Binding="{names.POST}" Location={quoteattr(consumer)} index="0"'
            ' isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>'
        )

    async def _keys(self, peer: SamlPeer, at: datetime) -> str:
        """By what our messages are checked, and to what assertions are encrypted (§2.4.1.1)."""
        shown = ""
        if peer.signed or peer.sign_out:
            shown += _key("signing", await self.keys.certificate(at=at))
        if peer.encrypted:
            ours = await self.keys.certificate(KeyClass.SAML_ENCRYPTION, at=at)
            methods = (*sorted(names.GCM, reverse=True), names.OAEP, names.OAEP_SHA1)
            shown += _key("encryption", ours, *methods)
        return shown

    def _logout(self, provider: IdentityProvider, peer: SamlPeer) -> str:
        if not peer.sign_out:
            return ""
        where = quoteattr(self.places.logout(provider))
        return "".join(
            f'<md:SingleLogoutService Binding="{binding}" Location={where}/>'
            for binding in (names.REDIRECT, names.POST)
        )


def _key(use: str, certificate: str, *methods: str) -> str:
    listed = "".join(f'<md:EncryptionMethod Algorithm="{each}"/>' for each in methods)
    return (
        f'<md:KeyDescriptor use="{use}"><ds:KeyInfo xmlns:ds="{names.SIGNATURE_NS}"><ds:X509Data>'
        f"<ds:X509Certificate>{certificate}</ds:X509Certificate>"
        f"</ds:X509Data></ds:KeyInfo>{listed}</md:KeyDescriptor>"
    )
