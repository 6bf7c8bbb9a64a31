"""Channels and messages over every store: one try wins, secrets stay sealed, lists go page by page."""

from dataclasses import replace
from datetime import timedelta

from remit.kernel.ids import MessageId, PrincipalId, PushDeviceId, TenantId
from remit.oversight.notices.channel import Channel, ChannelKind, Health
from remit.oversight.notices.letter import Topic, plain_letter
from remit.oversight.notices.message import Message, MessageState
from remit.oversight.notices.reach import Device, Reach, Route
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON

TENANT = TenantId("default")
LEAD = PrincipalId("usr_lead")


def message(number: int, **changes: object) -> Message:
    base = Message(
        id=MessageId(f"msg_{number}"),
        tenant=TENANT,
        person=LEAD,
        about="apr_1",
        letter=plain_letter(Topic.APPROVAL, "words", path="/approvals/apr_1"),
        stated_at=NOON + timedelta(seconds=number // 2),
        due=NOON,
        ends_at=NOON + timedelta(hours=1),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields are named by the test


async def test_of_two_nodes_one_settles_a_try_and_stating_twice_makes_one(uow: SqlUnitOfWork) -> None:
    assert await uow.commit(lambda tx: tx.messages.add(message(1)))
    assert not await uow.commit(lambda tx: tx.messages.add(message(1)))
    done = message(1, state=MessageState.DELIVERED, tries=1)
    won = [await uow.commit(lambda tx: tx.messages.save(done, was=0)) for _ in range(2)]
    assert won == [True, False]
    assert await uow.read(lambda tx: tx.messages.get(done.id)) == done
    assert await uow.read(lambda tx: tx.messages.due(NOON, 10)) == []
    assert await uow.read(lambda tx: tx.messages.count()) == {"delivered": 1}
    later = NOON + timedelta(days=1)
    assert await uow.commit(lambda tx: tx.messages.forget(later, 10)) == 1


async def test_pages_go_newest_first_without_gap_or_repeat(uow: SqlUnitOfWork) -> None:
    def fill(tx: SqlTransaction) -> None:
        for number in range(7):
            folded = MessageState.FOLDED if number == 3 else MessageState.OPEN
            tx.messages.add(message(number, state=folded))

    await uow.commit(fill)
    seen: list[str] = []
    after = None
    while page := await uow.read(
        lambda tx: tx.messages.page(state=None, person=LEAD, about="apr_1", after=after, limit=2)  # noqa: B023 — read at once
    ):
        seen += [each.id for each in page]
        after = (page[-1].stated_at, page[-1].id)
    assert seen == [f"msg_{number}" for number in (6, 5, 4, 3, 2, 1, 0)]
    assert await uow.read(lambda tx: tx.messages.told_since(LEAD, NOON - timedelta(seconds=1))) == 6
    assert len(await uow.read(lambda tx: tx.messages.due(NOON, 4))) == 4


async def test_channels_ways_and_browsers_are_kept_with_their_secrets_sealed(uow: SqlUnitOfWork) -> None:
    made = Channel(tenant=TENANT, name="post", kind=ChannelKind.MAIL, made_at=NOON)
    device = Device(
        id=PushDeviceId("psh_1"), tenant=TENANT, person=LEAD, name="phone", host="push", made_at=NOON
    )
    ways = Reach(person=LEAD, tenant=TENANT, routes=(Route(channel="post"),))

    def fill(tx: SqlTransaction) -> None:
        tx.channels.add(made, b"sealed")
        tx.channels.note("post", Health(failures=2, why="status 503"))
        tx.push_devices.add(device, b"one")
        tx.push_devices.add(device, b"two")
        tx.reaches.put(ways)
        tx.reaches.put(ways)

    await uow.commit(fill)
    found = await uow.read(lambda tx: tx.channels.get("post"))
    assert found == replace(made, health=Health(failures=2, why="status 503"))
    assert await uow.read(lambda tx: tx.channels.sealed("post")) == b"sealed"
    assert await uow.read(lambda tx: tx.push_devices.sealed(device.id)) == b"two"
    assert await uow.read(lambda tx: tx.push_devices.of(LEAD)) == [device]
    assert await uow.read(lambda tx: tx.reaches.naming("post", 5)) == [ways]
    assert not await uow.commit(lambda tx: tx.push_devices.drop(PrincipalId("usr_b"), device.id))
    await uow.commit(lambda tx: tx.channels.drop("post"))
    assert await uow.read(lambda tx: tx.channels.all()) == []
