"""Use cases of an administrator's own clients: registered before they come, each with limits of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from remit.authority.oauth.clients.client import BINDING_ATTRIBUTE, Binding
from remit.authority.oauth.clients.invitations import Invitation, invite
from remit.authority.oauth.clients.keys import read_jwks
from remit.authority.oauth.clients.metadata import StatedClient
from remit.authority.oauth.clients.registration import (
    CODE,
    ClientRegistration,
    RegistrationKind,
    SessionLimits,
)
from remit.authority.oauth.enrolling import client_records, enrolment
from remit.authority.oauth.enrolling.enrolment import Act, Enrolment, UnknownClient, stated_of
from remit.authority.oauth.metadata import OF_A_KEY
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.errors import InvalidClientMetadata
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.kernel.canonical import JsonObject, canonical_json
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One application of the directory. `client` is how people sign in to it here; None: it is ungoverned."""

    application: Principal
    client: ClientRegistration | None


class RegistrationService:
    """Registers, changes, lists and revokes clients."""

    def __init__(self, *, uow: UnitOfWork[OAuthTransaction], entropy: Entropy, tenant: TenantId) -> None:
        self._uow = uow
        self._entropy = entropy
        self._tenant = tenant

    async def register_agent(
        self,
        agent: PrincipalId,
        stated: StatedClient,
        *,
        by: PrincipalId,
        at: datetime,
        bearer: bool = False,
        limits: SessionLimits | None = None,
        requires: frozenset[str] = frozenset(),
    ) -> ClientRegistration:
        """Register a client that is an agent's: it becomes an instance of that agent.

        With keys of its own it may also do what an instance does: earn its own token, and exchange.
        """
        own = frozenset() if stated.auth_method.keyless else OF_A_KEY
        wanted = Enrolment(
            stated=stated,
            kind=RegistrationKind.PRE_REGISTERED,
            agent=agent,
            bearer=bearer,
            grant_types=own,
            limits=limits or SessionLimits(),
            requires=requires,
        )
        return await self._uow.commit(lambda tx: enrolment.enrol(tx, wanted, self._act(by, at)))

    async def register_application(
        self,
        stated: StatedClient,
        *,
        purpose: str,
        environment: Environment,
        by: PrincipalId,
        at: datetime,
        limits: SessionLimits | None = None,
        requires: frozenset[str] = frozenset(),
    ) -> ClientRegistration:
        """Register an application that people sign in to: it learns who they are, and acts for nobody.

        Its tokens open that alone, for two minutes; so they are bound to a key only if it says that it can.
        """
        wanted = Enrolment(
            stated=stated,
            kind=RegistrationKind.PRE_REGISTERED,
            agent=None,
            bearer=not stated.dpop_bound,
            purpose=purpose,
            environment=environment,
            limits=limits or SessionLimits(),
            requires=requires,
        )
        return await self._uow.commit(lambda tx: enrolment.enrol(tx, wanted, self._act(by, at)))

    async def change(
        self, client_id: str, stated: StatedClient, *, by: PrincipalId, at: datetime
    ) -> ClientRegistration:
        """Put new metadata in the place of the old ones; people are asked again where they would see it.

        A metadata document is changed where it stands. Raises `UnknownClient`, `InvalidClientMetadata`.
        """

        def work(tx: OAuthTransaction) -> ClientRegistration:
            present = enrolment.live(tx, client_id)
            if present.kind is RegistrationKind.METADATA_DOCUMENT:
                raise InvalidClientMetadata("a client of a metadata document is changed in that document")
            return enrolment.amend(tx, present, stated, self._act(by, at))

        return await self._uow.commit(work)

    async def set_terms(
        self,
        client_id: str,
        limits: SessionLimits,
        requires: frozenset[str],
        *,
        by: PrincipalId,
        at: datetime,
    ) -> ClientRegistration:
        """Change how long sessions with a client last, and what a sign-in must be (R21, R24)."""
        return await self._uow.commit(
            lambda tx: enrolment.set_terms(
                tx, enrolment.live(tx, client_id), limits, requires, self._act(by, at)
            )
        )

    async def revoke(
        self, client_id: str, *, by: PrincipalId, because: str, at: datetime
    ) -> ClientRegistration:
        """End a client for good, with everything that was given to it."""
        return await self._uow.commit(
            lambda tx: enrolment.revoke(tx, enrolment.live(tx, client_id), self._act(by, at), because=because)
        )

    async def rotate_keys(
        self, client_id: str, jwks: JsonObject, *, by: PrincipalId, at: datetime
    ) -> ClientRegistration:
        """Replace the keys of a client; those that are left out are dead at once."""
        canonical = canonical_json(read_jwks(jwks)).decode()

        def work(tx: OAuthTransaction) -> ClientRegistration:
            present = enrolment.live(tx, client_id)
            if present.jwks is None or present.jwks_uri is not None:
                raise InvalidClientMetadata("this client has no keys here: change what it is instead")
            return enrolment.amend(tx, present, stated_of(present, jwks=canonical), self._act(by, at))

        return await self._uow.commit(work)

    async def invite(
        self, agent: PrincipalId, *, uses: int, lifetime: timedelta, by: PrincipalId, at: datetime
    ) -> tuple[Invitation, str]:
        """Make an initial access token; its text is kept nowhere. Raises `UnfitInvitation`."""
        made, text = invite(
            agent, tenant=self._tenant, by=by, uses=uses, lifetime=lifetime, at=at, entropy=self._entropy
        )

        def work(tx: OAuthTransaction) -> None:
            tx.invitations.add(made)
            client_records.invited(tx, made, entropy=self._entropy)

        await self._uow.commit(work)
        return made, text

    async def find(self, ident: str) -> ClientRegistration:
        """One client, by its id or that of its instance. Raises `UnknownClient`."""

        def work(tx: OAuthTransaction) -> ClientRegistration | None:
            return tx.registrations.get(ident) or next(iter(tx.registrations.of(PrincipalId(ident))), None)

        found = await self._uow.read(work)
        if found is None:
            raise UnknownClient(f"no client `{ident[:256]}`", next_step="remit client list")
        return found

    async def get(self, client_id: str) -> ClientRegistration:
        """One client, revoked or not. Raises `UnknownClient`."""
        found = await self._uow.read(lambda tx: tx.registrations.get(client_id))
        if found is None:
            raise UnknownClient(f"no client `{client_id[:256]}`", next_step="remit client list")
        return found

    async def list(
        self, *, kind: RegistrationKind | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ClientRegistration]:
        """Clients by their principals; `after` is the last principal seen."""
        return await self._uow.read(lambda tx: tx.registrations.list(kind=kind, after=after, limit=limit))

    async def coverage(self) -> Sequence[Covered]:
        """Every application that is in use, and whether people sign in to it here (R22, R23)."""
        return await self._uow.read(_coverage)

    def _act(self, by: PrincipalId, at: datetime) -> Act:
        return Act(tenant=self._tenant, by=by, at=at, entropy=self._entropy)


def _coverage(tx: OAuthTransaction) -> list[Covered]:
    found: list[Covered] = []
    after = ""
    while page := tx.principals.page(kind=Kind.APPLICATION, after=after, limit=_PAGE):
        for each in page:
            if each.state is State.RETIRED:
                continue
            clients = (one for one in tx.registrations.of(each.id) if one.live and CODE in one.grant_types)
            found.append(Covered(application=each, client=next(clients, None)))
        after = page[-1].id
    return found


_PAGE = 200


def agent_named(tx: OAuthTransaction, name: str) -> Principal | None:
    """The living agent of that name, for clients that the settings let in below it."""
    return tx.principals.named(Kind.AGENT, name)


def allows_bearer(agent: Principal) -> bool:
    """Whether instances of an agent may have tokens bound to no key: many MCP clients can't do better."""
    return dict(agent.attributes).get(BINDING_ATTRIBUTE) == Binding.BEARER
