"""Two authorization servers with a border between them: two of ours, or one of ours and somebody else."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import jwt as pyjwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from remit.authority.consent_service import ConsentService
from remit.authority.domains.trust import Direction, DomainPerson, DomainRule, TrustedDomain
from remit.authority.oauth.domains.service import DomainService, StatedDomain, StatedRule
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.rights import Ceiling
from remit.identity.federation.refresh import KeyRefresher
from remit.identity.federation.registering import Ours
from remit.kernel.errors import Unavailable
from remit.kernel.ids import UserId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import open_store
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld, with_codes
from support.jose import entropy_of
from support.oauth import ABSENT, ACCESS_TOKEN, BOOK, EXCHANGE, SEND, World, claims_in
from support.stores import journals

HOME = "https://remit.example"
PARTNER = "https://partner.example"
ENTERPRISE = "https://idp.example"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
ID_JAG_TYPE = "urn:ietf:params:oauth:token-type:id-jag"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
THERE = "partner:business/rooms.book"
"""A right to book at the partner's, as it is called at home."""


class Neighbour:
    """A `Fetcher` that knows the key sets of the other side, and counts."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[], bytes]] = {}
        self.asked: list[str] = []

    async def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        if address not in self.pages:
            raise Unavailable("nobody there")
        return self.pages[address]()


class DomainWorld(AuthorizingWorld):
    """An authorization server that has neighbours."""

    def __init__(
        self,
        uow: SqlUnitOfWork,
        *,
        issuer: str = HOME,
        build: Callable[..., OAuth] = with_codes,
        seed: str = "first life",
        **chosen: Any,
    ) -> None:
        self.neighbour = Neighbour()
        domain = issuer.partition("://")[2]
        refresher = KeyRefresher(
            uow=uow, fetcher=self.neighbour, entropy=entropy_of("keys"), tenant=DEFAULT_TENANT
        )
        options = OAuthOptions(issuer=issuer, trust_domain=domain, domains=True, **chosen)
        super().__init__(uow, options=options, build=partial(build, domain_keys=refresher), seed=seed)
        self.consents = ConsentService(uow=uow, entropy=self.entropy, tenant=DEFAULT_TENANT)
        self.domains = DomainService(
            uow=uow,
            entropy=self.entropy,
            tenant=DEFAULT_TENANT,
            ours=Ours(issuer=issuer, trust_domain=domain),
        )

    async def populate(self) -> "DomainWorld":
        # Without the clients of the code flow: who needs one registers it.
        await World.populate(self)
        wide = self.ceiling(BOOK, SEND, THERE)
        await self.allow_agent("calendar-bot", wide)
        self.task = await self.start_task(ceiling=wide)
        self.envelope = self.root(self.task)
        return self

    def live_on(self, before: "DomainWorld") -> "DomainWorld":
        """Take over what another one knew, over a copy of its store."""
        self.actors, self.blueprints = dict(before.actors), dict(before.blueprints)
        self.task, self.envelope = before.task, before.envelope
        return self

    @property
    def issuer(self) -> str:
        return self.options.issuer

    @property
    def ana(self) -> Any:
        return self.actors["ana"].principal.id

    def agent_id(self, name: str = "calendar-bot") -> str:
        return str(self.actors[name].principal.parent)

    def mcp(self, server: str = "business") -> str:
        return f"{self.issuer}/mcp/{server}"

    def knows(self, other: "DomainWorld | Enterprise") -> None:
        """Serve the other side's keys to this one."""
        self.neighbour.pages[f"{other.issuer}/jwks"] = other.jwks

    def jwks(self) -> bytes:
        return json.dumps(self.keyring.jwks(at=self.now)).encode()

    # -- the matrix

    async def trust(
        self, issuer: str, direction: Direction, *, name: str = "partner", **stated: Any
    ) -> TrustedDomain:
        if direction is Direction.INBOUND and "keys" not in stated:
            stated.setdefault("address", f"{issuer}/jwks")
        return await self.domains.trust(
            StatedDomain(name=name, issuer=issuer, direction=direction, **stated), by=self.ana, at=self.now
        )

    async def allow(self, domain: TrustedDomain, **stated: Any) -> DomainRule:
        values = {
            "who": "everybody",
            "client": self.agent_id(),
            "text": "Sales books the partner's rooms.",
            **stated,
        }
        return await self.domains.allow(domain.id, StatedRule(**values), by=self.ana, at=self.now)

    async def link(self, domain: TrustedDomain, subject: str, user: str = "ana", **more: Any) -> DomainPerson:
        whose = UserId(self.actors[user].id)
        return await self.domains.link(domain.id, subject, whose, by=self.ana, at=self.now, **more)

    async def outbound(self, there: str, *, issuer: str = PARTNER, **rule: Any) -> TrustedDomain:
        """Everything that lets calendar-bot go there for whomever it works for."""
        domain = await self.trust(issuer, Direction.OUTBOUND)
        stated = {"there": there, "ceiling": self.over(BOOK), "scopes": frozenset({"mcp"}), **rule}
        await self.allow(domain, **stated)
        return domain

    async def inbound(
        self, other: "DomainWorld | Enterprise", subject: str, *, rule: Any = None, **stated: Any
    ) -> TrustedDomain:
        """Everything that lets calendar-bot come from there for Ana."""
        self.knows(other)
        domain = await self.trust(other.issuer, Direction.INBOUND, **stated)
        await self.allow(domain, **{"ceiling": self.over(BOOK), **(rule or {})})
        await self.link(domain, subject)
        return domain

    def over(self, *actions: str, **changes: Any) -> Ceiling:
        return self.ceiling(*actions, **changes)

    # -- what clients send

    async def chained(self, who: str = "calendar-bot", **parameters: Any) -> httpx2.Response:
        """Ask for a grant for the partner, with the task's token unless something else is said."""
        values: dict[str, Any] = {
            "grant_type": EXCHANGE,
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": JWT_TYPE,
            "audience": PARTNER,
            **parameters,
        }
        if "subject_token" not in values:
            values["subject_token"] = await self.task_token(who)
        return await self.ask(who, **values)

    async def redeem_grant(self, grant: str, who: str = "calendar-bot", **more: Any) -> httpx2.Response:
        values = {"grant_type": JWT_BEARER, "assertion": grant, **more}
        return await self.ask(who, **{n: v for n, v in values.items() if v is not ABSENT})


@pytest_asyncio.fixture
async def second_uow(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[SqlUnitOfWork]:
    """One more database, beside the one of the other fixture."""
    path = tmp_path / "second.db"
    shutil.copyfile(sqlite_template, path)
    store = await open_store(f"sqlite:///{path}", journals=journals)
    yield SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    await store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """Two of ours: `home` sends, `partner` takes; calendar-bot has a client on each side."""

    home: DomainWorld
    partner: DomainWorld
    outbound: TrustedDomain
    inbound: TrustedDomain


async def neighbours(one: SqlUnitOfWork, other: SqlUnitOfWork, **options: Any) -> Border:
    """Open the border for calendar-bot and Ana."""
    home = await DomainWorld(one, **options).populate()
    partner = await DomainWorld(other, issuer=PARTNER, **options).populate()
    there = partner.actors["calendar-bot"].id
    outbound = await home.outbound(there)
    inbound = await partner.inbound(home, home.actors["ana"].id, name="home")
    return Border(home=home, partner=partner, outbound=outbound, inbound=inbound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A border that was opened once, and the stores of both sides, to copy."""

    border: Border
    home: Path
    partner: Path


@pytest.fixture(scope="session")
def settled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """Populated once in a session: people, agents, servers, a task, and the border."""
    folder = tmp_path_factory.mktemp("border")

    async def make() -> Settled:
        paths = {name: folder / f"{name}.db" for name in ("home", "partner")}
        stores = [
            await open_store(copied(sqlite_template, path), journals=journals) for path in paths.values()
        ]
        border = await neighbours(*(SqlUnitOfWork(each, tenant=DEFAULT_TENANT) for each in stores))
        for store in stores:
            await store.close()
        return Settled(border=border, **paths)

    return asyncio.run(make())


def copied(source: Path, path: Path) -> str:
    shutil.copyfile(source, path)
    return f"sqlite:///{path}"


@pytest_asyncio.fixture
async def border(settled: Settled, tmp_path: Path) -> AsyncIterator[Border]:
    """The border, open, for one test alone."""
    before = settled.border
    here = await open_store(copied(settled.home, tmp_path / "home.db"), journals=journals)
    there = await open_store(copied(settled.partner, tmp_path / "partner.db"), journals=journals)
    one, other = (SqlUnitOfWork(each, tenant=DEFAULT_TENANT) for each in (here, there))
    home = DomainWorld(one, seed="second life").live_on(before.home)
    partner = DomainWorld(other, issuer=PARTNER, seed="second life").live_on(before.partner)
    partner.knows(home)
    yield Border(home=home, partner=partner, outbound=before.outbound, inbound=before.inbound)
    await here.close()
    await there.close()


@pytest_asyncio.fixture
async def home(settled: Settled, tmp_path: Path) -> AsyncIterator[DomainWorld]:
    """One side alone; whom it trusts outbound does no harm. Transactions are served."""
    store = await open_store(copied(settled.home, tmp_path / "home.db"), journals=journals)
    work = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    yield DomainWorld(work, seed="second life", transactions=True).live_on(settled.border.home)
    await store.close()


class Enterprise:
    """An identity provider of somebody else, whose grants PyJWT signs: no line of it is ours."""

    def __init__(self, issuer: str = ENTERPRISE) -> None:
        self.issuer = issuer
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.count = 0

    def jwks(self) -> bytes:
        jwk = json.loads(pyjwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return json.dumps({"keys": [{**jwk, "kid": "e1", "use": "sig", "alg": "ES256"}]}).encode()

    def grant(self, world: DomainWorld, who: str = "calendar-bot", *, typ: Any = None, **changes: Any) -> str:
        """An ID-JAG; a change to `ABSENT` leaves a claim out."""
        self.count += 1
        at = int(world.now.timestamp())
        claims = {
            "iss": self.issuer,
            "sub": "00u1",
            "aud": world.issuer,
            "client_id": world.actors[who].id,
            "jti": f"jag-{self.count}",
            "iat": at,
            "exp": at + 300,
            "resource": world.mcp(),
            "scope": "mcp",
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not ABSENT}
        return self.signed(kept, typ="oauth-id-jag+jwt" if typ is None else typ)

    def signed(self, claims: dict[str, Any], *, typ: Any = "oauth-id-jag+jwt") -> str:
        """Sign whatever it is."""
        return pyjwt.encode(claims, self.key, algorithm="ES256", headers={"kid": "e1", "typ": typ})


def acted(token: str) -> list[tuple[str, str]]:
    """Who acts by a token, newest first: subject and, where somebody else vouches for it, issuer."""
    found, act = [], claims_in(token).get("act")
    while act:
        found.append((act["sub"], act.get("iss", "")))
        act = act.get("act")
    return found
