"""Who can, what can, over a great many relations: in pages, complete, equal to check (R113).

Some 50,000 tuples at the gate, a million with `REMIT_HYPOTHESIS=long`.
"""

import random
from collections.abc import Iterator
from functools import cache

import pytest

from remit.decision.relations.dsl import read_dsl
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.listing import Candidates, Lists
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import Bounds, CheckRequest, ListObjectsRequest, ListUsersRequest
from remit.decision.relations.tuples import RelationTuple
from support.effort import rounds
from support.relations import DRIVE

PAGE = 37
DEPARTMENTS = 50
DOCUMENTS = rounds(17_000, long=340_000)
PEOPLE = DOCUMENTS // 8


def tuples() -> Iterator[RelationTuple]:
    """Departments with three levels of groups, folders in folders, documents of which some are barred."""
    for department in range(DEPARTMENTS):
        for group in range(1, 13):
            yield named(
                f"group:{department}-{(group - 1) // 3}", "member", f"group:{department}-{group}#member"
            )
        yield named(f"folder:top{department}", "viewer", f"group:{department}-0#member")
    for person in range(PEOPLE):
        yield named(f"group:{person % DEPARTMENTS}-{4 + person % 9}", "member", f"user:u{person}")
    for folder in range(DOCUMENTS // 20):
        yield named(f"folder:f{folder}", "parent", f"folder:top{folder % DEPARTMENTS}")
        yield named(f"folder:f{folder}", "owner", f"user:u{folder * 31 % PEOPLE}")
    for document in range(DOCUMENTS):
        yield named(f"document:d{document}", "parent", f"folder:f{document % (DOCUMENTS // 20)}")
        yield named(f"document:d{document}", "editor", f"user:u{document * 7 % PEOPLE}")
        if document % 2 == 0:
            yield named(f"document:d{document}", "blocked", f"user:u{document * 3 % PEOPLE}")
        if document % 3 == 0:
            yield named(f"document:d{document}", "viewer", f"group:{document % DEPARTMENTS}-5#member")
    yield named("document:d1", "viewer", "user:*")


def named(thing: str, relation: str, user: str) -> RelationTuple:
    return RelationTuple(user=user, relation=relation, object=thing)


@cache
def graph() -> Graph:
    found = Graph(Plan(read_dsl(DRIVE)), Index.of(tuples()))
    assert found.index.count >= rounds(45_000, long=900_000)
    return found


def checked(user: str, thing: str) -> bool:
    answer = graph().check(CheckRequest(user=user, relation="viewer", object=thing), Bounds())
    assert answer.complete
    return answer.allowed


def pages(found: Candidates) -> list[str]:
    """All pages, one after the other, each on its own."""
    items: list[str] = []
    after = ""
    while True:
        page = found.page(Bounds(steps=200_000, listed=PAGE), after=after)
        assert page.complete
        assert len(page.items) <= PAGE
        items += page.items
        if not page.more:
            return items
        after = page.items[-1]


@pytest.mark.req("R113", "N37")
def test_what_can_is_in_pages_complete_and_equal_to_check() -> None:
    dice, whole = random.Random(1), Bounds(steps=5_000_000)  # noqa: S311 — a test, not a secret
    for person in dice.sample(range(PEOPLE), 3):
        user = f"user:u{person}"
        asked = ListObjectsRequest(user=user, relation="viewer", type="document")
        listed = pages(Lists(graph()).objects_among(asked, whole))
        assert len(listed) > PAGE
        assert listed == sorted(set(listed))
        mine = set(listed)
        sample = {f"document:d{number}" for number in dice.sample(range(DOCUMENTS), 3_000)}
        # Those that come near: of the same department, and barred from.
        sample |= {f"document:d{number}" for number in range(DOCUMENTS) if number * 3 % PEOPLE == person}
        assert {thing for thing in sample if checked(user, thing)} == mine & sample
        assert all(checked(user, thing) for thing in dice.sample(listed, min(len(listed), 500)))


@pytest.mark.req("R113", "N37")
def test_who_can_is_in_pages_complete_and_equal_to_check() -> None:
    dice, whole = random.Random(2), Bounds(steps=5_000_000)  # noqa: S311 — a test, not a secret
    for document in (0, 1, *dice.sample(range(2, DOCUMENTS), 2)):
        thing = f"document:d{document}"
        asked = ListUsersRequest(object=thing, relation="viewer", user_type="user")
        listed = pages(Lists(graph()).users_among(asked, whole))
        assert listed == sorted(set(listed))
        everyone = "user:*" in listed
        assert everyone is (document == 1)
        people = {f"user:u{person}" for person in dice.sample(range(PEOPLE), min(PEOPLE, 2_000))}
        assert {user for user in people if checked(user, thing)} == (
            people if everyone else set(listed) & people
        )
        assert all(checked(user, thing) for user in listed)


def test_a_deadline_is_met_and_told() -> None:
    asked = ListObjectsRequest(user="user:u3", relation="viewer", type="document")
    found = Lists(graph()).objects_among(asked, Bounds(steps=5_000_000))
    page = found.page(Bounds(steps=40, listed=1_000))
    assert not page.complete
    assert all(checked("user:u3", thing) for thing in page.items)
    cut = Lists(graph()).objects_among(asked, Bounds(steps=10))
    assert (cut.complete, cut.page(Bounds()).complete) == (False, False)
