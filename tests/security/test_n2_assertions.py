"""N2 where somebody else's word begins it: each cause of an end, at each grant that takes such a word."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from remit.authority.oauth.provider import OAuth
from remit.identity.federation.profiles import ProfileName
from remit.kernel.ids import PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.domains import Border
from support.federation import Federated, domain, github
from support.oauth import Actor, World, claims_in
from support.saml_grants import governed
from twins.memory import ForgetfulWork, Immortal, Unrevoked

OVER = "test"


@dataclass(kw_only=True)
class Word:
    """One grant at work: how its holder asks anew, what came of it, and who stands behind it."""

    world: World
    ask: Callable[[], Awaitable[httpx2.Response]]
    fresh: Callable[[], Awaitable[httpx2.Response]] | None = None
    """By a new word, where the old one may be shown again."""
    token: str
    asker: str
    trust: dict[str, Callable[[], Awaitable[Any]]]

    @property
    def instance(self) -> PrincipalId:
        return PrincipalId(claims_in(self.token)["client_id"])

    async def goes_on(self) -> set[str]:
        """Where it still serves: a new token by the word, and the one that came of it."""
        answer = await self.ask()
        open_places = {"grant"} if answer.status_code == httpx2.codes.OK else set()
        if self.fresh is not None and (await self.fresh()).status_code == httpx2.codes.OK:
            open_places.add("fresh")
        told = await self.world.introspect(self.asker, self.token)
        if told.status_code == httpx2.codes.OK and told.json()["active"]:
            open_places.add("token")
        return open_places


async def federated(uow: SqlUnitOfWork, way: str, **parts: Any) -> Word:
    """A workload by the word of its platform: `jwt_bearer`, `jwt_spiffe` or `saml2_bearer`."""
    if way == "saml2_bearer":
        saml, provider = await governed(uow, **parts)
        here: Federated = saml

        async def ask() -> httpx2.Response:
            return await saml.saml(provider.grant(saml.now))
    else:
        here = await Federated(uow, **parts).populate()
        them = github() if way == "jwt_bearer" else domain()
        profile = ProfileName.GITHUB_ACTIONS if way == "jwt_bearer" else ProfileName.SPIFFE
        await here.rule(await here.trust(them, profile), sub=them.claims["sub"])

        async def ask() -> httpx2.Response:
            said = them.assertion(here.now)
            return await (here.bearer(said) if way == "jwt_bearer" else here.svid(said))

    issuer, _, (rule,) = await here.service.get("them")
    by, at = here.ana, here.now
    answer = await ask()
    assert answer.status_code == httpx2.codes.OK, answer.text
    token = answer.json()["access_token"]
    entry = await here.world.identities.get(PrincipalId(claims_in(token)["client_id"]))
    (credential,) = await here.world.credentials.of(entry.id)
    here.world.actors["workload"] = Actor(principal=entry, kid=credential.id, key=here.key())
    return Word(
        world=here.world,
        ask=ask,
        token=token,
        asker="workload",
        trust={
            "issuer distrusted": lambda: here.service.distrust(issuer.id, by=by, because=OVER, at=at),
            "rule withdrawn": lambda: here.service.withdraw_rule(rule.id, by=by, because=OVER, at=at),
        },
    )


async def domain_grant(border: Border) -> Word:
    """A client by the word of the person's own server at home."""
    home, partner = border.home, border.partner

    async def fresh() -> httpx2.Response:
        answer = await home.chained()
        return await partner.redeem_grant(answer.json()["access_token"], resource=partner.mcp())

    word = (await home.chained()).json()["access_token"]

    async def ask() -> httpx2.Response:
        """The very word again, as its holder may until it ends."""
        return await partner.redeem_grant(word, resource=partner.mcp())

    answer = await ask()
    assert answer.status_code == httpx2.codes.OK, answer.text
    shown = await partner.domains.get(border.inbound.id)
    standing = next(each for each in await partner.consents.of_user(partner.ana) if "By a rule" in each.text)
    stated = {"by": partner.ana, "at": partner.now}
    trust: dict[str, Callable[[], Awaitable[Any]]] = {
        "domain withdrawn": lambda: partner.domains.withdraw(border.inbound.id, because=OVER, **stated),
        "domain rule withdrawn": lambda: partner.domains.disallow(shown.rules[0].id, because=OVER, **stated),
        "person unlinked": lambda: partner.domains.unlink(
            border.inbound.id, shown.people[0].subject, **stated
        ),
        "consent withdrawn": lambda: partner.consents.withdraw(standing.id, **stated),
    }
    return Word(
        world=partner,
        ask=ask,
        fresh=fresh,
        token=answer.json()["access_token"],
        asker="calendar-bot",
        trust=trust,
    )


FEDERATED = ("jwt_bearer", "jwt_spiffe", "saml2_bearer")
BOTH = frozenset({"grant", "token"})


def of_agent(world: World) -> PrincipalId:
    return PrincipalId(str(world.actors["calendar-bot"].principal.parent))


async def suspend(world: World, who: PrincipalId) -> None:
    await world.identities.suspend(who, by=PrincipalId("system"), because=OVER, at=world.now)


async def retire(world: World, who: PrincipalId) -> None:
    await world.identities.retire(who, by=PrincipalId("system"), because=OVER, at=world.now)


async def kill(world: World, kind: str, who: str) -> None:
    def work(tx: Any) -> None:
        epoch = tx.advance_epoch(OVER)
        tx.lineage.bury(kind, who, cause="killed", epoch=epoch, at=world.now)

    await world.uow.commit(work)


Cause = Callable[[Word], Awaitable[Any]]
CAUSES: dict[str, Cause] = {
    "agent suspended": lambda word: suspend(word.world, of_agent(word.world)),
    "agent retired": lambda word: retire(word.world, of_agent(word.world)),
    "agent killed": lambda word: kill(word.world, "agent", of_agent(word.world)),
    "blueprint suspended": lambda word: suspend(
        word.world, PrincipalId(word.world.blueprints["bot-production"])
    ),
    "blueprint killed": lambda word: kill(word.world, "blueprint", word.world.blueprints["bot-production"]),
    "owner suspended": lambda word: suspend(word.world, word.world.actors["ana"].principal.id),
    "instance suspended": lambda word: suspend(word.world, word.instance),
    "instance retired": lambda word: retire(word.world, word.instance),
    "instance killed": lambda word: kill(word.world, "instance", word.instance),
    "tenant killed": lambda word: kill(word.world, "tenant", DEFAULT_TENANT),
}
"""Whatever the grant is."""
TRUST = {
    **dict.fromkeys(FEDERATED, ("issuer distrusted", "rule withdrawn")),
    "domain_grant": (
        "domain withdrawn", "domain rule withdrawn", "person unlinked", "consent withdrawn",
        "person suspended", "person retired", "person killed", "task ended",
    ),
}  # fmt: skip
"""Of one grant alone: whose word it was, and for whom."""
OF_PEOPLE: dict[str, Cause] = {
    "person suspended": lambda word: suspend(word.world, word.world.actors["ana"].principal.id),
    "person retired": lambda word: retire(word.world, word.world.actors["ana"].principal.id),
    "person killed": lambda word: kill(word.world, "user", word.world.actors["ana"].principal.id),
    "task ended": lambda word: kill(word.world, "task", claims_in(word.token)["txn"]),
}


async def struck(word: Word, cause: str) -> set[str]:
    """Where it goes on after the cause, having gone on everywhere before."""
    assert await word.goes_on() == BOTH | ({"fresh"} if word.fresh else set())
    if cause in word.trust:
        await word.trust[cause]()
    else:
        await {**CAUSES, **OF_PEOPLE}[cause](word)
    return await word.goes_on()


CELLS = [(way, cause) for way in ("jwt_bearer", "saml2_bearer") for cause in (*CAUSES, *TRUST[way])]
CELLS += [("jwt_spiffe", cause) for cause in ("agent suspended", "instance killed", *TRUST["jwt_spiffe"])]
"""An SVID authenticates a client and is no grant: what differs there is who vouches, and for whom."""


@pytest.mark.req("N2")
@pytest.mark.attack("RT-06")
@pytest.mark.promise("P1", "P12")
@pytest.mark.parametrize(("way", "cause"), CELLS)
async def test_a_platforms_word_revives_nothing(sqlite_uow: SqlUnitOfWork, way: str, cause: str) -> None:
    assert await struck(await federated(sqlite_uow, way), cause) == set()


def immortal(**parts: Any) -> OAuth:
    """An authorization server that asks nobody who lives."""
    forgetful: Any = ForgetfulWork(parts["uow"], lineage=Immortal, tokens=Unrevoked)
    return OAuth.build(**{**parts, "uow": forgetful})


@pytest.mark.twin("RT-06")
async def test_a_server_that_asks_nobody_who_lives_takes_any_word(sqlite_uow: SqlUnitOfWork) -> None:
    word = await federated(sqlite_uow, "jwt_bearer", build=immortal)
    assert await struck(word, "agent killed") == BOTH


@pytest.mark.req("N2")
@pytest.mark.attack("RT-06")
@pytest.mark.promise("P1", "P12")
@pytest.mark.parametrize("cause", [*CAUSES, *TRUST["domain_grant"]])
async def test_another_domains_word_revives_nothing(border: Border, cause: str) -> None:
    found = await struck(await domain_grant(border), cause)
    # One task ended is that one: the person at home may send the agent anew.
    assert found == ({"fresh"} if cause == "task ended" else set())
