"""What counts, what is bounded by what was seen, and what a rhythm is."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.assurance.posture.access import Verdict, access, periodic
from remit.assurance.posture.drafting import drafted, fences, quoted, without
from remit.assurance.posture.evidence import Bar, at_most
from remit.assurance.posture.extent import Reach, extent_of
from remit.assurance.posture.learning import Lesson, learn
from remit.assurance.posture.narrowing import narrowed
from remit.assurance.posture.rhythm import rhythm_of
from remit.assurance.posture.use import Standing, Use
from remit.authority.attenuation import covers
from remit.authority.permission import Allowed, Attempt, permits
from remit.authority.rights import ANY_PURPOSE, Caps, Ceiling, Right, Window
from remit.decision.policy.admission import parse
from support.traces import AGENT, BEGIN, base, month

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
TYPES = {"shop/mail.send": "Recipient", "shop/customers.export": "Customer", "shop/keys.create": "Key"}


def use(action: str, resource: str, *, days_ago: float, task: str, standing: Standing = Standing.GOOD) -> Use:
    return Use(
        decision=f"dec_{action}_{task}_{days_ago}", at=NOW - days_ago * DAY, agent="agt_1", agent_name="bot",
        user="usr_1", task=task, action=action, resource_type="Thing", resource=resource, arguments={},
        money=None, standing=standing,
    )  # fmt: skip


def ceiling(*rights: Right) -> Ceiling:
    window = Window(start=NOW - 900 * DAY, end=NOW + 900 * DAY)
    return Ceiling(rights=frozenset(rights), window=window, caps=Caps(), depth=2, purpose=ANY_PURPOSE)


def right(action: str, *resources: str) -> Right:
    return Right(action=action, resource_type="Thing", resources=frozenset(resources) or "any")


@pytest.mark.parametrize(
    ("seen", "trials", "bound"),
    [(0, 59, 0.0495), (0, 1, 0.95), (1, 50, 0.0914), (5, 100, 0.1023), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_the_upper_bound_is_the_exact_binomial_one(seen: int, trials: int, bound: float) -> None:
    # One-sided 95 % limits, Clopper and Pearson (1934): 1 - 0.05**(1/n) for none, beta quantiles otherwise.
    assert at_most(seen, trials) == pytest.approx(bound, abs=2e-4)


@given(share=st.floats(0, 0.49), tasks=st.integers(20, 120))
def test_values_of_fewer_than_half_of_the_tasks_never_open_a_set(share: float, tasks: int) -> None:
    planted = int(share * tasks)
    samples = [
        (
            f"evil-{number}" if number < planted else "room-1",
            use("a/b", "x", days_ago=number, task=f"t{number}"),
        )
        for number in range(tasks)
    ]
    extent = extent_of(samples, Bar(), forced=())
    assert extent.reach is Reach.FEW
    assert extent.names <= {"room-1"}


@given(st.text(max_size=40))
def test_whatever_a_resource_is_called_it_stays_one_text(name: str) -> None:
    rules, _ = parse(f'@id("x") @reason({quoted(name[:100])}) permit (principal, action, resource);')
    assert [rule.reason for rule in rules.values()] == [name[:100]]


@pytest.mark.req("N8")
def test_learning_again_replaces_what_was_learned_and_never_lets_out() -> None:
    trace = month(1)
    first = learn(trace.uses, Lesson(subject=f"agent:{AGENT}", profiles=trace.profiles()))
    once = drafted(base(), [first])
    assert without(once, [f"agent:{AGENT}"]).strip() == base().strip()
    assert without(once, ["agent:support"]).strip() == once.strip(), "another name that begins alike"
    assert drafted(once, [first]) == once
    again = learn(trace.uses, Lesson(subject=f"agent:{AGENT}", profiles=trace.profiles(), fixed=True))
    assert all(need.extent.reach is Reach.FEW for need in again.needs)
    assert len({fence.id for fence in fences(first)}) == len(fences(first))


def test_a_learned_ceiling_only_shrinks_and_holds_what_is_needed() -> None:
    trace = month(2)
    learned = learn(trace.uses, Lesson(subject=f"agent:{AGENT}", profiles=trace.profiles()))
    kinds = {use.action: use.resource_type for use in trace.uses}
    rights = frozenset(
        Right(action=name, resource_type=kind, resources="any") for name, kind in kinds.items()
    )
    window = Window(start=BEGIN - 9 * DAY, end=BEGIN + 90 * DAY)
    before = Ceiling(rights=rights, window=window, caps=Caps(), depth=2, purpose=ANY_PURPOSE)
    after = narrowed(before, learned)
    assert covers(before, after)
    assert not covers(after, before)
    for each in trace.uses:
        attempt = Attempt(
            action=each.action, resource_type=each.resource_type, resource=each.resource,
            arguments=each.arguments or {}, at=each.at, purpose="support",
        )  # fmt: skip
        if each.decision in trace.needed:
            assert isinstance(permits(after, attempt), Allowed), each
    big = next(each for each in trace.uses if (each.arguments or {}).get("amount") == "48000.00")
    tried = Attempt(
        action=big.action, resource_type=big.resource_type, resource=big.resource,
        arguments=big.arguments or {}, at=big.at, purpose="support",
    )  # fmt: skip
    assert not isinstance(permits(after, tried), Allowed), "the ceiling bounds the amount as well"


@pytest.mark.parametrize(
    ("days", "name"),
    [
        ((365, 0), "yearly"), ((731, 366, 3), "yearly"), ((364,), ""), ((30, 0), ""),
        ((61, 30, 0), "monthly"), ((200, 140, 13), ""), ((800, 435, 400), ""), ((182, 91, 0), "quarterly"),
    ],
)  # fmt: skip
def test_a_rhythm_is_regular_and_not_overdue(days: tuple[int, ...], name: str) -> None:
    today = NOW.date()
    found = rhythm_of((today - timedelta(days=day) for day in days), today)
    assert (found.name if found else "") == name
    if found:
        assert found.due >= today
        assert rhythm_of((today - timedelta(days=day) for day in days), date(2031, 1, 1)) is None


@pytest.mark.req("R47", "R111")
def test_an_unused_right_is_told_from_a_yearly_one_and_calls_are_cited() -> None:
    rights = ceiling(
        right("s/daily"), right("s/audit"), right("s/old"), right("s/never"), right("s/two", "a", "b")
    )
    uses = [
        *(use("s/daily", "x", days_ago=day, task=f"t{day}") for day in range(20)),
        use("s/audit", "x", days_ago=400, task="a1"),
        use("s/audit", "x", days_ago=36, task="a2"),
        use("s/old", "x", days_ago=300, task="o1"),
        use("s/never", "x", days_ago=1, task="n1", standing=Standing.DENIED),
        use("s/two", "a", days_ago=2, task="w1"),
    ]
    found = {each.right.action: each for each in access(rights, uses, at=NOW, window=30 * DAY)}
    assert {name: each.verdict for name, each in found.items()} == {
        "s/daily": Verdict.USED, "s/audit": Verdict.PERIODIC, "s/old": Verdict.UNUSED,
        "s/never": Verdict.NEVER, "s/two": Verdict.USED,
    }  # fmt: skip
    assert found["s/two"].unused_resources == ("b",)
    assert found["s/audit"].evidence is not None
    assert set(found["s/audit"].evidence.examples) <= {each.decision for each in uses}
    assert [each.action for each in periodic(found.values())] == ["s/audit"]
