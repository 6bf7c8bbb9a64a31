"""Use cases of connections: connect in one's own session, see one's own, disconnect; seal a static key."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.authority.alive import Dead, Level, alive
from remit.authority.lineage import line_of
from remit.authority.tasks import Lineage
from remit.authority.vault import facts
from remit.authority.vault.connection import (
    STATIC_LIFE_CEILING,
    Connection,
    ConnectionId,
    ConnectionState,
    Place,
)
from remit.authority.vault.endings import Ender
from remit.authority.vault.errors import (
    FlowRefused,
    ProviderRefused,
    ProviderUnfit,
    StaticSecretUnfit,
    TooManyFlows,
    UnknownConnection,
)
from remit.authority.vault.flow import OPEN_FLOWS, Flow, Returned, begin, check_return
from remit.authority.vault.provider import Provider, ProviderId, ProviderKind, scopes_of
from remit.authority.vault.provider_service import known
from remit.authority.vault.repository import VaultTransaction
from remit.authority.vault.sealing import Tokens, VaultSeal, flow_place, place_of, provider_place
from remit.authority.vault.upstream import Granted, ProviderClient
from remit.identity.principals import Kind, Principal
from remit.identity.sessions import Session
from remit.identity.tools import Server
from remit.kernel.canonical import sha256
from remit.kernel.clock import Clock
from remit.kernel.errors import NotFound
from remit.kernel.ids import AgentId, PrincipalId, TenantId, UserId, mint_id
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

_STATIC: Final = re.compile(rb"[\x21-\x7e]{8,4096}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a link asks a person to connect, resolved by the directory."""

    provider: Provider
    server: str
    agent: Principal
    place: Place
    present: Connection | None
    """The connection that stands there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A static key of an agent, or of a person through an agent."""

    provider: str
    agent: PrincipalId
    user: PrincipalId | None
    scopes: tuple[str, ...]
    life: timedelta


class ConnectionService:
    """Connects, lists and disconnects."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[VaultTransaction],
        client: ProviderClient,
        seal: VaultSeal,
        tenant: TenantId,
        issuer: str,
        clock: Clock,
    ) -> None:
        self._uow = uow
        self._client = client
        self._seal = seal
        self._tenant = tenant
        self._issuer = issuer
        self._clock = clock
        self._ender = Ender(seal=seal)

    async def wanted(self, provider: str, *, server: str, agent: str, user: UserId) -> Wanted:
        """What a connect link asks for. Raises what is missing: provider, server, agent or consent."""
        at = self._clock.now()
        return await self._uow.read(lambda tx: self._wanted(tx, provider, server, agent, user, at))

    async def begin(self, provider: str, *, server: str, agent: str, session: Session) -> str:
        """Begin a flow in this session; gives the provider's address to go on to.

        Raises `TooManyFlows`, `ProviderUnfit`, or as `wanted` does.
        """
        at, user = self._clock.now(), UserId(session.human)

        def work(tx: VaultTransaction) -> str:
            wanted = self._wanted(tx, provider, server, agent, user, at)
            if wanted.provider.kind is not ProviderKind.OAUTH:
                raise ProviderUnfit("an administrator gives its keys: nobody can connect to it")
            if wanted.present is not None and wanted.present.state is ConnectionState.ACTIVE:
                raise ProviderUnfit("this is connected already", next_step="disconnect it first")
            begun = begin(
                wanted.provider,
                wanted.place,
                session=session.id,
                user=user,
                issuer=self._issuer,
                at=at,
                entropy=self._seal.entropy,
            )
            flow = begun.flow
            verifier = self._seal.close_one(begun.verifier, flow_place(flow.tenant, flow.state))
            if not tx.vault.add_flow(flow, verifier, open_at_once=OPEN_FLOWS, at=at):
                raise TooManyFlows(f"{OPEN_FLOWS} connect flows are open, which is the limit")
            return begun.url

        return await self._uow.commit(work)

    async def finish(self, provider: str, returned: Returned, *, session: Session) -> Connection:
        """End a flow in the session that began it: redeem the code, seal what came, once.

        1 to 6 as `flow.check_return`   7 the provider gives the token   8 all that was asked was granted
        9 person, agent and consent still live, and nothing stands there yet.
        What came and can't be kept is revoked upstream. Raises `FlowRefused` or an unavailable `RemitError`.
        """
        at = self._clock.now()
        opened = await self._uow.commit(lambda tx: self._spend(tx, provider, returned, session, at))
        if isinstance(opened, FlowRefused):
            raise opened
        given = await self._redeem(opened, returned.code)
        found = await self._uow.commit(lambda tx: self._keep(tx, opened, given, self._clock.now()))
        if isinstance(found, FlowRefused):
            raise found
        return found

    async def of(self, user: UserId | None, *, after: str = "", limit: int = 100) -> Sequence[Connection]:
        """Connections of one person, or with None of everybody, by id."""
        return await self._uow.read(lambda tx: tx.vault.of(user=user, after=after, limit=limit))

    async def get(self, ident: ConnectionId) -> Connection:
        """One connection; raises `UnknownConnection`."""
        held = await self._uow.read(lambda tx: tx.vault.get(ident))
        if held is None:
            raise unknown(ident)
        return held.connection

    async def disconnect(
        self, ident: ConnectionId, *, by: PrincipalId, because: str, own: bool = True
    ) -> Connection:
        """End a connection and have the provider told; `own` refuses everybody else's."""
        at = self._clock.now()

        def work(tx: VaultTransaction) -> Connection:
            held = tx.vault.get(ident)
            if held is None or (own and held.connection.place.user != UserId(by)):
                raise unknown(ident)
            return self._ender.end(tx, held, by=by, because=because, at=at)

        return await self._uow.commit(work)

    async def seal_key(self, wanted: NewKey, key: Secret, *, by: PrincipalId) -> Connection:
        """Seal a static key, or rotate the one that is there: the next call already carries the new one.

        Raises `StaticSecretUnfit`, `ProviderUnfit`, or `NotFound` for people and agents that don't act.
        """
        if not _STATIC.fullmatch(key.reveal()):
            raise StaticSecretUnfit("a key has 8 to 4096 visible ASCII characters")
        if not timedelta() < wanted.life <= STATIC_LIFE_CEILING:
            raise StaticSecretUnfit(f"a key lives at most {STATIC_LIFE_CEILING.days} days")
        at = self._clock.now()
        return await self._uow.commit(lambda tx: self._seal_key(tx, wanted, key, by=by, at=at))

    def _wanted(
        self, tx: VaultTransaction, name: str, server_name: str, agent_name: str, user: UserId, at: datetime
    ) -> Wanted:
        provider = known(tx, name)
        server = tx.servers.named(server_name)
        need = None if server is None else server.credential
        if server is None or need is None or need.provider != provider.id:
            raise NotFound("this link asks for nothing that is needed here")
        agent = tx.principals.named(Kind.AGENT, agent_name)
        if agent is None:
            raise NotFound("the agent does not act here")
        place = Place(user=user, agent=AgentId(agent.id), provider=provider.id, scopes=need.scopes)
        _require_living(tx, place, tenant=self._tenant, at=at, server=server)
        held = tx.vault.at(place)
        present = None if held is None else held.connection
        return Wanted(provider=provider, server=server.name, agent=agent, place=place, present=present)

    def _spend(
        self, tx: VaultTransaction, name: str, returned: Returned, session: Session, at: datetime
    ) -> "_Opened | FlowRefused":
        """INVARIANT: whatever comes of it, this flow is over: a second answer finds nothing."""
        spent = tx.vault.spend_flow(sha256(returned.state.encode()))
        flow = None if spent is None else spent[0]
        try:
            provider = known(tx, name)
            checked = check_return(
                flow, provider, returned, session=session.id, user=UserId(session.human), at=at
            )
        except FlowRefused as refused:
            self._tell(tx, flow, refused, by=session.human, at=at)
            return refused
        sealed = tx.vault.provider_secret(provider.id)
        context = provider_place(provider.tenant, provider.id)
        return _Opened(
            flow=checked,
            provider=provider,
            verifier=self._seal.open_one(
                spent[1] if spent else b"", flow_place(checked.tenant, checked.state)
            ),
            secret=None if sealed is None else self._seal.open_one(sealed, context),
        )

    async def _redeem(self, opened: "_Opened", code: str) -> Granted:
        flow = opened.flow
        try:
            return await self._client.redeem(
                opened.provider,
                opened.secret,
                code=code,
                verifier=opened.verifier,
                back=flow.back,
                at=self._clock.now(),
            )
        except ProviderRefused as refused:
            told = FlowRefused(7, refused.error, refused.hint)
            at = self._clock.now()
            await self._uow.commit(lambda tx: self._tell(tx, flow, told, by=PrincipalId(flow.user), at=at))
            raise told from refused

    def _keep(
        self, tx: VaultTransaction, opened: "_Opened", given: Granted, at: datetime
    ) -> "Connection | FlowRefused":
        flow = opened.flow
        connection = self._new(flow.place, at, given.expires_at, refreshable=given.tokens.refresh is not None)
        refused = self._unfit(tx, flow, given, at) or self._taken(tx, connection, given.tokens, at)
        if refused is not None:
            self._ender.order_end(tx, connection, given.tokens, at=at)
            self._tell(tx, flow, refused, by=PrincipalId(flow.user), at=at)
            return refused
        self._record(tx, facts.CONNECTION_MADE, connection, PrincipalId(flow.user), at)
        return connection

    def _unfit(self, tx: VaultTransaction, flow: Flow, given: Granted, at: datetime) -> FlowRefused | None:
        if given.scopes is not None and not given.scopes.issuperset(flow.place.scopes):
            return FlowRefused(8, "scope_not_granted", "the provider did not grant all that the server needs")
        try:
            _require_living(tx, flow.place, tenant=self._tenant, at=at)
        except NotFound as gone:
            return FlowRefused(9, "not_alive", gone.hint)
        return None

    def _taken(
        self, tx: VaultTransaction, connection: Connection, tokens: Tokens, at: datetime
    ) -> FlowRefused | None:
        held = tx.vault.at(connection.place)
        if held is not None and held.connection.state is ConnectionState.BROKEN:
            self._ender.end(tx, held, by=facts.SYSTEM, because="connected again", at=at)
        if tx.vault.add(connection, self._seal.close(tokens, place_of(connection))):
            return None
        return FlowRefused(9, "connected_already", "this was connected meanwhile")

    def _seal_key(
        self, tx: VaultTransaction, wanted: NewKey, key: Secret, *, by: PrincipalId, at: datetime
    ) -> Connection:
        provider = known(tx, wanted.provider)
        if provider.kind is not ProviderKind.STATIC:
            raise ProviderUnfit(f"people connect to `{provider.name}` themselves: it takes no static key")
        place = Place(
            user=None if wanted.user is None else UserId(wanted.user),
            agent=AgentId(wanted.agent),
            provider=ProviderId(provider.id),
            scopes=scopes_of(wanted.scopes),
        )
        _require_living(tx, place, tenant=self._tenant, at=at)
        held = tx.vault.at(place)
        tokens = Tokens(access=key)
        if held is None:
            made = self._new(place, at, at + wanted.life, refreshable=False)
            tx.vault.add(made, self._seal.close(tokens, place_of(made)))
            self._record(tx, facts.CONNECTION_MADE, made, by, at)
            return made
        was = held.connection
        after = replace(was, version=was.version + 1, expires_at=at + wanted.life, changed_at=at)
        if not tx.vault.renew(after, self._seal.close(tokens, place_of(after)), was=was.version):
            raise unknown(was.id)
        tx.advance_epoch(f"rotated:{was.id}")
        self._record(tx, facts.CONNECTION_RENEWED, after, by, at)
        return after

    def _new(
        self, place: Place, at: datetime, expires_at: datetime | None, *, refreshable: bool
    ) -> Connection:
        return Connection(
            id=ConnectionId(mint_id("con", at=at, entropy=self._seal.entropy)),
            tenant=self._tenant,
            place=place,
            state=ConnectionState.ACTIVE,
            refreshable=refreshable,
            expires_at=expires_at,
            created_at=at,
            changed_at=at,
        )

    def _record(
        self, tx: VaultTransaction, fact: str, connection: Connection, by: PrincipalId, at: datetime
    ) -> None:
        facts.about_connection(tx, fact, connection, by=by, at=at, entropy=self._seal.entropy)

    def _tell(
        self, tx: VaultTransaction, flow: Flow | None, refused: FlowRefused, *, by: PrincipalId, at: datetime
    ) -> None:
        facts.about_flow(tx, flow, refused, tenant=self._tenant, by=by, at=at, entropy=self._seal.entropy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A flow that came back as it went, and what redeeming its code takes."""

    flow: Flow
    provider: Provider
    verifier: Secret
    secret: Secret | None


def unknown(ident: str) -> UnknownConnection:
    """The one answer to what is absent and to what is another's."""
    return UnknownConnection(f"no connection `{ident[:64]}`", next_step="remit connection list")


def _require_living(
    tx: VaultTransaction, place: Place, *, tenant: TenantId, at: datetime, server: Server | None = None
) -> None:
    """Agent, person and all that stands above them live, and the person's consent stands; raises `NotFound`.

    With `server` that one must live too: a link may lead to a server that has ended since.
    """
    agent = tx.principals.get(PrincipalId(place.agent))
    if agent is None or agent.kind is not Kind.AGENT:
        raise NotFound("the agent does not act here")
    consent = None if place.user is None else tx.grants.standing(place.user, place.agent)
    if place.user is not None and consent is None:
        raise NotFound(f"`{agent.name}` may not work for you: you have given it no consent")
    above = line_of(agent.id, tx.principals.get) | ({PrincipalId(server.id)} if server else set())
    lineage = Lineage(
        tenant=tenant,
        user=place.user,
        task=None,
        grant=consent.id if consent else None,
        chain=(agent.id,),
        principals=above,
        envelope=None,
    )
    dead = alive(tx.lineage, lineage, at)
    if isinstance(dead, Dead):
        whom = "the person" if dead.level is Level.USER else "the agent"
        raise NotFound(f"{whom} does not act here")
