"""Use cases of providers: an administrator registers one, and says which server needs it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.authority.vault import facts
from remit.authority.vault.endings import Ender
from remit.authority.vault.errors import ProviderTaken, ProviderUnfit, UnknownProvider
from remit.authority.vault.provider import (
    ClientAuth,
    Provider,
    ProviderId,
    ProviderKind,
    check,
    check_url,
    is_loopback,
    scopes_of,
)
from remit.authority.vault.repository import VaultTransaction
from remit.authority.vault.sealing import VaultSeal, provider_place
from remit.authority.vault.upstream import ProviderClient
from remit.identity.errors import UnknownPrincipal
from remit.identity.tools import CredentialNeed, Server, Transport
from remit.kernel.ids import PrincipalId, TenantId, mint_id
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

PROVIDERS: Final = 200
SECRET_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProvider:
    """What an administrator says about a provider; endpoints that are left out come from its metadata."""

    name: str
    kind: ProviderKind
    issuer: str = ""
    client_id: str = ""
    auth: ClientAuth = ClientAuth.NONE
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    revocation_endpoint: str = ""
    header: str = "Authorization"
    scheme: str = "Bearer"


class ProviderService:
    """Registers, lists and retires providers."""

    def __init__(
        self, *, uow: UnitOfWork[VaultTransaction], client: ProviderClient, seal: VaultSeal, tenant: TenantId
    ) -> None:
        self._uow = uow
        self._client = client
        self._seal = seal
        self._tenant = tenant
        self._ender = Ender(seal=seal)

    async def register(
        self, stated: NewProvider, secret: Secret | None, *, by: PrincipalId, at: datetime
    ) -> Provider:
        """Put a provider on record. Raises `ProviderUnfit`, `ProviderTaken`, or what its metadata raises."""
        draft = self._draft(stated, at)
        _check_secret(draft, secret)
        if draft.kind is ProviderKind.OAUTH and not (draft.authorization_endpoint and draft.token_endpoint):
            check_url(draft.issuer, what="issuer")
            draft = await self._client.describe(draft)
        check(draft)
        provider = draft

        def work(tx: VaultTransaction) -> Provider:
            sealed = None if secret is None else self._sealed(provider, secret)
            if len(tx.vault.providers()) >= PROVIDERS:
                raise ProviderUnfit(f"{PROVIDERS} providers are registered, which is the limit")
            if not tx.vault.add_provider(provider, sealed):
                raise ProviderTaken(f"a provider `{provider.name}` is there already")
            detail = (("issuer", provider.issuer), ("client_id", provider.client_id))
            self._record(tx, facts.PROVIDER_REGISTERED, provider, by, at, detail)
            return provider

        return await self._uow.commit(work)

    async def all(self) -> Sequence[Provider]:
        """Every provider that is not retired, by name."""
        return await self._uow.read(lambda tx: tx.vault.providers())

    async def get(self, name: str) -> Provider:
        """One provider by name or id; raises `UnknownProvider`."""
        return await self._uow.read(lambda tx: known(tx, name))

    async def retire(self, name: str, *, by: PrincipalId, at: datetime) -> Provider:
        """End a provider with every connection to it, each told to the provider."""

        def work(tx: VaultTransaction) -> Provider:
            provider = known(tx, name)
            while page := tx.vault.of(provider=provider.id, limit=_PAGE):
                for each in page:
                    held = tx.vault.get(each.id)
                    if held is not None:
                        self._ender.end(tx, held, by=by, because="provider retired", at=at)
            retired = replace(provider, retired_at=at)
            tx.vault.save_provider(retired)
            tx.advance_epoch(f"retired:{provider.id}")
            self._record(tx, facts.PROVIDER_RETIRED, retired, by, at)
            return retired

        return await self._uow.commit(work)

    async def require(
        self, server: str, provider: str, scopes: Sequence[str], *, by: PrincipalId, at: datetime
    ) -> Server:
        """Say that a server's calls carry a credential of this provider; with an empty name, none.

        Raises `ProviderUnfit` for a server that a credential can't be shown to safely.
        """

        def work(tx: VaultTransaction) -> Server:
            found = tx.servers.named(server)
            if found is None:
                raise UnknownPrincipal(f"no server `{server[:64]}`", next_step="remit server list")
            need = None
            if provider:
                need = CredentialNeed(provider=known(tx, provider).id, scopes=scopes_of(scopes))
                _check_server(found)
            changed = replace(found, credential=need)
            tx.servers.put(changed)
            tx.touch("server", changed.id)
            tx.advance_epoch(f"credential:{changed.id}")
            self._require(tx, changed, by, at)
            return changed

        return await self._uow.commit(work)

    def _require(self, tx: VaultTransaction, server: Server, by: PrincipalId, at: datetime) -> None:
        need = server.credential
        provider = None if need is None else tx.vault.provider(ProviderId(need.provider))
        facts.about_server(tx, server, provider, by=by, at=at, entropy=self._seal.entropy)

    def _draft(self, stated: NewProvider, at: datetime) -> Provider:
        return Provider(
            id=ProviderId(mint_id("prv", at=at, entropy=self._seal.entropy)),
            tenant=self._tenant,
            name=stated.name,
            kind=stated.kind,
            issuer=stated.issuer,
            authorization_endpoint=stated.authorization_endpoint,
            token_endpoint=stated.token_endpoint,
            revocation_endpoint=stated.revocation_endpoint,
            client_id=stated.client_id,
            auth=stated.auth,
            header=stated.header,
            scheme=stated.scheme,
            created_at=at,
        )

    def _sealed(self, provider: Provider, secret: Secret) -> bytes:
        return self._seal.close_one(secret, provider_place(provider.tenant, provider.id))

    def _record(
        self,
        tx: VaultTransaction,
        fact: str,
        provider: Provider,
        by: PrincipalId,
        at: datetime,
        detail: tuple[tuple[str, str], ...] = (),
    ) -> None:
        facts.about_provider(tx, fact, provider, by=by, at=at, entropy=self._seal.entropy, detail=detail)


def known(tx: VaultTransaction, name: str) -> Provider:
    """A living provider by name or id; raises `UnknownProvider`."""
    found = tx.vault.provider_named(name) or tx.vault.provider(ProviderId(name))
    if found is None or found.retired_at is not None:
        raise UnknownProvider(f"no provider `{name[:64]}`", next_step="remit provider list")
    return found


def _check_secret(draft: Provider, secret: Secret | None) -> None:
    wants = draft.auth is not ClientAuth.NONE
    if wants and draft.kind is ProviderKind.STATIC:
        raise ProviderUnfit("a provider of static keys has no token endpoint to prove anything at")
    if wants is (secret is None):
        raise ProviderUnfit(
            "our secret at the provider goes with `client_secret_basic` or `client_secret_post`"
        )
    if secret is not None and not 0 < len(secret.reveal()) <= SECRET_LIMIT:
        raise ProviderUnfit(f"our secret at the provider is empty, or over {SECRET_LIMIT} bytes")


def _check_server(server: Server) -> None:
    """SAFETY: a credential never goes over a readable line, nor into a child process that all users share."""
    if server.transport is not Transport.HTTP:
        raise ProviderUnfit(
            f"`{server.name}` is a stdio server: one process serves everybody, so no credential"
        )
    scheme, _, rest = server.url.partition("://")
    host = rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0]
    if scheme != "https" and not is_loopback(host.strip("[]")):
        raise ProviderUnfit(
            f"`{server.name}` is reached by plain http: a credential could be read on its way"
        )


_PAGE: Final = 200
