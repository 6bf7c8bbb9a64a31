"""The way to a SAML provider: its metadata, its certificates, and what it says to our own request."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa

from remit.identity.federation.saml import names
from remit.identity.federation.saml.metadata import ProviderMetadata
from remit.identity.federation.saml.signature import certificate_of
from remit.identity.upstream.examination.step import Step, Steps, either, failed, ill, moved, well
from remit.identity.upstream.provider import IdentityProvider, SamlPeer
from remit.identity.upstream.saml_keys import SamlKeys
from remit.identity.upstream.saml_ours import Places
from remit.kernel.errors import RemitError
from remit.kernel.outbound import Outbound, OutboundRequest
from remit.kernel.secret import Secret

SOON: Final = timedelta(days=14)
"""A last certificate that ends within this is named, while there is time to bring another."""
_CONSOLE: Final = "see docs/guides/saml.md"
_SECONDS: Final = 10.0
_LARGEST: Final = 1 << 20
_REFUSED: Final = 400


class AsksNobody(Protocol):
    """`saml_signing.SamlSignIn`: the request of a sign-in that no browser holds."""

    async def probe(self, provider: IdentityProvider) -> str:
        """The address that a browser would be sent to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlWay:
    """Goes it as a sign-in would, up to where a person would have to come in."""

    http: Outbound
    keys: SamlKeys
    asks: AsksNobody
    places: Places

    async def steps(self, provider: IdentityProvider, _secret: Secret | None, *, at: datetime) -> Steps:
        """Metadata, entity, addresses, `NameID` format, signatures, certificates, and our request."""
        peer = provider.saml
        if peer is None:
            yield ill("connected", "it has no SAML addresses", moved(provider))
            return
        if peer.metadata:
            try:
                found = await self.keys.read(provider, peer, at=at)
            except RemitError as unfit:
                yield failed("metadata", unfit, f"serve metadata of `{provider.issuer}` at {peer.metadata}")
            else:
                yield well("metadata", f"{peer.metadata}{', signed' if peer.metadata_signers else ''}")
                for step in _described(provider, peer, found):
                    yield step
        else:
            yield well("metadata", "given as a file; certificates stay until it is connected anew")
        yield await self._certificates(provider, at)
        yield await self._answers(provider)

    async def _certificates(self, provider: IdentityProvider, at: datetime) -> Step:
        """Those on record, by which answers are judged: whether one counts now, and for how long."""
        kept = await self.keys.kept(provider)
        read = [certificate_of(text) for text in (() if kept is None else kept.authorities)]
        ends = [each.not_valid_after_utc for each in read if each.not_valid_before_utc <= at]
        last = max(ends, default=None)
        if last is None:
            return ill("certificates", "none is valid yet", "publish one that is valid now")
        days, kinds = (last - at).days, ", ".join(sorted({_kind(each.public_key()) for each in read}))
        return either(
            "certificates",
            ok=last - at > SOON,
            well=f"{len(read)} ({kinds}); the last one ends {last:%Y-%m-%d}",
            ill=f"the last one {'ended' if last <= at else 'ends'} {last:%Y-%m-%d}"
            + ("" if last <= at else f", in {days} days"),
            fix="publish the next certificate in its metadata, or connect it anew with new metadata",
        )

    async def _answers(self, provider: IdentityProvider) -> Step:
        """A request as a browser would bring it: whoever does not know our entity id refuses it."""
        try:
            url = await self.asks.probe(provider)
            reply = await self.http.send(
                OutboundRequest(method="GET", url=url, headers={}, largest_answer=_LARGEST, timeout=_SECONDS)
            )
        except RemitError as failing:
            return failed("request", failing, "check the provider's address for sign-in")
        return either(
            "request",
            ok=reply.status < _REFUSED,
            well=f"answers {reply.status}",
            ill=f"answers {reply.status} to our request",
            fix=f"register {self.places.entity(provider)} at `{provider.name}`",
        )


def _described(provider: IdentityProvider, peer: SamlPeer, found: ProviderMetadata) -> Iterator[Step]:
    """What its metadata says now, against what was connected."""
    yield well("entity", found.entity)
    gone = [
        what
        for what, now, then in (
            ("sign-in", found.sign_in, peer.sign_in),
            ("sign-out", found.sign_out, peer.sign_out),
        )
        if now != then
    ]
    yield either(
        "addresses",
        ok=not gone,
        well=f"sign-in{' and sign-out' if peer.sign_out else ''} as when it was connected",
        ill=f"address for {' and '.join(gone)} moved since it was connected",
        fix=moved(provider),
    )
    yield _name(peer, found)
    yield _signatures(provider, peer, found)


def _name(peer: SamlPeer, found: ProviderMetadata) -> Step:
    """Metadata §2.4.2: who lists formats, and not the one that names people here, names nobody."""
    if not peer.name_format:
        return well("name", "an attribute names people")
    sent = ", ".join(map(_short, found.name_formats))[:200]
    return either(
        "name",
        ok=not found.name_formats or peer.name_format in found.name_formats,
        well=_short(peer.name_format),
        ill=f"sends {sent}, wanted is {_short(peer.name_format)}",
        fix="send persistent names, or connect it anew with --subject or --name-format",
    )


def _signatures(provider: IdentityProvider, peer: SamlPeer, found: ProviderMetadata) -> Step:
    """Requests signed as it wants, and answers by a method that is taken here (Algorithm Support §2.4)."""
    if found.wants_signed and not peer.signed:
        return ill("signatures", "it takes signed requests only, ours are not", moved(provider))
    usable = [each for each in found.signs_by if each in names.RSA_METHODS | names.ECDSA_METHODS]
    shown = ", ".join(map(_short, usable)) or "RSA or ECDSA with SHA-256 or better"
    return either(
        "signatures",
        ok=not found.signs_by or bool(usable),
        well=f"{shown}; our requests are {'signed' if peer.signed else 'not signed'}",
        ill=f"signs by {', '.join(map(_short, found.signs_by))[:200]}, none of which is taken here",
        fix=f"sign by RSA or ECDSA with SHA-256 at the provider; {_CONSOLE}",
    )


def _kind(key: object) -> str:
    return f"RSA {key.key_size}" if isinstance(key, rsa.RSAPublicKey) else "ECDSA"


def _short(name: str) -> str:
    return name.rpartition("#")[2].rpartition(":")[2][:64]
