"""What runs by itself keeps the database small: nothing that can't matter any more stays."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from remit.app.jobs import jobs
from remit.authority.tokens import Proof
from remit.platform.storage.instants import micros
from remit.platform.storage.jobs import JobRunner
from remit.platform.storage.revision import CHANGES_KEPT
from remit.platform.storage.tables import core
from support.composed import composed
from support.house import House

PROOFS = 2_500
REQUEST = insert(core.idempotency)
REQUESTS = select(func.count()).select_from(core.idempotency)


async def run(house: House, name: str) -> None:
    def failed(job: str, error: Exception) -> None:
        raise error

    ground = house.services.ground
    every = jobs(house.services)
    runner = JobRunner(ground.work, every, holder=ground.store.node, clock=ground.clock, on_failure=failed)
    assert await runner.run_once(next(job for job in every if job.name == name))


async def test_proofs_and_requests_are_forgotten_in_one_run(tmp_path: Path) -> None:
    async with composed(tmp_path / "data") as house:
        tenant, at = house.services.ground.tenant, house.now()

        def fill(tx: Any) -> None:
            for number in range(PROOFS):
                tx.replay.burn(tenant, Proof(key="k", jti=str(number), keep_until=at - timedelta(seconds=1)))
            tx.replay.burn(tenant, Proof(key="k", jti="fresh", keep_until=at + timedelta(hours=1)))
            for key, age in (("old", timedelta(days=2)), ("new", timedelta())):
                row = {"tenant": tenant, "principal": "usr_1", "key": key, "request_hash": "0" * 64}
                tx.sql.run(REQUEST, {**row, "response": None, "at": micros(at - age)})

        await house.work.commit(fill)
        await run(house, "proofs.forget")
        await run(house, "requests.forget")
        left = await house.work.commit(lambda tx: tx.replay.forget(tenant, at + timedelta(days=1), PROOFS))
        assert left == 1
        assert await house.work.read(lambda tx: tx.sql.row(REQUESTS)[0]) == 1


async def test_changes_that_no_reader_needs_are_forgotten(tmp_path: Path) -> None:
    async with composed(tmp_path / "data") as house:
        before = await house.work.read(lambda tx: tx.changes.revision())
        await house.work.commit(lambda tx: [tx.touch("principal", "usr_1") for _ in range(3)])
        await run(house, "changes.forget")
        found = await house.work.read(lambda tx: tx.changes.since(before))
        assert found.things == (("principal", "usr_1"),)  # far fewer than are kept
        assert before + 3 < CHANGES_KEPT


async def test_only_a_store_of_several_processes_expires_others(tmp_path: Path) -> None:
    async with composed(tmp_path / "data") as house:
        assert "nodes.expire" not in {job.name for job in jobs(house.services)}
