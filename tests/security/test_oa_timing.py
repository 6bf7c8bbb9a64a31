"""OA-22, KM-10: who is refused costs the same work, whether there is such a client or not.

Work is counted, not timed: statements of the store and signatures that were verified, which is what a
refusal takes its time for; a loaded machine changes neither. `REMIT_HYPOTHESIS=long` measures the time as
well, turn by turn, and compares medians.
"""

import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from remit.authority.oauth.clients.client import Client
from remit.authority.oauth.proving.client_auth import ClientAuthenticator, ClientKeys
from remit.authority.oauth.repository import TransactionView, View
from remit.authority.oauth.wire.errors import InvalidClient
from remit.authority.oauth.wire.parameters import Parameters
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.jwk import PublicKey
from remit.kernel.jose.jwt import VerifiedJwt
from remit.platform.storage.sqlite_connection import SqliteSql
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.authorizing import AuthorizingWorld
from support.effort import LONG
from support.jose import private_key

ROUNDS = 2_000
COSTLY = {
    "signatures": PublicKey.verify.__code__,
    "statements": SqliteSql.rows.__code__,
    "row": SqliteSql.row.__code__,
}
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def counted(act: Callable[[], Any]) -> Counter[str]:
    """How often each costly function was entered, by this thread."""
    named = {code: name for name, code in COSTLY.items()}
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in named:
            found[named[frame.f_code]] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return found


class Strangers:
    """What a thief may send, who has no key of any of them."""

    def __init__(self, world: AuthorizingWorld) -> None:
        self.world = world
        self.at, self.thief = int(world.now.timestamp()), private_key("key of a thief")
        bot, ana = world.actors["calendar-bot"], world.actors["ana"]
        gone = "ins_01M80ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ"
        shown = {
            "no such instance": (gone, "key_x"),
            "an instance": (bot.id, "key_x"),
            "an instance and its key": (bot.id, str(bot.kid)),
            "an instance, no key named": (bot.id, ""),
            "no such instance, no key named": (gone, ""),
            "no such person": (gone.replace("ins_", "usr_"), "key_x"),
            "a person": (ana.id, "key_x"),
            "a person and their key": (ana.id, str(ana.kid)),
            "no such client": (gone.replace("ins_", "cli_"), "key_x"),
        }
        self.sent = {name: self._sent(who, kid) for name, (who, kid) in shown.items()}
        self.kinds = {name: who[:4] for name, (who, _) in shown.items()}

    def _sent(self, who: str, kid: str) -> Parameters:
        claims = {"iss": who, "sub": who, "aud": self.world.options.issuer, "iat": self.at}
        shown = json.dumps({**claims, "exp": self.at + 60, "jti": self.world.fresh()}).encode()
        header = {"typ": "JWT"} | ({"kid": kid} if kid else {})
        assertion = jws.sign(dict(header), shown, self.thief)
        return Parameters(values={"client_assertion_type": (TYPE,), "client_assertion": (assertion,)})

    def refused(self, clients: ClientAuthenticator, sent: Parameters, tx: SqlTransaction) -> None:
        with pytest.raises(InvalidClient):
            clients.authenticate(sent, authorization="", view=TransactionView(tx), at=self.world.now)


class Hasty(ClientAuthenticator):
    """Returns as soon as it knows."""

    def _client(self, ident: str, view: View) -> Client:
        if not ident.startswith(("https://", "cli_")) and view.principal(ident) is None:  # type: ignore[arg-type]  # an id of any kind
            raise TokenRejected(3, "client_unknown")
        return super()._client(ident, view)

    def _proven(
        self, shown: jwt.Unproven, view: View, at: Any, *, lasting: bool = False
    ) -> tuple[Client, VerifiedJwt]:
        client = self._client(shown.issuer, view)
        return client, self._verify(shown, ClientKeys(client), at)


@pytest.fixture
async def strangers(sqlite_uow: SqlUnitOfWork) -> Strangers:
    return Strangers(await AuthorizingWorld(sqlite_uow).populate())


def authenticator(strangers: Strangers, kind: type[ClientAuthenticator]) -> ClientAuthenticator:
    return kind(options=strangers.world.options, tenant=strangers.world.access_key.tenant)


async def costs(strangers: Strangers, kind: type[ClientAuthenticator]) -> dict[str, Counter[str]]:
    clients = authenticator(strangers, kind)

    def work(tx: SqlTransaction) -> dict[str, Counter[str]]:
        return {
            name: counted(lambda: strangers.refused(clients, sent, tx))  # noqa: B023 — called at once
            for name, sent in strangers.sent.items()
        }

    return await strangers.world.uow.read(work)


@pytest.mark.attack("OA-22", "KM-10")
@pytest.mark.spec("RFC 6749", "5.2")
async def test_a_refusal_costs_the_same_whether_there_is_such_a_client_or_not(strangers: Strangers) -> None:
    found = await costs(strangers, ClientAuthenticator)
    assert {cost["signatures"] for cost in found.values()} == {1}, found
    # An id says itself of which kind it would be: only within a kind is there anything to learn.
    for kind in ("ins_", "usr_"):
        alike = {str(sorted(found[name].items())) for name in found if strangers.kinds[name] == kind}
        assert len(alike) == 1, (kind, found)


@pytest.mark.twin("OA-22", "KM-10")
async def test_a_refusal_that_returns_early_is_found(strangers: Strangers) -> None:
    found = await costs(strangers, Hasty)
    assert found["no such instance"] != found["an instance"]
    assert found["an instance"] != found["an instance and its key"]


async def medians(strangers: Strangers, kind: type[ClientAuthenticator], *names: str) -> list[float]:
    """Of each, with the turns of one between those of the others: what slows one slows all."""
    clients, took = authenticator(strangers, kind), {name: list[float]() for name in names}

    def work(tx: SqlTransaction) -> None:
        for _ in range(ROUNDS):
            for name in names:
                begun = time.perf_counter_ns()
                strangers.refused(clients, strangers.sent[name], tx)
                took[name].append(time.perf_counter_ns() - begun)

    await strangers.world.uow.read(work)
    return [statistics.median(each) for each in took.values()]


NAMES = ("no such instance", "an instance", "an instance and its key")


@pytest.mark.skipif(not LONG, reason="time is measured in the long mode alone")
async def test_in_time_too(strangers: Strangers) -> None:
    found = await medians(strangers, ClientAuthenticator, *NAMES)
    hasty = await medians(strangers, Hasty, *NAMES)
    assert (max(found) - min(found)) / min(found) < 0.35, found
    assert (max(hasty) - min(hasty)) / min(hasty) > 0.6, hasty
