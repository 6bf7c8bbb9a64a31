"""The log over a store: the same promises on every engine."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import Update, func, select, update

from remit.kernel.errors import Conflict, NotFound
from remit.kernel.ids import RecordId, TenantId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.ledger.checkpoint import Checkpoint, parse_checkpoint
from remit.ledger.encoding import EntryTooLarge, decode_record, encode_record
from remit.ledger.export import NothingSigned, export_files, export_log
from remit.ledger.mentions import MAX_IDENT
from remit.ledger.merkle import Frontier, leaf_hash
from remit.ledger.receipt import Receipt, verify_receipt
from remit.ledger.record import Content, Record
from remit.ledger.repository import LedgerDamaged, LedgerFenced, Placed
from remit.ledger.verify import verify_files
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.errors import StorageFenced
from remit.platform.storage.repositories.ledger_appender import (
    INDEX_STEP,
    INLINE_INDEX,
    Anchors,
    LedgerAppender,
    never_anchored,
)
from remit.platform.storage.tables.ledger import ledger_entries, ledger_mention, ledger_shard, ledger_tile
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.ledger import KEK, START, Names, TestSigner, counting_entropy, identity, many, record, story

SIGNER = TestSigner()
T = TypeVar("T")


def append_all(tx: SqlTransaction, records: list[Record]) -> None:
    for each in records:
        tx.ledger.append(each)


async def append(uow: SqlUnitOfWork, *records: Record) -> None:
    await uow.commit(lambda tx: append_all(tx, list(records)))


async def sign(uow: SqlUnitOfWork) -> bytes:
    return (await uow.commit(lambda tx: tx.ledger.checkpoint(SIGNER, at=START))).note


async def receipt_of(uow: SqlUnitOfWork, ident: RecordId) -> Receipt | None:
    return await uow.read(lambda tx: tx.ledger.receipt(ident))


async def mentioning(uow: SqlUnitOfWork, ident: str) -> list[Placed]:
    return await uow.read(lambda tx: tx.ledger.mentioning(ident))


def root_of(records: list[Record]) -> bytes:
    frontier = Frontier()
    frontier.extend([leaf_hash(encode_record(each)) for each in records])
    return frontier.root()


async def written(uow: SqlUnitOfWork) -> list[Record]:
    def read(tx: SqlTransaction) -> list[Record]:
        return [decode_record(entry) for entry in tx.ledger.entries(0, tx.ledger.head().size)]

    return await uow.read(read)


async def reopened(url: str, node: str, *, anchors: Anchors = never_anchored) -> OpenStore:
    entropy = counting_entropy(node)
    return await open_store(
        url,
        journals=lambda lane: LedgerAppender(
            node=node, kek=KEK, entropy=entropy, shard=lane.value, anchors=anchors
        ),
    )


async def use(
    url: str, node: str, work: Callable[[SqlTransaction], T], *, anchors: Anchors = never_anchored
) -> T:
    """Open, run one unit, close."""
    store = await reopened(url, node, anchors=anchors)
    try:
        return await SqlUnitOfWork(store, tenant=DEFAULT_TENANT).commit(work)
    finally:
        await store.close()


async def test_records_are_gapless_in_order_of_commit_and_meet_their_root(uow: SqlUnitOfWork) -> None:
    records = list(many(700))
    for low in range(0, 700, 90):
        await append(uow, *records[low : low + 90])
    assert await written(uow) == records
    head = await uow.read(lambda tx: tx.ledger.head())
    assert (head.size, head.root) == (700, root_of(records))


@pytest.mark.attack("AU-18")
async def test_concurrent_works_get_places_without_gap(uow: SqlUnitOfWork) -> None:
    records = list(many(300))
    await asyncio.gather(*(append(uow, each) for each in records))
    placed = await written(uow)
    assert sorted(placed, key=lambda each: each.id) == records
    assert (await uow.read(lambda tx: tx.ledger.head())).root == root_of(placed)


async def test_a_work_that_is_rolled_back_leaves_no_record(uow: SqlUnitOfWork) -> None:
    kept, undone = record(1), record(2)

    def failing(tx: SqlTransaction) -> None:
        tx.ledger.append(undone, [Content(name="goal", subject="usr", text="secret goal")])
        raise Conflict("no")

    results = await asyncio.gather(
        append(uow, kept), uow.commit(failing), append(uow, record(3)), return_exceptions=True
    )
    assert isinstance(results[1], Conflict)
    assert undone not in await written(uow)
    assert await uow.read(lambda tx: tx.ledger.contents(undone.id)) == []


async def test_a_log_first_opened_in_a_failed_work_is_opened_again(uow: SqlUnitOfWork) -> None:
    def failing(tx: SqlTransaction) -> None:
        tx.ledger.open()
        raise Conflict("no")

    await asyncio.gather(uow.commit(failing), append(uow, record(1)), return_exceptions=True)
    assert await written(uow) == [record(1)]


async def test_a_record_that_is_too_large_fails_its_own_work_alone(uow: SqlUnitOfWork) -> None:
    large = record(1, detail=(("x", "y" * 70_000),))
    results = await asyncio.gather(append(uow, large), append(uow, record(2)), return_exceptions=True)
    assert isinstance(results[0], EntryTooLarge)
    assert await written(uow) == [record(2)]


@pytest.mark.attack("AU-13")
async def test_time_that_runs_backward_does_not_touch_the_order(uow: SqlUnitOfWork) -> None:
    backward = [record(number, at=START - timedelta(hours=number)) for number in range(20)]
    for each in backward:
        await append(uow, each)
    assert await written(uow) == backward
    await sign(uow)
    files = export_files(await uow.read(lambda tx: export_log(tx.ledger, tenant=DEFAULT_TENANT)))
    assert verify_files(files, trusted=[SIGNER.key]).sound


async def test_receipts_prove_each_record_offline(uow: SqlUnitOfWork) -> None:
    records = list(many(600))
    await append(uow, *records)
    assert await uow.read(lambda tx: tx.ledger.receipt(records[3].id)) is None
    await sign(uow)
    await append(uow, record(9999))
    for number in (0, 255, 256, 511, 512, 599):
        receipt = await receipt_of(uow, records[number].id)
        assert receipt is not None
        proven = verify_receipt(Receipt.parse(receipt.text()), keys=[SIGNER.key])
        assert (proven.record, proven.index, proven.checkpoint.size) == (records[number], number, 600)
    assert await uow.read(lambda tx: tx.ledger.receipt(RecordId(identity("rec", 9999)))) is None


async def test_only_what_is_committed_is_ever_signed(uow: SqlUnitOfWork) -> None:
    await append(uow, record(1))

    def both(tx: SqlTransaction) -> Checkpoint:
        tx.ledger.append(record(2))
        return parse_checkpoint(tx.ledger.checkpoint(SIGNER, at=START).note)

    assert (await uow.commit(both)).size == 1
    assert parse_checkpoint(await sign(uow)).size == 2
    assert [each.size for each in await uow.read(lambda tx: tx.ledger.checkpoints())] == [1, 2]


async def test_one_size_is_signed_once(uow: SqlUnitOfWork) -> None:
    await append(uow, record(1))
    assert await sign(uow) == await sign(uow)


@pytest.mark.attack("AU-06")
async def test_a_head_that_does_not_extend_the_signed_one_is_never_signed(uow: SqlUnitOfWork) -> None:
    await append(uow, *many(10))
    await sign(uow)
    await append(uow, record(77))
    forged = leaf_hash(b"forged") * 10
    spoil = update(ledger_entries).where(ledger_entries.c.first == 0).values(hashes=forged)
    await uow.commit(lambda tx: tx.sql.run(spoil))
    with pytest.raises(LedgerDamaged, match="does not extend"):
        await sign(uow)


async def test_records_are_found_by_every_id_that_they_name(uow: SqlUnitOfWork) -> None:
    told = story()
    await append(uow, *told)
    names = Names()
    for ident, count in (
        (names.task, 5), (identity("cal", 0), 2), (identity("dec", 0), 2), (identity("cap", 0), 2),
        ("Room:Room-401", 2), (names.token, 2), (names.grant, 6), (told[3].id, 1), ("nobody", 0),
    ):  # fmt: skip
        found = await mentioning(uow, ident)
        assert len(found) == count, ident
        assert [each.index for each in found] == sorted(each.index for each in found)
    between = await uow.read(lambda tx: tx.ledger.between(told[1].at, told[4].at))
    assert [each.record for each in between] == told[1:4]


async def test_a_burst_is_searchable_before_it_is_indexed_and_indexed_soon_after(uow: SqlUnitOfWork) -> None:
    records = list(many(INLINE_INDEX * 3))
    await append(uow, *records)
    assert await uow.read(lambda tx: tx.ledger.record(records[-1].id)) is not None
    await sign(uow)
    last = await uow.read(lambda tx: tx.ledger.record(records[-1].id))
    assert last is not None
    assert last.index == len(records) - 1


async def indexed(uow: SqlUnitOfWork) -> tuple[int, int]:
    """How far the index reaches, and how many rows it takes."""

    def read(tx: SqlTransaction) -> tuple[int, int]:
        (reaches,) = tx.sql.row(select(ledger_shard.c.indexed)) or (0,)
        (rows,) = tx.sql.row(select(func.count()).select_from(ledger_mention)) or (0,)
        return reaches, rows

    return await uow.read(read)


async def test_a_burst_is_indexed_a_little_at_a_time_until_nothing_lags(uow: SqlUnitOfWork) -> None:
    records = list(many(1_000))
    await append(uow, *records)
    assert await indexed(uow) == (0, 0)
    assert await uow.read(lambda tx: tx.ledger.lag()) == 1_000
    rounds = 1
    while await uow.commit(lambda tx: tx.ledger.index()):
        rounds += 1
    assert rounds == 4
    assert (await indexed(uow))[0] == 1_000
    for each in (records[0], records[255], records[256], records[-1]):
        assert [found.record for found in await mentioning(uow, each.subject)] == [each]
        assert await uow.read(lambda tx, each=each: tx.ledger.record(each.id)) is not None  # type: ignore[misc]  # bound now


@pytest.mark.parametrize("at_once", [1, 3, 63, 64, 65])
async def test_every_mention_is_found_wherever_the_index_stands(uow: SqlUnitOfWork, at_once: int) -> None:
    """Some lie in the index, several of them in one row, and some behind its end: the answer is the same."""
    records = [record(number, subject=identity("agt", number % 3)) for number in range(200)]
    for low in range(0, 200, at_once):
        await append(uow, *records[low : low + at_once])
    for number in range(3):
        found = await mentioning(uow, identity("agt", number))
        assert [each.index for each in found] == list(range(number, 200, 3))
        assert [each.record for each in found] == records[number::3]
        few = await uow.read(lambda tx, n=number: tx.ledger.mentioning(identity("agt", n), limit=5))  # type: ignore[misc]  # bound now
        assert few == found[:5]
    reaches, rows = await indexed(uow)
    assert at_once > INLINE_INDEX or 200 - reaches < 2 * INDEX_STEP
    assert rows <= reaches + (3 + 1) * (reaches // INDEX_STEP + 1)


async def test_a_resource_of_any_length_or_form_is_found(uow: SqlUnitOfWork) -> None:
    for number, resource in enumerate(
        ("Doc:" + "x" * 5_000, "Doc:\u202e\n'\"%_\\", "Doc:" + "é" * MAX_IDENT)
    ):
        await append(uow, record(number, resource=resource))
        found = await mentioning(uow, resource)
        assert [each.record.resource for each in found] == [resource]


@pytest.mark.attack("AU-09")
async def test_texts_lie_outside_the_tree_sealed_and_erasure_keeps_the_chain(
    uow: SqlUnitOfWork, store_url: str
) -> None:
    goal = Content(name="goal", subject="usr_ann", text="tell Ann that her card is 4929123412341234")
    other = Content(name="card", subject="usr_bob", text="Bob's text")
    await uow.commit(lambda tx: tx.ledger.append(record(1), [goal, other]))
    await sign(uow)
    (entry,) = await uow.read(lambda tx: list(tx.ledger.entries(0, 1)))
    assert b"4929" not in entry
    opened = await uow.read(lambda tx: tx.ledger.contents(record(1).id))
    assert {each.name: each.text for each in opened} == {"goal": goal.text, "card": other.text}
    export = await uow.read(lambda tx: export_log(tx.ledger, tenant=DEFAULT_TENANT, disclose=True))
    assert verify_files(export_files(export), trusted=[SIGNER.key]).undisclosed == 0

    assert await uow.commit(lambda tx: tx.ledger.erase("usr_ann", at=START)) == 1
    opened = await uow.read(lambda tx: tx.ledger.contents(record(1).id))
    assert {each.name: each.text for each in opened} == {"goal": None, "card": other.text}
    export = await uow.read(lambda tx: export_log(tx.ledger, tenant=DEFAULT_TENANT, disclose=True))
    report = verify_files(export_files(export), trusted=[SIGNER.key])
    assert report.sound
    assert report.undisclosed == 1
    # What is said of the same person later is sealed under a new key.
    await uow.commit(lambda tx: tx.ledger.append(record(2), [goal]))
    (again,) = await uow.read(lambda tx: tx.ledger.contents(record(2).id))
    assert again.text == goal.text


@pytest.mark.attack("AU-09")
async def test_a_text_said_and_erased_in_one_batch_is_gone(uow: SqlUnitOfWork) -> None:
    goal = Content(name="goal", subject="usr_ann", text="private")
    await asyncio.gather(
        uow.commit(lambda tx: tx.ledger.append(record(1), [goal])),
        uow.commit(lambda tx: tx.ledger.erase("usr_ann", at=START)),
    )
    (opened,) = await uow.read(lambda tx: tx.ledger.contents(record(1).id))
    assert opened.text is None


async def test_another_tenants_log_is_another_log(store: OpenStore) -> None:
    ours = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    theirs = SqlUnitOfWork(store, tenant=TenantId("other"))
    await append(ours, record(1))
    await append(theirs, record(2, tenant=TenantId("other")))
    with pytest.raises(NotFound):
        await append(theirs, record(3))
    assert await written(ours) == [record(1)]
    assert await theirs.read(lambda tx: tx.ledger.record(record(1).id)) is None
    assert await theirs.read(lambda tx: tx.ledger.mentioning(identity("ins", 1))) != []
    assert all(
        each.record.tenant == "other"
        for each in await theirs.read(lambda tx: tx.ledger.mentioning(identity("ins", 1)))
    )


async def test_a_log_without_a_head_exports_nothing(uow: SqlUnitOfWork) -> None:
    await append(uow, record(1))
    with pytest.raises(NothingSigned):
        await uow.read(lambda tx: export_log(tx.ledger, tenant=DEFAULT_TENANT))


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 65_600])
async def test_a_new_process_goes_on_where_the_last_one_stopped(store_url: str, count: int) -> None:
    records = list(many(count))
    await use(store_url, "nod_1", lambda tx: append_all(tx, records))
    await use(store_url, "nod_2", lambda tx: tx.ledger.append(record(70_000)))
    store = await reopened(store_url, "nod_3")
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    try:
        await uow.commit(lambda tx: tx.ledger.open())
        head = await uow.read(lambda tx: tx.ledger.head())
        assert (head.size, head.root) == (count + 1, root_of([*records, record(70_000)]))
        await sign(uow)
        receipt = await uow.read(lambda tx: tx.ledger.receipt(record(70_000).id))
        assert receipt is not None
        assert verify_receipt(receipt, keys=[SIGNER.key]).index == count
    finally:
        await store.close()


@pytest.mark.attack("AU-18")
async def test_a_holder_that_was_overtaken_writes_nothing(store: OpenStore) -> None:
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    await append(uow, record(1))
    overtake = update(ledger_shard).values(node="nod_other", fence=ledger_shard.c.fence + 1)
    await uow.commit(lambda tx: tx.sql.run(overtake))
    with pytest.raises(StorageFenced, match="another process"):
        await append(uow, record(2))
    assert await written(uow) == [record(1)]


@pytest.mark.attack("AU-07")
@pytest.mark.fault("F11")
async def test_a_database_of_yesterday_is_fenced_by_the_head_seen_since(store_url: str) -> None:
    await use(store_url, "nod_1", lambda tx: append_all(tx, list(many(5))))
    today = Checkpoint(origin="remit.example/normal", size=9, root=root_of(list(many(9))))
    with pytest.raises(LedgerFenced, match="cut or restored"):
        await use(store_url, "nod_2", lambda tx: tx.ledger.open(), anchors=lambda _tenant, _shard: today)


@pytest.mark.twin("AU-07")
async def test_without_an_anchor_a_database_of_yesterday_is_taken_for_todays(store_url: str) -> None:
    await use(store_url, "nod_1", lambda tx: append_all(tx, list(many(5))))
    await use(store_url, "nod_2", lambda tx: tx.ledger.open())


@pytest.mark.attack("AU-07")
async def test_a_forked_log_is_fenced_by_the_head_seen_since(store_url: str) -> None:
    await use(store_url, "nod_1", lambda tx: append_all(tx, list(many(9))))
    other = Checkpoint(origin="remit.example/normal", size=9, root=root_of([*many(8), record(99)]))
    with pytest.raises(LedgerFenced, match="forked"):
        await use(store_url, "nod_2", lambda tx: tx.ledger.open(), anchors=lambda _tenant, _shard: other)


@pytest.mark.attack("AU-01")
async def test_a_log_cut_below_its_stored_checkpoint_is_fenced(store_url: str) -> None:
    await use(store_url, "nod_1", lambda tx: append_all(tx, list(many(4))))
    await use(store_url, "nod_2", lambda tx: append_all(tx, [record(5)]))
    await use(store_url, "nod_3", lambda tx: tx.ledger.checkpoint(SIGNER, at=START))
    frontier = Frontier()
    frontier.extend([leaf_hash(encode_record(each)) for each in many(4)])

    def cut(tx: SqlTransaction) -> None:
        tx.sql.run(update(ledger_shard).values(
            size=4, root=frontier.root(), frontier=b"".join(frontier.peaks), indexed=4
        ))  # fmt: skip

    await use(store_url, "nod_4", cut)
    with pytest.raises(LedgerFenced, match="cut or restored"):
        await use(store_url, "nod_5", lambda tx: tx.ledger.open())


DAMAGE: dict[str, Update] = {
    "frontier": update(ledger_shard).values(frontier=b"\x00" * 128),
    "frontier-cut": update(ledger_shard).values(frontier=b"\x00" * 33),
    "root": update(ledger_shard).values(root=b"\x00" * 32),
    "leaves": update(ledger_entries).where(ledger_entries.c.first == 512).values(hashes=b"\x00" * 32 * 88),
    "tile": update(ledger_tile).where(ledger_tile.c.number == 1).values(root=b"\x00" * 32),
}


@pytest.mark.attack("AU-03")
@pytest.mark.parametrize("where", DAMAGE)
async def test_a_damaged_tree_is_never_written_on(store_url: str, where: str) -> None:
    await use(store_url, "nod_1", lambda tx: append_all(tx, list(many(600))))
    await use(store_url, "nod_2", lambda tx: tx.sql.run(DAMAGE[where]))
    with pytest.raises(StorageFenced, match="does not meet its own root"):
        await use(store_url, "nod_3", lambda tx: append_all(tx, [record(1000), record(1001)]))


async def test_a_damaged_tile_gives_no_receipt(uow: SqlUnitOfWork) -> None:
    await append(uow, *many(600))
    await sign(uow)
    spoil = update(ledger_tile).where(ledger_tile.c.number == 1).values(hashes=b"\x00" * 8192)
    await uow.commit(lambda tx: tx.sql.run(spoil))
    with pytest.raises(LedgerDamaged):
        await receipt_of(uow, record(300).id)


@pytest.mark.attack("AU-16", "AU-03")
async def test_a_record_edited_in_the_database_is_never_served_and_named_by_the_verifier(
    uow: SqlUnitOfWork,
) -> None:
    await append(uow, *story(), *many(20))
    await sign(uow)
    (row,) = await uow.read(lambda tx: tx.sql.rows(select(ledger_entries.c.body)))
    body = bytes(row[0]).replace(b'"effect":"permit"', b'"effect":"denied"')
    await uow.commit(partial(overwrite, body))
    with pytest.raises(LedgerDamaged, match="not what was signed"):
        await uow.read(lambda tx: tx.ledger.receipt(story()[3].id))
    files = export_files(await uow.read(lambda tx: export_log(tx.ledger, tenant=DEFAULT_TENANT)))
    report = verify_files(files, trusted=[SIGNER.key])
    assert {finding.index for finding in report.findings if finding.code == "changed"} == {3}


def overwrite(body: bytes, tx: SqlTransaction) -> None:
    tx.sql.run(update(ledger_entries).values(body=body))
