"""Use cases of administrators: connect a provider, suspend, resume, retire it, read its metadata again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.identity.federation.errors import KeysUnfit
from remit.identity.federation.refresh import Fetcher
from remit.identity.federation.registering import look
from remit.identity.upstream import records
from remit.identity.upstream.discovery import LIMITS, address_of, check_url, read_document
from remit.identity.upstream.errors import (
    IdentityProviderTaken,
    IdentityProviderUnavailable,
    IdentityProviderUnfit,
    UnknownIdentityProvider,
)
from remit.identity.upstream.keys import ProviderKeys
from remit.identity.upstream.logout import end_all_of
from remit.identity.upstream.mapping import MARKS, Mapping, MarkRule
from remit.identity.upstream.products import oidc_of
from remit.identity.upstream.provider import (
    Condition,
    IdentityProvider,
    IdpId,
    Language,
    OidcClient,
    Product,
    Proves,
    Provisioning,
    Standing,
)
from remit.identity.upstream.repository import UpstreamTransaction
from remit.identity.upstream.secrets import close_secret
from remit.kernel.canonical import JsonObject, parse_object
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, PrincipalId, TenantId, mint_id
from remit.kernel.sealing import Kek
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
SECRET_LIMIT: Final = 4096
PROVIDERS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedProvider:
    """An OpenID provider as an administrator states it; what is left out follows from the product."""

    name: str
    product: Product
    issuer: str
    client_id: str
    proves: Proves | None = None
    provisioning: Provisioning = Provisioning.LINKED_ONLY
    conditions: tuple[Condition, ...] = ()
    marks: tuple[MarkRule, ...] = ()
    subject: str = ""
    email_trusted: bool = False
    acr_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProviderService:
    """Connects, lists, suspends, resumes and retires providers."""

    uow: UnitOfWork[UpstreamTransaction]
    fetcher: Fetcher
    keys: ProviderKeys
    clock: Clock
    entropy: Entropy
    tenant: TenantId
    kek: Kek
    issuer: str
    plain_loopback: bool = False

    async def connect(
        self, stated: StatedProvider, secret: Secret | None, *, by: PrincipalId
    ) -> IdentityProvider:
        """Put a provider on record once its discovery document and its keys were read.

        Raises `IdentityProviderUnfit`, `IdentityProviderTaken`, `IdentityProviderUnavailable`.
        """
        at = self.clock.now()
        provider = self._drafted(stated, secret, by, at)
        document = await self._document(provider.issuer)
        provider = replace(provider, oidc=self._client(stated, document))
        await self._first_keys(provider, at)

        def work(tx: UpstreamTransaction) -> IdentityProvider:
            self._check_alike(tx, provider)
            sealed = close_secret(secret, provider, kek=self.kek, entropy=self.entropy)
            if not tx.identity_providers.add(provider, sealed):
                raise _taken(provider)
            self._record(tx, records.CONNECTED, provider, by, at, _told(provider))
            return provider

        return await self.uow.commit(work)

    async def all(self) -> Sequence[IdentityProvider]:
        """Every provider that is not retired, by name."""
        return await self.uow.read(lambda tx: tx.identity_providers.all())

    async def get(self, name: str) -> IdentityProvider:
        """One by name or id. Raises `UnknownIdentityProvider`."""
        return await self.uow.read(lambda tx: known(tx, name))

    async def suspend(self, name: str, *, by: PrincipalId) -> IdentityProvider:
        """Let nobody come from it for now; whoever came from it is signed out."""
        return await self._move(name, Standing.SUSPENDED, records.SUSPENDED, by)

    async def resume(self, name: str, *, by: PrincipalId) -> IdentityProvider:
        """Let people come from it again."""
        return await self._move(name, Standing.ACTIVE, records.RESUMED, by)

    async def retire(self, name: str, *, by: PrincipalId) -> IdentityProvider:
        """End it for good; its links stay on record, and count again only if its issuer is connected anew."""
        return await self._move(name, Standing.RETIRED, records.RETIRED, by)

    async def _move(self, name: str, to: Standing, fact: str, by: PrincipalId) -> IdentityProvider:
        at = self.clock.now()

        def work(tx: UpstreamTransaction) -> IdentityProvider:
            present = known(tx, name)
            moved = replace(present, standing=to, changed_at=at)
            if not tx.identity_providers.put(moved, was=present):
                raise IdentityProviderTaken(f"`{present.name}` was changed by somebody else")
            ended = 0
            if to is not Standing.ACTIVE:
                ended = end_all_of(tx, moved, by=by, because=f"provider {to}", at=at, entropy=self.entropy)
            self._record(tx, fact, moved, by, at, (("sessions", str(ended)),))
            return moved

        return await self.uow.commit(work)

    def _drafted(
        self, stated: StatedProvider, secret: Secret | None, by: PrincipalId, at: datetime
    ) -> IdentityProvider:
        self._check(stated, secret)
        return IdentityProvider(
            id=IdpId(mint_id("idp", at=at, entropy=self.entropy)),
            tenant=self.tenant,
            name=stated.name,
            product=stated.product,
            language=Language.OIDC,
            issuer=stated.issuer,
            standing=Standing.ACTIVE,
            provisioning=stated.provisioning,
            conditions=stated.conditions,
            mapping=_mapping(stated),
            created_by=by,
            created_at=at,
            changed_at=at,
        )

    def _check(self, stated: StatedProvider, secret: Secret | None) -> None:
        product = oidc_of(stated.product)
        check_name(stated.name)
        check_url(stated.issuer, what="issuer", plain_loopback=self.plain_loopback)
        if not product.issuers.fullmatch(stated.issuer):
            raise IdentityProviderUnfit(
                f"`{stated.issuer[:200]}` is no issuer of `{stated.product}`; "
                f"one looks like `{product.example}`",
                next_step="see docs/guides/sign-in-with.md",
            )
        if look(stated.issuer) == look(self.issuer):
            raise IdentityProviderUnfit("this is our own issuer: nobody comes from here to here")
        if not stated.client_id or not stated.client_id.isprintable() or not stated.client_id.isascii():
            raise IdentityProviderUnfit(
                "our `client_id` at the provider is missing, or holds what no id holds"
            )
        check_conditions(stated.provisioning, stated.conditions, needs=product.create_needs)
        check_marks(stated.marks)
        _check_secret(stated.proves or product.proves, secret)

    def _client(self, stated: StatedProvider, document: JsonObject) -> OidcClient:
        product = oidc_of(stated.product)
        client = read_document(
            document,
            issuer=stated.issuer,
            client_id=stated.client_id,
            proves=stated.proves or product.proves,
            scopes=product.scopes,
            plain_loopback=self.plain_loopback,
        )
        return replace(client, acr_values=stated.acr_values)

    async def _document(self, issuer: str) -> JsonObject:
        try:
            return parse_object(await self.fetcher.fetch(address_of(issuer)), limits=LIMITS)
        except RemitError as failed:
            raise IdentityProviderUnavailable(
                f"the discovery document of `{issuer}` can't be had: {failed.hint}",
                debug=failed.debug,
                next_step=f"remit doctor idp {issuer}",
            ) from failed

    async def _first_keys(self, provider: IdentityProvider, at: datetime) -> None:
        try:
            await self.keys.first(provider, at=at)
        except KeysUnfit as unfit:
            raise IdentityProviderUnfit(f"keys of `{provider.name}`: {unfit.hint}") from unfit
        except RemitError as failed:
            raise IdentityProviderUnavailable(
                f"keys of `{provider.name}` can't be had: {failed.hint}", debug=failed.debug
            ) from failed

    def _check_alike(self, tx: UpstreamTransaction, provider: IdentityProvider) -> None:
        """No second provider has the issuer of a first, or one that a reader takes for it (OA-10)."""
        present = tx.identity_providers.all()
        if len(present) >= PROVIDERS:
            raise IdentityProviderUnfit(f"{PROVIDERS} providers are connected, which is the limit")
        if any(look(each.issuer) == look(provider.issuer) for each in present):
            raise _taken(provider)

    def _record(
        self,
        tx: UpstreamTransaction,
        fact: str,
        provider: IdentityProvider,
        by: PrincipalId,
        at: datetime,
        detail: records.Detail,
    ) -> None:
        records.about_provider(tx, fact, provider, by=by, at=at, entropy=self.entropy, detail=detail)


def known(tx: UpstreamTransaction, name: str) -> IdentityProvider:
    """A provider by name or id, if it is not retired. Raises `UnknownIdentityProvider`."""
    found = tx.identity_providers.named(name) or tx.identity_providers.get(IdpId(name))
    if found is None or found.standing is Standing.RETIRED:
        raise UnknownIdentityProvider(f"no provider `{name[:64]}`", next_step="remit idp list")
    return found


def check_name(name: str) -> None:
    """Refuse what could not stand in a path: the name is part of the address that people come back to."""
    if not NAME.fullmatch(name):
        raise IdentityProviderUnfit(
            f"`{name[:64]}` is no name: lower-case letters, digits and `-`, at most 32"
        )


def check_conditions(provisioning: Provisioning, conditions: Sequence[Condition], *, needs: str) -> None:
    """Refuse conditions that nobody, or everybody, could meet. Raises `IdentityProviderUnfit`."""
    for each in conditions:
        if not each.claim or not each.values or not all(each.values):
            raise IdentityProviderUnfit(f"condition on `{each.claim[:64]}` names no value")
    named = {each.claim for each in conditions}
    if provisioning is Provisioning.CREATE and needs and needs not in named:
        raise IdentityProviderUnfit(
            f"this product serves the whole world: letting strangers in needs a condition on `{needs}`",
            next_step=f"add --require {needs}=YOUR-DOMAIN, or --provisioning linked_only",
        )


def check_marks(marks: Sequence[MarkRule]) -> None:
    """Refuse a mark that nothing here knows, or a rule that names no value."""
    for rule in marks:
        if rule.mark not in MARKS:
            raise IdentityProviderUnfit(f"`{rule.mark[:64]}` is no mark: {', '.join(sorted(MARKS))}")
        if not rule.claim or not rule.values or not all(rule.values):
            raise IdentityProviderUnfit(f"the rule for `{rule.mark}` names no claim, or no value")


def _check_secret(proves: Proves, secret: Secret | None) -> None:
    if (proves is Proves.KEY) is (secret is not None):
        raise IdentityProviderUnfit(
            "our secret at the provider goes with `client_secret_basic` or `client_secret_post` alone"
        )
    if secret is not None and not 0 < len(secret.reveal()) <= SECRET_LIMIT:
        raise IdentityProviderUnfit(f"our secret at the provider is empty, or over {SECRET_LIMIT} bytes")


def _mapping(stated: StatedProvider) -> Mapping | None:
    usual = oidc_of(stated.product).mapping
    mapping = replace(
        usual,
        subject=stated.subject or usual.subject,
        email_trusted=stated.email_trusted or usual.email_trusted,
        marks=(*usual.marks, *stated.marks),
    )
    return None if mapping == usual else mapping


def _taken(provider: IdentityProvider) -> IdentityProviderTaken:
    return IdentityProviderTaken(
        f"a provider named `{provider.name}`, or of the issuer `{provider.issuer}`, is connected already",
        next_step="remit idp list",
    )


def _told(provider: IdentityProvider) -> records.Detail:
    return (
        ("product", provider.product),
        ("provisioning", provider.provisioning),
        *((f"condition {each.claim}", " ".join(each.values)[:256]) for each in provider.conditions),
    )
