"""AS-05, AS-09, JW-23 against servers without the defence: what a foreign issuer's token then gets."""

import asyncio
from datetime import timedelta

import httpx2
import pytest

from remit.identity.federation.profiles import ProfileName
from remit.kernel.errors import Unavailable
from remit.platform.jwks import LARGEST, GuardedKeys
from remit.platform.outbound import GuardedHttp
from remit.platform.settings.federation import FederationChoices
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.federation import Federated, ForeignIssuer, cluster, domain, github
from twins.federation import AnyAudience, AnyWay, Endless, Replacing, desk, namesakes, one_ring

ACCOUNT, UID = "system:serviceaccount:agents:calendar", "sa-uid-1"


async def with_pods(here: Federated) -> ForeignIssuer:
    """A cluster whose one account is calendar-bot."""
    await here.populate()
    them = cluster()
    trusted = await here.trust(them, ProfileName.KUBERNETES)
    await here.rule(trusted, sub=ACCOUNT, kubernetes__serviceaccount__uid=UID)
    return them


# -- AS-05: by another way than its own


async def both_ways(here: Federated) -> list[httpx2.Response]:
    """An SVID as a grant, a pipeline's assertion as a client's proof."""
    await here.populate()
    svids, them = domain(), github()
    mesh = await here.trust(svids, ProfileName.SPIFFE, name="mesh")
    await here.rule(mesh, sub=svids.claims["sub"])
    await here.rule(await here.trust(them, ProfileName.GITHUB_ACTIONS), sub=them.claims["sub"])
    return [
        await here.bearer(svids.assertion(here.now)),
        await here.svid(them.assertion(here.now), key=here.key("pipeline")),
    ]


@pytest.mark.attack("AS-05")
async def test_neither_way_serves_the_other_kind(sqlite_uow: SqlUnitOfWork) -> None:
    assert [each.status_code for each in await both_ways(Federated(sqlite_uow))] == [400, 401]


@pytest.mark.twin("AS-05")
async def test_where_nobody_asks_how_it_came_each_way_serves_the_other_kind(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    answers = await both_ways(Federated(sqlite_uow, build=desk(AnyWay)))
    assert [each.status_code for each in answers] == [200, 200]


# -- AS-09: a cluster's tokens


@pytest.mark.twin("AS-09")
async def test_a_token_for_the_cluster_itself_would_be_one_for_us(sqlite_uow: SqlUnitOfWork) -> None:
    here = Federated(sqlite_uow, build=desk(AnyAudience))
    them = await with_pods(here)
    for meant in ("https://kubernetes.default.svc", "sts.amazonaws.com"):
        answer = await here.bearer(them.assertion(here.now, aud=meant), key=here.key(meant))
        assert answer.status_code == 200, answer.text


@pytest.mark.twin("AS-09")
async def test_an_account_that_was_made_again_would_be_the_deleted_one(sqlite_uow: SqlUnitOfWork) -> None:
    here = Federated(namesakes(sqlite_uow))
    them = await with_pods(here)
    account = {"namespace": "agents", "serviceaccount": {"name": "calendar", "uid": "sa-uid-2"}}
    answer = await here.bearer(them.assertion(here.now, **{"kubernetes.io": account}))
    assert answer.status_code == 200, answer.text


@pytest.mark.twin("AS-09")
async def test_another_cluster_would_speak_for_this_one(sqlite_uow: SqlUnitOfWork) -> None:
    here = Federated(one_ring(sqlite_uow))
    them, other = await with_pods(here), cluster("other cluster")
    ours, other.issuer, other.kid = them.issuer, f"{them.issuer[:-1]}0", "other"
    await here.trust(other, ProfileName.KUBERNETES, name="second")
    assert (await here.bearer(them.assertion(here.now))).status_code == 200
    await here.refresher.refresh("second", at=here.now)
    forged = other.assertion(here.now, iss=ours)
    answer = await here.bearer(forged, key=here.key("other"))
    assert answer.status_code == 200, answer.text


# -- JW-23: the keys of an issuer


@pytest.mark.twin("JW-23")
async def test_a_set_that_can_t_be_read_would_lock_everybody_out(sqlite_uow: SqlUnitOfWork) -> None:
    here, them = await Federated(sqlite_uow, refresher=Replacing).populate(), github()
    await here.rule(await here.trust(them, ProfileName.GITHUB_ACTIONS), sub=them.claims["sub"])
    assert (await here.bearer(them.assertion(here.now))).status_code == 200
    here.world.clock.advance(timedelta(hours=1, minutes=1))
    here.pages.serve(them, b'{"keys":[]}')
    answer = await here.bearer(them.assertion(here.now), key=here.key("later"))
    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.twin("JW-23")
async def test_an_issuer_would_say_how_much_memory_it_takes() -> None:
    body = b"x" * (LARGEST * 64)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        way = GuardedHttp(rule=FederationChoices(private_hosts=(f"127.0.0.1:{port}",)).rule())
        with pytest.raises(Unavailable):
            await GuardedKeys(way).fetch(f"http://127.0.0.1:{port}/keys")
        assert await Endless(way).fetch(f"http://127.0.0.1:{port}/keys") == body
