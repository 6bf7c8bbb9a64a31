"""RT-11: what counts once is remembered for as long as anybody would believe it.

Each thing is shown again every few seconds, after the job that forgets, until long after its end: on the last
moment of clock skew too it is known still.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from remit.identity.federation.profiles import ProfileName
from remit.identity.upstream.errors import ArrivalRefused
from remit.kernel.jose import jwt
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.profiles import TokenType
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.approvals.answers import read_signed_answer
from remit.oversight.errors import AnswerNotProven
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON, FixedClock
from support.companies import Company, Visitors
from support.federation import Federated, github
from support.jose import Keys, party
from support.oauth import ISSUER, World
from twins.replay import brief

STEP, LONGEST = timedelta(seconds=10), timedelta(seconds=400)
Show = Callable[[], Awaitable[bool]]
Way = Callable[[SqlUnitOfWork], Awaitable[tuple[FixedClock, Show]]]


async def client_assertion(uow: SqlUnitOfWork) -> tuple[FixedClock, Show]:
    """`private_key_jwt`, made to live as long as it may."""
    world = await World(uow).populate()
    text = world.assertion("calendar-bot", exp=int(world.now.timestamp()) + 300)

    async def show() -> bool:
        answer = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=text)
        return answer.status_code == 200

    return world.clock, show


async def proof_of_the_future(uow: SqlUnitOfWork) -> tuple[FixedClock, Show]:
    """A DPoP proof by a clock that runs ahead as far as we tolerate: so it is fresh for two minutes."""
    world = await World(uow).populate()
    proof = world.proof("calendar-bot", at=world.now + timedelta(seconds=60))

    async def show() -> bool:
        answer = await world.ask("calendar-bot", grant_type="client_credentials", proof=proof)
        return answer.status_code == 200

    return world.clock, show


async def workload_assertion(uow: SqlUnitOfWork) -> tuple[FixedClock, Show]:
    """A pipeline's, by the grant `jwt-bearer`."""
    here, them = await Federated(uow).populate(), github()
    trusted = await here.trust(them, ProfileName.GITHUB_ACTIONS)
    await here.rule(trusted, sub=them.claims["sub"])
    text = them.assertion(here.now)

    async def show() -> bool:
        return (await here.bearer(text)).status_code == 200

    return here.world.clock, show


async def logout_token(uow: SqlUnitOfWork) -> tuple[FixedClock, Show]:
    """A provider's: shown again it would sign out whoever has signed in since."""
    visitors = Visitors(uow, company := Company())
    await visitors.connect(company)
    text = company.logout_token(visitors.now, sub="ana-1", exp=int(visitors.now.timestamp()) + 300)

    async def show() -> bool:
        try:
            await visitors.logout.take("company", text)
        except ArrivalRefused:
            return False
        return True

    return visitors.clock, show


WAYS: tuple[Way, ...] = (client_assertion, proof_of_the_future, workload_assertion, logout_token)


async def times_accepted(uow: SqlUnitOfWork, way: Way) -> int:
    """How often it is believed, shown again and again."""
    clock, show = await way(uow)
    count = int(await show())
    for _ in range(LONGEST // STEP):
        clock.advance(STEP)
        await uow.commit(lambda tx: tx.replay.forget(DEFAULT_TENANT, clock.now(), 1000))
        await uow.commit(lambda tx: tx.challenges.forget(clock.now(), 1000))
        count += int(await show())
    return count


@pytest.mark.attack("RT-11")
@pytest.mark.promise("P5")
@pytest.mark.parametrize("way", WAYS)
async def test_what_counts_once_is_remembered_until_nobody_believes_it(uow: SqlUnitOfWork, way: Way) -> None:
    assert await times_accepted(uow, way) == 1


@pytest.mark.twin("RT-11")
@pytest.mark.parametrize("way", WAYS)
async def test_with_a_memory_as_long_as_the_life_alone_it_counts_twice(
    sqlite_uow: SqlUnitOfWork, way: Way
) -> None:
    assert await times_accepted(brief(sqlite_uow), way) > 1


@pytest.mark.attack("RT-11")
def test_a_signed_answer_is_remembered_until_nobody_believes_it() -> None:
    lead = party(KeyClass.PERSON)
    seconds = int(NOON.timestamp())
    claims: dict[str, Any] = {
        "iss": lead.record.issuer, "aud": ISSUER, "apr": "apr_1", "digest": "d", "answer": "approve",
        "iat": seconds, "exp": seconds + 60, "jti": "once",
    }  # fmt: skip
    text = jwt.issue(claims, as_type=TokenType.APPROVAL, signer=lead.signer)
    moments = [NOON + number * STEP for number in range(60)]
    believed = [at for at in moments if kept(text, lead, at) is not None]
    assert NOON + timedelta(seconds=60) < believed[-1] < moments[-1], "a peer's clock may lag, a little"
    until = kept(text, lead, NOON)
    assert until is not None
    assert until >= believed[-1]


def kept(text: str, lead: Any, at: datetime) -> datetime | None:
    """Until when the answer is remembered; None if it is not believed any more."""
    try:
        _, proof = read_signed_answer(text, keys=Keys([lead.record]), audience=ISSUER, at=at)
    except (TokenRejected, AnswerNotProven):
        return None
    return proof.once.keep_until
