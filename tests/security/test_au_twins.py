"""AU: what an auditor finds, and what one whose verifier lacks a step does not; records that lack a rule."""

import json
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from remit.decision.service import DecisionService
from remit.kernel.errors import Unavailable
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.ledger.encoding import encode_record
from remit.ledger.export import read_export
from remit.ledger.merkle import leaf_hash
from remit.ledger.record import Content, Record
from remit.ledger.verify import ExportVerifier, Report
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.builders import keyring
from support.deciding import Minter, desk, numbered
from support.ledger import START, TestSigner, export_of, record, story
from twins import ledger as lax

SIGNER = TestSigner()
RECORDS = [*story(0), *(record(100 + n, "identity.principal.changed") for n in range(20))]
FILES = export_of(RECORDS, signer=SIGNER)
ENTRIES = [encode_record(each) for each in RECORDS]
Files = dict[str, bytes]


def judged(files: Files, kind: type[ExportVerifier] = ExportVerifier) -> Report:
    return kind(read_export(files), trusted=(SIGNER.key,), held=()).judge()


def rewritten(entries: Sequence[bytes]) -> Files:
    """The attacker writes the entries and all hashes that no signature covers."""
    return {
        **FILES,
        "entries.jsonl": b"".join(entry + b"\n" for entry in entries),
        "leaves": b"".join(leaf_hash(entry) for entry in entries),
    }


def swapped(entries: list[bytes]) -> list[bytes]:
    return [*entries[:9], entries[10], entries[9], *entries[11:]]


def inserted(entries: list[bytes]) -> list[bytes]:
    return [*entries[:9], encode_record(record(999, "identity.principal.changed")), *entries[10:]]


Change = Callable[[list[bytes]], list[bytes]]


@pytest.mark.twin("AU-01", "AU-02", "AU-04")
@pytest.mark.parametrize(
    "change",
    [
        lambda entries: entries[:-1],
        lambda entries: entries[:-7],
        lambda entries: entries[:12] + entries[13:],
        lambda entries: entries[:12] + entries[15:],
        swapped,
        inserted,
    ],
    ids=["tail", "long tail", "middle", "gap", "order", "slipped in"],
)
def test_a_changed_log_would_be_sound_for_who_does_not_rebuild_the_tree(change: Change) -> None:
    files = rewritten(change(ENTRIES))
    assert not judged(files).sound
    assert judged(files, lax.BlindToTree).sound


def without(kind: str) -> list[Record]:
    late = record(900, "identity.principal.changed", at=START + timedelta(hours=1))
    return [*(each for each in RECORDS if kind not in each.kind), late]


@pytest.mark.twin("AU-19")
@pytest.mark.parametrize("kind", ["decided", "finished"])
def test_a_call_without_decision_would_be_sound_for_who_joins_nothing(kind: str) -> None:
    files = export_of(without(kind), signer=SIGNER)
    assert not judged(files).sound
    assert judged(files, lax.BlindToJoins).sound


SECRET = "card 4929123412341234 of user@company.com"


async def readable(uow: SqlUnitOfWork, number: int, *, careless: bool) -> bool:
    """Whether the text stands in the log itself, where nothing can erase it."""
    told = record(number)
    goal = Content(name="goal", subject="usr_ann", text=SECRET)

    def work(tx: SqlTransaction) -> None:
        if careless:
            lax.InTheClear(tx).append(told, [goal])
        else:
            tx.ledger.append(told, [goal])

    await uow.commit(work)
    await uow.commit(lambda tx: tx.ledger.erase("usr_ann", at=START))
    entries = await uow.read(lambda tx: list(tx.ledger.entries(0, tx.ledger.head().size)))
    return any(b"4929" in entry for entry in entries)


@pytest.mark.twin("AU-09")
async def test_a_text_would_stay_for_ever_where_it_is_put_into_the_record(sqlite_uow: SqlUnitOfWork) -> None:
    assert not await readable(sqlite_uow, 1, careless=False)
    assert await readable(sqlite_uow, 2, careless=True)


async def order_of(uow: SqlUnitOfWork, *, by_clock: bool) -> list[str]:
    def work(tx: SqlTransaction) -> list[str]:
        if by_clock:
            found = tx.ledger.between(START - timedelta(days=2), START + timedelta(days=2))
            return [each.record.id for each in sorted(found, key=lambda each: each.record.at)]
        return [json.loads(entry)["id"] for entry in tx.ledger.entries(0, tx.ledger.head().size)]

    return await uow.read(work)


@pytest.mark.attack("AU-13")
@pytest.mark.twin("AU-13")
async def test_a_clock_that_steps_back_would_reorder_a_log_that_is_read_by_time(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    """One day back, one ahead, and the same moment twice: places follow the commits."""
    steps = (0, 24, -24, -24, 1, 0)
    told = [record(place, at=START + timedelta(hours=hours)) for place, hours in enumerate(steps)]
    for each in told:
        await sqlite_uow.commit(lambda tx, each=each: tx.ledger.append(each))  # type: ignore[misc]  # bound in the loop
    committed = [each.id for each in told]
    assert await order_of(sqlite_uow, by_clock=False) == committed
    assert await order_of(sqlite_uow, by_clock=True) != committed


async def gaps(uow: SqlUnitOfWork, *, ahead: bool) -> bool:
    """Three works, of which the middle one fails after it has asked for its place."""
    counter = lax.Ahead()
    places: list[int] = []
    for fails in (False, True, False):

        def work(tx: SqlTransaction, fails: bool = fails) -> int:
            place = counter.next() if ahead else tx.ledger.head().size
            if fails:
                raise lax.Failed
            tx.ledger.append(record(500 + place + 100 * ahead))
            return place

        try:
            places.append(await uow.commit(work))
        except lax.Failed:
            continue
    return places[1] - places[0] != 1


@pytest.mark.twin("AU-18")
async def test_a_place_that_is_taken_before_the_commit_would_leave_a_gap(sqlite_uow: SqlUnitOfWork) -> None:
    assert not await gaps(sqlite_uow, ahead=False)
    assert await gaps(sqlite_uow, ahead=True)


async def permitted_unrecorded(uow: SqlUnitOfWork, number: int, *, told: bool) -> bool:
    """Whether a call gets its permit and its capability although nothing could be put on record."""
    keeper = SnapshotKeeper(uow, tenant=DEFAULT_TENANT, keys=keyring())
    await keeper.catch_up()
    service = DecisionService(
        uow=lax.DiskFull(uow, told=told),
        snapshots=keeper,
        capabilities=Minter(),
        entropy=secrets.token_bytes,
        node="nod_1",
    )
    asked = numbered("rooms.book", number)
    try:
        decision = await service.decide(asked)
    except Unavailable:
        assert await uow.read(lambda tx: tx.capabilities.by_call(asked.call)) is None
        assert not await uow.read(lambda tx: tx.decisions.of_call(asked.call))
        return False
    return decision.capability_token is not None


@pytest.mark.attack("AU-10")
@pytest.mark.promise("P4", "P5")
async def test_what_can_not_be_recorded_is_not_permitted(uow: SqlUnitOfWork) -> None:
    made = await desk(uow)
    assert not await permitted_unrecorded(uow, 1, told=True)
    decision = await made.service.decide(numbered("rooms.book", 2))
    assert decision.capability_token is not None, "and service returns with the space"


@pytest.mark.twin("AU-10")
async def test_a_call_would_be_permitted_where_a_lost_record_is_nobodys_concern(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    await desk(sqlite_uow)
    assert await permitted_unrecorded(sqlite_uow, 1, told=False)
    entries = await sqlite_uow.read(lambda tx: list(tx.ledger.entries(0, tx.ledger.head().size)))
    assert not any(b"decision.action.decided" in entry for entry in entries)
