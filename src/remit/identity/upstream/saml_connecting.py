"""Connecting a SAML provider: its metadata says who it is, where people go, and whose signatures count."""

from dataclasses import dataclass, replace
from datetime import datetime

from remit.identity.federation.errors import KeysUnfit
from remit.identity.federation.registering import look
from remit.identity.federation.saml import names
from remit.identity.federation.saml.metadata import ProviderMetadata, read_certificates, read_metadata
from remit.identity.upstream import records
from remit.identity.upstream.connecting import (
    PROVIDERS,
    check_conditions,
    check_marks,
    check_name,
)
from remit.identity.upstream.discovery import check_url
from remit.identity.upstream.errors import (
    IdentityProviderTaken,
    IdentityProviderUnavailable,
    IdentityProviderUnfit,
)
from remit.identity.upstream.mapping import Mapping
from remit.identity.upstream.provider import (
    IdentityProvider,
    IdpId,
    Language,
    SamlPeer,
    Standing,
)
from remit.identity.upstream.repository import UpstreamTransaction
from remit.identity.upstream.saml_keys import SamlKeys, keys_of
from remit.identity.upstream.saml_products import NAME_ID, saml_of
from remit.identity.upstream.saml_stated import NAME_FORMATS, StatedSamlProvider
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, PrincipalId, TenantId, mint_id
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlProviderService:
    """Connects SAML providers; suspending, resuming and retiring are those of all providers."""

    uow: UnitOfWork[UpstreamTransaction]
    keys: SamlKeys
    clock: Clock
    entropy: Entropy
    tenant: TenantId
    issuer: str
    plain_loopback: bool = False

    async def connect(self, stated: StatedSamlProvider, *, by: PrincipalId) -> IdentityProvider:
        """Put a provider on record once its metadata was read.

        Raises `IdentityProviderUnfit`, `IdentityProviderTaken`, `IdentityProviderUnavailable`.
        """
        at = self.clock.now()
        check_name(stated.name)
        check_conditions(stated.provisioning, stated.conditions, needs="")
        check_marks(stated.marks)
        described = await self._metadata(stated, at)
        provider = self._drafted(stated, described, by, at)

        def work(tx: UpstreamTransaction) -> IdentityProvider:
            present = tx.identity_providers.all()
            alike = any(look(each.issuer) == look(provider.issuer) for each in present)
            if len(present) >= PROVIDERS or alike or not tx.identity_providers.add(provider, None):
                raise IdentityProviderTaken(
                    f"a provider named `{provider.name}`, or of the entity `{provider.issuer}`, is connected "
                    f"already, or there are {PROVIDERS}",
                    next_step="remit idp list",
                )
            tx.issuer_keys.put(keys_of(provider, described.certificates, at))
            records.about_provider(
                tx,
                records.CONNECTED,
                provider,
                by=by,
                at=at,
                entropy=self.entropy,
                detail=_told(provider, described),
            )
            return provider

        return await self.uow.commit(work)

    async def _metadata(self, stated: StatedSamlProvider, at: datetime) -> ProviderMetadata:
        if bool(stated.metadata) is bool(stated.address):
            raise IdentityProviderUnfit(
                "a SAML provider is connected by its metadata, or by the address of it",
                next_step="remit idp connect NAME --saml-metadata FILE",
            )
        try:
            signers = _signers(stated, at)
            if stated.metadata:
                return read_metadata(stated.metadata, entity=stated.entity, at=at, signers=signers)
            check_url(stated.address, what="metadata", plain_loopback=self.plain_loopback)
            return await self.keys.fetch(stated.address, entity=stated.entity, at=at, signers=signers)
        except KeysUnfit as unfit:
            raise IdentityProviderUnfit(unfit.hint, debug=unfit.debug) from unfit
        except IdentityProviderUnfit:
            raise
        except RemitError as failed:
            raise IdentityProviderUnavailable(
                f"metadata can't be had: {failed.hint}", debug=failed.debug
            ) from failed

    def _drafted(
        self, stated: StatedSamlProvider, described: ProviderMetadata, by: PrincipalId, at: datetime
    ) -> IdentityProvider:
        self._check(stated, described)
        mapping = _mapping(stated)
        return IdentityProvider(
            id=IdpId(mint_id("idp", at=at, entropy=self.entropy)),
            tenant=self.tenant,
            name=stated.name,
            product=stated.product,
            language=Language.SAML,
            issuer=described.entity,
            standing=Standing.ACTIVE,
            provisioning=stated.provisioning,
            conditions=stated.conditions,
            mapping=mapping,
            saml=SamlPeer(
                sign_in=described.sign_in,
                metadata=stated.address,
                signed=described.wants_signed,
                name_format=_format(stated) if mapping.subject == NAME_ID else "",
                encrypted=stated.encrypted,
                sign_out=described.sign_out,
                sign_out_answer=described.sign_out_answer,
                sign_out_binding=described.sign_out_binding,
                metadata_signers=_signers(stated, at),
            ),
            created_by=by,
            created_at=at,
            changed_at=at,
        )

    def _check(self, stated: StatedSamlProvider, described: ProviderMetadata) -> None:
        product = saml_of(stated.product)
        if not product.entities.fullmatch(described.entity):
            raise IdentityProviderUnfit(
                f"`{described.entity[:200]}` is no entity of `{stated.product}`; "
                f"one looks like `{product.example}`",
                next_step="see docs/guides/saml.md",
            )
        if look(described.entity) == look(self.issuer):
            raise IdentityProviderUnfit("this is our own issuer: nobody comes from here to here")
        if not described.sign_in:
            raise IdentityProviderUnfit("metadata names no address for sign-in by redirect (`HTTP-Redirect`)")
        for url in filter(None, (described.sign_in, described.sign_out, described.sign_out_answer)):
            check_url(url, what="address in the metadata", plain_loopback=self.plain_loopback)


def _signers(stated: StatedSamlProvider, at: datetime) -> tuple[str, ...]:
    """Who must have signed its metadata. Raises `KeysUnfit` for what is no certificate."""
    if not stated.metadata_signers:
        return ()
    if not stated.metadata_signers.lstrip().startswith(b"-----BEGIN"):
        raise KeysUnfit("certificates that sign metadata are PEM")
    return read_certificates(stated.metadata_signers, entity="", at=at)


def _mapping(stated: StatedSamlProvider) -> Mapping:
    usual = saml_of(stated.product).mapping
    return replace(
        usual,
        subject=stated.subject or (NAME_ID if stated.name_format else usual.subject),
        email_trusted=stated.email_trusted or usual.email_trusted,
        marks=(*usual.marks, *stated.marks),
    )


def _format(stated: StatedSamlProvider) -> str:
    """The one format of names; `subject` and a format together would be two answers."""
    if not stated.name_format:
        return saml_of(stated.product).name_format or names.PERSISTENT
    if stated.name_format not in NAME_FORMATS:
        raise IdentityProviderUnfit(
            f"`{stated.name_format[:64]}` can't name people; formats that can: {', '.join(NAME_FORMATS)}"
        )
    return NAME_FORMATS[stated.name_format]


def _told(provider: IdentityProvider, described: ProviderMetadata) -> records.Detail:
    return (
        ("product", provider.product),
        ("protocol", provider.language),
        ("provisioning", provider.provisioning),
        ("certificates", str(len(described.certificates))),
        *((f"condition {each.claim}", " ".join(each.values)[:256]) for each in provider.conditions),
    )
