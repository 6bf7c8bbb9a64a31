"""Identity providers and links as the API shows them; our secret at a provider is never shown."""

from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.identity.upstream.connecting import StatedProvider
from remit.identity.upstream.examination.step import Step
from remit.identity.upstream.linked import LinkedBy, LinkedIdentity
from remit.identity.upstream.mapping import MarkRule
from remit.identity.upstream.provider import (
    Condition,
    IdentityProvider,
    Language,
    Product,
    Proves,
    Provisioning,
    Standing,
)
from remit.identity.upstream.reading import mapping_of
from remit.identity.upstream.saml_stated import StatedSamlProvider
from remit.surface.web.schemas.tools import Url
from remit.surface.web.schemas.vault import ClientId, SecretText
from remit.surface.web.schemas.words import Ident

ClaimName = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
ClaimValue = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Values = Annotated[list[ClaimValue], msgspec.Meta(min_length=1, max_length=64)]
Subject = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Mark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a claim with one of these values sets a mark (`mfa`, `managed_device`)."""

    mark: ClaimName
    claim: ClaimName
    values: Values


class NewIdentityProvider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenID provider that people may sign in with; its endpoints come from its discovery document."""

    name: Ident
    product: Product
    issuer: Url
    client_id: ClientId
    auth: Proves | None = None
    client_secret: SecretText | None = None
    provisioning: Provisioning = Provisioning.LINKED_ONLY
    require: Annotated[dict[ClaimName, Values], msgspec.Meta(max_length=16)] = {}
    """Claims that everybody who comes must have, each with one of these values."""
    marks: Annotated[list[Mark], msgspec.Meta(max_length=16)] = []
    subject: Annotated[str, msgspec.Meta(max_length=128)] = ""
    """The claim that names a person for ever; absent: the product's own."""
    email_trusted: bool = False
    acr_values: Annotated[list[ClaimValue], msgspec.Meta(max_length=8)] = []

    def stated(self) -> StatedProvider:
        """As the domain says it."""
        return StatedProvider(
            name=self.name,
            product=self.product,
            issuer=self.issuer,
            client_id=self.client_id,
            proves=self.auth,
            provisioning=self.provisioning,
            conditions=tuple(Condition(claim=k, values=tuple(v)) for k, v in sorted(self.require.items())),
            marks=tuple(
                MarkRule(mark=each.mark, claim=each.claim, values=tuple(each.values)) for each in self.marks
            ),
            subject=self.subject,
            email_trusted=self.email_trusted,
            acr_values=tuple(self.acr_values),
        )


class NewSamlProvider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A SAML provider that people may sign in with: its metadata, or the https address of it."""

    name: Ident
    product: Product
    metadata: Annotated[str, msgspec.Meta(max_length=256 << 10)] = ""
    address: Annotated[str, msgspec.Meta(max_length=2048)] = ""
    entity: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    """Which one, where the metadata describes several."""
    provisioning: Provisioning = Provisioning.LINKED_ONLY
    require: Annotated[dict[ClaimName, Values], msgspec.Meta(max_length=16)] = {}
    marks: Annotated[list[Mark], msgspec.Meta(max_length=16)] = []
    subject: Annotated[str, msgspec.Meta(max_length=128)] = ""
    """The attribute that names a person for ever; absent: `NameID`, or the product's own."""
    name_format: Annotated[str, msgspec.Meta(max_length=32)] = ""
    """Take `NameID` of this format: persistent, unspecified, email. The latter two only if you know why."""
    metadata_signers: Annotated[str, msgspec.Meta(max_length=64 << 10)] = ""
    """Certificates (PEM), one of which must have signed the metadata, now and whenever it is read anew."""
    encrypted: bool = False
    """It encrypts its assertions to the key in our metadata; none in the clear is taken any more."""
    email_trusted: bool = False

    def stated(self) -> StatedSamlProvider:
        """As the domain says it."""
        return StatedSamlProvider(
            name=self.name,
            product=self.product,
            metadata=self.metadata.encode(),
            address=self.address,
            entity=self.entity,
            provisioning=self.provisioning,
            conditions=tuple(Condition(claim=k, values=tuple(v)) for k, v in sorted(self.require.items())),
            marks=tuple(
                MarkRule(mark=each.mark, claim=each.claim, values=tuple(each.values)) for each in self.marks
            ),
            subject=self.subject,
            name_format=self.name_format,
            encrypted=self.encrypted,
            metadata_signers=self.metadata_signers.encode(),
            email_trusted=self.email_trusted,
        )


class IdentityProviderView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A provider; `redirect_uri` and `logout_uri`, or for SAML `acs_uri` and `metadata_uri`, are what to
    register there. `metadata_uri` is also our entity id.
    """

    id: str
    name: str
    product: Product
    protocol: Language
    issuer: str
    standing: Standing
    provisioning: Provisioning
    redirect_uri: str = ""
    logout_uri: str = ""
    acs_uri: str = ""
    metadata_uri: str = ""
    name_format: str = ""
    client_id: str = ""
    auth: str = ""
    subject: str
    require: dict[str, list[str]] = {}
    marks: list[Mark] = []
    created_at: datetime

    @classmethod
    def of(cls, provider: IdentityProvider, *, home: str) -> Self:
        """From the domain; `home` is where our pages are seen."""
        mapping, client = mapping_of(provider), provider.oidc
        base = f"{home}/sign-in/with/{provider.name}"
        return cls(
            id=provider.id,
            name=provider.name,
            product=provider.product,
            protocol=provider.language,
            issuer=provider.issuer,
            standing=provider.standing,
            provisioning=provider.provisioning,
            redirect_uri="" if client is None else f"{base}/callback",
            logout_uri=_logout_uri(provider, base),
            acs_uri="" if provider.saml is None else f"{base}/saml",
            metadata_uri="" if provider.saml is None else f"{base}/metadata",
            name_format="" if provider.saml is None else provider.saml.name_format,
            client_id="" if client is None else client.client_id,
            auth="" if client is None else client.proves,
            subject=mapping.subject,
            require={each.claim: list(each.values) for each in provider.conditions},
            marks=[
                Mark(mark=each.mark, claim=each.claim, values=list(each.values)) for each in mapping.marks
            ],
            created_at=provider.created_at,
        )


def _logout_uri(provider: IdentityProvider, base: str) -> str:
    """Where the provider signs people out; empty for a SAML provider without single logout."""
    if provider.saml is None:
        return "" if provider.oidc is None else f"{base}/logout"
    return f"{base}/slo" if provider.saml.sign_out else ""


class NewLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a person here is somebody at the provider: by the subject that its tokens name."""

    user: Ident
    subject: Subject


class AccountLinkView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One link."""

    id: str
    provider: str
    issuer: str
    subject: str
    user: str
    by: LinkedBy
    linked_by: str
    linked_at: datetime
    seen_at: datetime | None = None

    @classmethod
    def of(cls, link: LinkedIdentity) -> Self:
        """From the domain."""
        return cls(
            id=link.id,
            provider=link.provider,
            issuer=link.issuer,
            subject=link.subject,
            user=link.human,
            by=link.by,
            linked_by=link.linked_by,
            linked_at=link.linked_at,
            seen_at=link.seen_at,
        )


class ExaminedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step on the way to a provider; `fix` says what mends it where `ok` is false."""

    step: str
    ok: bool
    detail: str
    fix: str

    @classmethod
    def of(cls, step: Step) -> Self:
        """From the domain."""
        return cls(step=step.name, ok=step.ok, detail=step.detail, fix=step.fix)
