"""Requests that strangers begin in a client's name: they crowd out that client, and nobody else."""

from dataclasses import replace
from typing import Any

import pytest

from remit.authority.oauth.asking.pending import WAITING_SHARE
from remit.authority.oauth.wire import opaque
from remit.kernel.canonical import Digest
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld


async def crowd(world: AuthorizingWorld, name: str, count: int) -> None:
    """So many requests of this client that nobody will ever answer, like one that somebody began."""
    began = (await world.begin(name)).headers["location"].rpartition("/")[2]

    def work(tx: Any) -> None:
        first = tx.pendings.get(opaque.digest_of(began))
        for number in range(count - 1):
            tx.pendings.add(replace(first, id=Digest(f"{number:064x}")))

    await world.uow.commit(work)


@pytest.mark.promise("P13")
async def test_a_clients_share_of_waiting_requests_is_its_own(uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(uow).populate()
    await world.public("other", "mail-bot")
    await crowd(world, "strict", WAITING_SHARE - 1)
    assert (await world.begin("strict")).headers["location"].startswith("/authorize/")
    assert (await world.begin("strict")).status_code == 503
    assert (await world.begin("other")).headers["location"].startswith("/authorize/")
    world.pass_time(minutes=11)
    await world.uow.commit(lambda tx: tx.pendings.forget(world.now, 10_000))
    assert (await world.begin("strict")).headers["location"].startswith("/authorize/")
