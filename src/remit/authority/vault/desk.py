"""Where a credential is opened: for one permitted call that is under way, and for nothing else (N28)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from remit.authority.alive import Dead, alive
from remit.authority.tasks import Companion, Lineage
from remit.authority.vault import facts
from remit.authority.vault.connection import Connection, ConnectionState, Place
from remit.authority.vault.endings import Ender
from remit.authority.vault.errors import (
    ConnectionRequired,
    CredentialNotForThis,
    ProviderRefused,
    ProviderUnavailable,
)
from remit.authority.vault.provider import Provider, ProviderId
from remit.authority.vault.repository import Sealed, VaultTransaction
from remit.authority.vault.sealing import Tokens, VaultSeal, place_of, provider_place
from remit.authority.vault.upstream import Granted, ProviderClient
from remit.identity.tools import Server
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import AgentId, CallId, DecisionId, PrincipalId, TaskId, UserId
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

LEASE: Final = timedelta(seconds=30)
"""How long one caller may take to renew a credential before another one tries."""
PAUSE: Final = timedelta(seconds=5)
"""How long a provider is left alone after a renewal that it did not answer."""
PATIENCE: Final = 15.0
"""Seconds that a call waits for somebody else's renewal."""
_TICK: Final = 0.05
_GONE: Final = frozenset({"invalid_grant", "token_type", "token_malformed", "scope"})
"""Words after which a refresh token is no use any more (RFC 6749 §5.2), or what it gives is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermittedCall:
    """A call whose permit is on record and whose outcome is not: who makes it, and what stands above it."""

    decision: DecisionId
    call: CallId
    server: Server
    user: UserId | None
    agent: AgentId
    agent_name: str
    instance: PrincipalId
    lineage: Lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A credential in the clear: shown to one server, in one header, for one call."""

    connection: Connection
    header: str
    value: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class _Renewal:
    connection: Connection
    tokens: Tokens
    provider: Provider
    secret: Secret | None


class _Wait:
    """Somebody else renews it."""


def _require_one_person(companions: Sequence[Companion], server: Server) -> None:
    """What one person's account shows is not what all of them may see: a run for several opens none (R36)."""
    if companions:
        raise ConnectionRequired(
            f"`{server.name}` is reached by one person's own connection; this run is for several people",
            next_step="start a run for one person: remit task start",
        )


Running = Callable[[Any, DecisionId], PermittedCall | None]
"""Finds the permitted call of a decision in an open transaction; bound in `app`, which knows decisions."""


class CredentialDesk:
    """Opens the one credential of a call's own user and agent, renewed where needed."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[VaultTransaction],
        client: ProviderClient,
        seal: VaultSeal,
        running: Running,
        issuer: str,
        clock: Clock,
    ) -> None:
        self._uow = uow
        self._client = client
        self._seal = seal
        self._running = running
        self._issuer = issuer
        self._clock = clock
        self._ender = Ender(seal=seal)

    async def ready(
        self, server: Server, *, user: UserId | None, agent: AgentId, task: TaskId | None = None
    ) -> None:
        """Say before a decision whether there is a credential at all; raises `ConnectionRequired`."""
        at = self._clock.now()

        def work(tx: VaultTransaction) -> None:
            run = None if task is None else tx.tasks.get(task)
            _require_one_person(() if run is None else run.companions, server)
            entry = tx.principals.get(PrincipalId(agent))
            self._held(tx, server, user, agent, "" if entry is None else entry.name, at)

        await self._uow.read(work)

    async def open(self, decision: DecisionId) -> Opened:
        """Open the credential that a permitted call needs; on record before it is returned.

        1 the decision permits a call that is under way   2 everything above it lives   3 its server needs a
        credential   4 there is one of exactly this user, agent, provider and scopes   5 it is fresh, or is
        renewed now, by one caller alone. Raises `CredentialNotForThis`, `ConnectionRequired`, or
        `ProviderUnavailable`.
        """
        end = self._clock.boottime() + PATIENCE
        while True:
            at = self._clock.now()
            found = await self._uow.commit(lambda tx, at=at: self._look(tx, decision, at))  # type: ignore[misc]  # a default binds the round's time
            if isinstance(found, Opened):
                return found
            if isinstance(found, _Renewal):
                await self._renew(found)
            elif self._clock.boottime() > end:
                raise ProviderUnavailable("the credential is being renewed and is not there yet")
            else:
                await asyncio.sleep(_TICK)

    def _look(self, tx: VaultTransaction, decision: DecisionId, at: datetime) -> Opened | _Renewal | _Wait:
        # Steps 1 and 2.
        call = self._running(tx, decision)
        if call is None:
            raise CredentialNotForThis("no permitted call that is under way asks for a credential")
        if isinstance(alive(tx.lineage, call.lineage, at), Dead):
            raise CredentialNotForThis("something above this call was stopped")
        # Steps 3 and 4.
        _require_one_person(call.lineage.companions, call.server)
        held, provider = self._held(tx, call.server, call.user, call.agent, call.agent_name, at)
        connection = held.connection
        # Step 5.
        if connection.is_fresh(at):
            return self._opened(tx, call, held, provider, at)
        lease = tx.vault.lease(connection.id, version=connection.version, until=at + LEASE, at=at)
        if not lease:
            return self._opened(tx, call, held, provider, at) if connection.is_good(at) else _Wait()
        return _Renewal(
            connection=connection,
            tokens=self._tokens(held),
            provider=provider,
            secret=self._secret(tx, provider),
        )

    def _held(
        self,
        tx: VaultTransaction,
        server: Server,
        user: UserId | None,
        agent: AgentId,
        agent_name: str,
        at: datetime,
    ) -> tuple[Sealed, Provider]:
        """The connection of exactly this place. SAFETY: there is no other way to one, and no default."""
        need = server.credential
        if need is None:
            raise CredentialNotForThis(f"`{server.name}` needs no credential")
        provider = tx.vault.provider(ProviderId(need.provider))
        if provider is None or provider.retired_at is not None:
            raise ConnectionRequired(
                f"the provider of the credentials for `{server.name}` was retired",
                next_step="ask an administrator: remit provider list",
            )
        place = Place(user=user, agent=agent, provider=provider.id, scopes=need.scopes)
        held = tx.vault.at(place)
        usable = held is not None and held.connection.state is ConnectionState.ACTIVE
        if held is None or not usable or not (held.connection.refreshable or held.connection.is_good(at)):
            raise ConnectionRequired(
                f"`{agent_name}` has no connection to `{provider.name}` that is good for this call",
                next_step=connect_link(self._issuer, provider, server, agent_name),
            )
        return held, provider

    def _opened(
        self, tx: VaultTransaction, call: PermittedCall, held: Sealed, provider: Provider, at: datetime
    ) -> Opened:
        facts.about_opening(
            tx, held.connection, call.decision, call.call, call.instance, at, self._seal.entropy
        )
        shown = self._tokens(held).access.reveal()
        scheme = f"{provider.scheme} ".encode() if provider.scheme else b""
        return Opened(connection=held.connection, header=provider.header, value=Secret(scheme + shown))

    def _tokens(self, held: Sealed) -> Tokens:
        if held.sealed is None:
            raise CredentialNotForThis("the credential is gone")
        return self._seal.open(held.sealed, place_of(held.connection))

    def _secret(self, tx: VaultTransaction, provider: Provider) -> Secret | None:
        sealed = tx.vault.provider_secret(provider.id)
        if sealed is None:
            return None
        return self._seal.open_one(sealed, provider_place(provider.tenant, provider.id))

    async def _renew(self, renewal: _Renewal) -> None:
        """Renew once (RFC 6749 §6).

        CRASH: a provider that rotated and whose answer we lost takes the old token no more; the next try
        hears `invalid_grant`, and the person connects again. Nothing else stands in meanwhile.
        """
        token = renewal.tokens.refresh
        if token is None:
            raise CredentialNotForThis("a credential without refresh token was to be renewed")
        at = self._clock.now()
        try:
            given = await self._client.refresh(renewal.provider, renewal.secret, token=token, at=at)
        except ProviderRefused as refused:
            await self._refused(renewal, refused)
        except RemitError:
            await self._postpone(renewal)
        else:
            await self._uow.commit(lambda tx: self._keep(tx, renewal, given, self._clock.now()))

    def _keep(self, tx: VaultTransaction, renewal: _Renewal, given: Granted, at: datetime) -> None:
        before = renewal.connection
        tokens = replace(given.tokens, refresh=given.tokens.refresh or renewal.tokens.refresh)
        if given.scopes is not None and not given.scopes.issuperset(before.place.scopes):
            self._break(tx, before, "scope_narrowed", at)
            self._ender.order_end(tx, before, tokens, at=at)
            return
        after = replace(before, version=before.version + 1, expires_at=given.expires_at, changed_at=at)
        if not tx.vault.renew(after, self._seal.close(tokens, place_of(after)), was=before.version):
            # It ended while the provider was asked: what came meanwhile must end too.
            self._ender.order_end(tx, before, tokens, at=at)
            return
        facts.about_connection(
            tx, facts.CONNECTION_RENEWED, after, by=facts.SYSTEM, at=at, entropy=self._seal.entropy
        )

    async def _refused(self, renewal: _Renewal, refused: ProviderRefused) -> None:
        if refused.error not in _GONE:
            await self._postpone(renewal)
            return
        at = self._clock.now()
        await self._uow.commit(lambda tx: self._break(tx, renewal.connection, refused.error, at))

    def _break(self, tx: VaultTransaction, connection: Connection, because: str, at: datetime) -> None:
        broken = replace(connection, state=ConnectionState.BROKEN, changed_at=at, because=because)
        if tx.vault.save(broken, was=connection.version):
            detail = (("because", because),)
            facts.about_connection(
                tx,
                facts.CONNECTION_BROKEN,
                broken,
                by=facts.SYSTEM,
                at=at,
                entropy=self._seal.entropy,
                detail=detail,
            )

    async def _postpone(self, renewal: _Renewal) -> None:
        """Leave the provider alone for a while; the present credential serves as long as it is good."""
        connection, at = renewal.connection, self._clock.now()
        await self._uow.commit(
            lambda tx: tx.vault.release(connection.id, version=connection.version, until=at + PAUSE)
        )
        if not connection.is_good(at):
            raise ProviderUnavailable(
                f"`{renewal.provider.name}` did not renew the credential; try again later"
            )


def connect_link(issuer: str, provider: Provider, server: Server, agent_name: str) -> str:
    """Where a person connects: names what is needed by its registration, so that no link asks for more."""
    asked = urlencode({"server": server.name, "agent": agent_name})
    return f"{issuer}/connect/{provider.name}?{asked}"
