"""What is in a context, over every engine: sources, labels, prints, and tags with too many values."""

from datetime import timedelta

import pytest

from remit.decision.sources.source import MEMORY, VALUES, Origin, Source
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON

pytestmark = pytest.mark.usefixtures("store")
TASK, AGENT = "tsk_1", "agt_1"


def source(name: str, *labels: str, minutes: int = 0) -> Source:
    return Source(
        origin=Origin.DOCUMENT,
        name=name,
        action="library/documents.retrieve",
        digest="0" * 64,
        labels=labels,
        at=NOON + timedelta(minutes=minutes),
        agent="ins_1",
    )


@pytest.mark.req("R130")
async def test_sources_are_listed_in_order_once_each_up_to_a_moment(uow: SqlUnitOfWork) -> None:
    papers = [source(f"Document:{number}", "a=1", minutes=number) for number in range(5)]
    await uow.commit(lambda tx: tx.sources.add([TASK], papers[:3]))
    await uow.commit(lambda tx: tx.sources.add([TASK], papers))
    first = await uow.read(lambda tx: tx.sources.page(TASK, before=None, after="", limit=2))
    rest = await uow.read(lambda tx: tx.sources.page(TASK, before=None, after=first[-1][0], limit=9))
    assert [each for _, each in (*first, *rest)] == papers
    then = await uow.read(
        lambda tx: tx.sources.page(TASK, before=NOON + timedelta(minutes=2), after="", limit=9)
    )
    assert [each.name for _, each in then] == ["Document:0", "Document:1"]
    assert not await uow.read(lambda tx: tx.sources.page("tsk_2", before=None, after="", limit=9))


async def test_labels_name_who_brought_them_first_and_end_on_an_agent_alone(uow: SqlUnitOfWork) -> None:
    await uow.commit(
        lambda tx: tx.sources.add([TASK, AGENT], [source("one", "a=1"), source("two", "a=1", "b=2")])
    )
    late = NOON + MEMORY + timedelta(minutes=1)
    now = await uow.read(lambda tx: tx.sources.gather([AGENT], NOON, prints=False))
    assert now.labels == {"a=1": "one", "b=2": "two"}
    assert (await uow.read(lambda tx: tx.sources.gather([TASK], late, prints=False))).labels == now.labels
    assert not (await uow.read(lambda tx: tx.sources.gather([AGENT], late, prints=False))).labels
    await uow.commit(lambda tx: tx.sources.add([AGENT], [source("again", "a=1", minutes=30)]))
    again = await uow.read(lambda tx: tx.sources.gather([AGENT], late, prints=False))
    assert again.labels == {"a=1": "one"}, "read again, remembered again"


async def test_a_tag_with_too_many_values_is_full_and_says_so(uow: SqlUnitOfWork) -> None:
    many = [source(f"d{number}", f"page={number}", "a=1") for number in range(VALUES + 1)]
    await uow.commit(lambda tx: tx.sources.add([TASK], many[:VALUES]))
    assert not (await uow.read(lambda tx: tx.sources.gather([TASK], NOON, prints=False))).full
    await uow.commit(lambda tx: tx.sources.add([TASK], many[VALUES:]))
    found = await uow.read(lambda tx: tx.sources.gather([TASK], NOON, prints=False))
    assert found.full == frozenset({"page"})
    assert (len(found.labels), found.labels["a=1"]) == (VALUES + 1, "d0")


async def test_prints_come_back_as_they_were(uow: SqlUnitOfWork) -> None:
    prints = frozenset(bytes([number]) * 8 for number in range(5))
    await uow.commit(lambda tx: tx.sources.add([TASK], [source("one", "summarize-only")], prints))
    assert (await uow.read(lambda tx: tx.sources.gather([TASK], NOON, prints=True))).prints == prints
    assert not (await uow.read(lambda tx: tx.sources.gather([TASK], NOON, prints=False))).prints
