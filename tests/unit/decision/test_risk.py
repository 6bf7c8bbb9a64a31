"""Risk: contributions that sum to a score, limits that hold it, and what is not known."""

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from remit.authority.rights import Caps, Money
from remit.decision.answer.assessment import WORST, Assessment, Contribution, Part, known, level, total
from remit.decision.answer.denial import denial_of
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Decision, Effect, Mode, RemedyAction, Stage
from remit.decision.call.request import ActionRequest
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.signals import Signal, SignalInvalid, checked, weighed
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.step_up import read_step_up
from remit.decision.provenance.rules import Ruling
from remit.decision.risk.limits import Class, Limits, LimitsInvalid, RiskRule, read_limits
from remit.decision.risk.newness import News, hosts_in, traits_of
from remit.decision.risk.weigh import Hours, Measure, Readings, assess
from remit.decision.stages.pipeline import STEPS, Step, fold, judge
from remit.decision.stages.risk import RiskStage
from remit.identity.tools import Sensitivity
from remit.kernel.canonical import JsonObject
from remit.kernel.ids import DecisionId, PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from support.clock import NOON
from support.decisions import HOUR, PERMIT_ALL, TOOLS, bundle, call, ceiling, delegated, office, subject, task

QUIET = Readings(news=News())
WORST_ONLY = Limits(deny=WORST)
STRICT = RiskRule(reads=WORST_ONLY, changes=WORST_ONLY, irreversible=WORST_ONLY)


def request(snapshot: Snapshot | None = None, **changes: Any) -> ActionRequest:
    """A booking, as it is assembled."""
    found = assemble(call(**changes), snapshot or office())
    assert not isinstance(found, Unassembled)
    return found


def signal(level: float = 40, **changes: Any) -> Signal:
    made = Signal(
        tenant=DEFAULT_TENANT, subject=PrincipalId("agt_calendar"), kind="edr", level=level, source="test",
        at=NOON - HOUR,
    )  # fmt: skip
    return replace(made, **changes)


def scored(score: int) -> Assessment:
    return total([Contribution(part=Part.SIGNAL, points=score, because="edr of agt_calendar")])


def held(found: ActionRequest, rule: RiskRule) -> Finding:
    return RiskStage(rule=rule)(found, office())


@given(st.lists(st.tuples(st.sampled_from(Part), st.integers(0, 120)), max_size=8))
def test_contributions_sum_to_the_score(found: list[tuple[Part, int]]) -> None:
    made = total(Contribution(part=part, points=points) for part, points in found)
    assert made.score == min(WORST, sum(points for _, points in found))
    assert sum(each.points for each in made.contributions) == made.score
    assert known(made) == made


@pytest.mark.req("R64")
@given(st.lists(st.integers(0, 60), max_size=6), st.integers(0, 60), st.sampled_from([None, 20, 55, 90]))
def test_more_risk_never_lowers_the_control(points: list[int], more: int, step_up: int | None) -> None:
    rule = RiskRule(
        reads=Limits(ask=95),
        changes=Limits(step_up=step_up, ask=90, deny=98),
        irreversible=Limits(step_up=step_up, ask=90, deny=95),
    )
    less = total(Contribution(part=Part.SIGNAL, points=each) for each in points)
    riskier = total(Contribution(part=Part.SIGNAL, points=each) for each in [*points, more])
    for who in (subject(), subject(acr="urn:remit:acr:passkey-uv", signed_in_at=NOON), subject(user=None)):
        base = replace(request(), call=replace(request().call, subject=who))
        first, second = (held(replace(base, risk=each), rule).effect for each in (less, riskier))
        assert first.strength <= second.strength
    reversible, hard = (
        held(replace(tooled(reversible=each), risk=less), rule).effect.strength for each in (True, False)
    )
    assert reversible <= hard


def tooled(*, reversible: bool) -> ActionRequest:
    found = request()
    assert found.tool is not None
    return replace(found, tool=replace(found.tool, reversible=reversible))


IMPACTS: dict[str, tuple[ActionRequest, ActionRequest]] = {
    "undone": (tooled(reversible=True), tooled(reversible=False)),
    "key": (request(), replace(request(), call=replace(request().call, subject=subject(key="")))),
    "hop": (request(), replace(request(), call=replace(request().call, subject=delegated()))),
    "age": (
        replace(request(), instance=replace(request().instance, created_at=NOON - 2 * HOUR)),
        replace(request(), instance=replace(request().instance, created_at=NOON - timedelta(seconds=1))),
    ),
}


@pytest.mark.req("R64")
@pytest.mark.parametrize("what", IMPACTS)
def test_more_impact_is_more_risk(what: str) -> None:
    less, more = (assess(each, QUIET, Measure()) for each in IMPACTS[what])
    assert less.score < more.score


def test_money_weighs_by_what_it_takes_of_the_smallest_cap() -> None:
    def paid(minor: int, *caps: int) -> int:
        sums = Caps(money=tuple(Money(currency="EUR", minor=cap) for cap in caps))
        snapshot = office(
            tasks=Map({task().id: task(ceiling=replace(ceiling(purpose="booking"), caps=sums))})
        )
        found = request(snapshot, money=Money(currency="EUR", minor=minor))
        return assess(found, QUIET, Measure()).points(Part.MONEY)

    assert [paid(10, 1000), paid(500, 1000), paid(1000, 1000), paid(10)] == [1, 8, 15, 15]


def test_each_source_of_risk_is_named() -> None:
    booked = next(tool for tool in TOOLS if tool.name == "rooms.book")
    assert booked.mapping is not None
    labelled = replace(booked.mapping.resource, sensitivity=Sensitivity.CONFIDENTIAL)
    found = request(subject=subject(key=""))
    found = replace(
        found, tool=replace(booked, mapping=replace(booked.mapping, resource=labelled), reversible=False)
    )
    traits, _ = traits_of(replace(call(), arguments={"note": "see https://evil.example/x"}))
    readings = Readings(
        news=News(traits=traits), signals=(signal(0.5),), ruling=Ruling(effect=Effect.ASK, grounds=())
    )
    hours = Hours(zone="Europe/Berlin", start=8 * 60, end=12 * 60, days=frozenset(range(5)))
    made = assess(found, readings, Measure(hours=hours))
    assert {each.part for each in made.contributions} >= {
        Part.SENSITIVITY, Part.PROVENANCE, Part.BEARER, Part.IRREVERSIBLE, Part.SIGNAL, Part.HOUR,
        Part.NEW_ACTION, Part.NEW_CLASS, Part.NEW_HOST, Part.CONSEQUENTIAL, Part.ATTESTATION,
    }  # fmt: skip
    assert made.score == sum(each.points for each in made.contributions)


def test_hosts_are_found_where_they_hide_and_what_is_not_read_counts_as_new() -> None:
    assert hosts_in({"a": [{"b": "mail HTTPS://Évil.example:8443/p?q"}]})[0] == {"xn--vil-9la.example"}
    assert hosts_in({"a": "x." * 40_000}) == (set(), False)
    assert hosts_in({"a": [f"{number}." for number in range(600)]})[1] is False
    many: JsonObject = {"a": " ".join(f"https://h{number}.example/" for number in range(20))}
    traits, overflow = traits_of(replace(call(), arguments=many))
    assert overflow
    assert len(traits) == 18


UNKNOWN: dict[str, Readings] = {
    "nobody looked": Readings(news=None),
    "not a number": Readings(news=News(), signals=(signal(math.nan),)),
    "infinite": Readings(news=News(), signals=(signal(math.inf),)),
    "negative": Readings(news=News(), signals=(signal(-1),)),
    "too large": Readings(news=News(), signals=(signal(101),)),
    "stale": Readings(news=News(), signals=(signal(1, expires_at=NOON),)),
    "never measured": Readings(news=News(), signals=(signal(1, kind="other"),)),
}


@pytest.mark.attack("PD-21")
@pytest.mark.parametrize("what", UNKNOWN)
def test_risk_that_is_not_known_is_the_worst(what: str) -> None:
    made = assess(request(), UNKNOWN[what], Measure(required=("edr",)))
    assert made.score == WORST
    finding = held(replace(request(), risk=made), STRICT)
    assert finding.effect is Effect.DENY


@pytest.mark.attack("PD-21")
@pytest.mark.parametrize(
    "broken",
    [
        None,
        Assessment(score=10),
        Assessment(score=-5, contributions=(Contribution(part=Part.HOUR, points=-5),)),
        Assessment(score=math.nan, contributions=(Contribution(part=Part.HOUR, points=1),)),  # type: ignore[arg-type]  # the attack
        Assessment(score=0, contributions=(Contribution(part=Part.HOUR, points=math.nan),)),  # type: ignore[arg-type]  # the attack
    ],
)
def test_an_assessment_that_does_not_add_up_is_the_worst(broken: Assessment | None) -> None:
    found = replace(request(), risk=broken)
    assert held(found, STRICT).effect is Effect.DENY
    snapshot = office(f'{PERMIT_ALL}\n@id("calm") forbid(principal, action, resource) '
                      "when { context.risk.score >= 100 };")  # fmt: skip
    assert fold(judge(found, snapshot), snapshot=snapshot).effect is Effect.DENY


@pytest.mark.twin("PD-21")
def test_compared_without_care_what_is_not_a_number_passes_every_limit() -> None:
    """The defence removed: levels are summed as they come, and the sum is compared as it is."""

    def careless(readings: Readings) -> Effect:
        score: float = sum(each.level or 0 for each in readings.signals)
        return STRICT.of(Class.IRREVERSIBLE).effect(score)  # type: ignore[arg-type]  # the attack

    assert careless(UNKNOWN["not a number"]) is Effect.PERMIT
    assert careless(UNKNOWN["negative"]) is Effect.PERMIT
    assert careless(UNKNOWN["stale"]) is Effect.PERMIT
    assert careless(UNKNOWN["nobody looked"]) is Effect.PERMIT


def test_a_level_is_a_number_in_its_range_or_the_worst() -> None:
    assert [level(each, 50) for each in (0, 0.1, 50, 51, math.nan, None, "0", True)] == [0, 1, 50] + [50] * 5


def test_an_alarm_is_over_at_its_end_and_a_measurement_is_not() -> None:
    ends = {"expires_at": NOON}
    assert not list(weighed([signal(60, lapses=True, **ends)], NOON))
    assert [each.points for each in weighed([signal(60, lapses=True, **ends)], NOON - HOUR)] == [60]
    assert [each.points for each in weighed([signal(60, **ends)], NOON)] == [WORST]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "Edr"}, {"kind": ""}, {"level": math.nan}, {"level": 100.1}, {"level": -0.1},
        {"expires_at": NOON - HOUR}, {"lapses": True},
    ],
)  # fmt: skip
def test_a_signal_that_says_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SignalInvalid):
        checked(replace(signal(), **wrong))


@pytest.mark.parametrize("text", ["ask", "ask=101", "ask=80 ask=81", "ask=80 deny=70", "ask=-1", "yes=1"])
def test_limits_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(LimitsInvalid):
        read_limits(text)


@pytest.mark.req("R64")
def test_a_graver_class_is_never_held_less() -> None:
    with pytest.raises(LimitsInvalid):
        RiskRule(changes=Limits(ask=50), irreversible=Limits(ask=60))
    with pytest.raises(LimitsInvalid):
        RiskRule(reads=Limits(deny=90), changes=Limits(ask=80), irreversible=Limits(ask=80))


def test_each_answer_names_what_makes_it_risky_and_what_to_do() -> None:
    rule = RiskRule(
        changes=Limits(step_up=40, ask=60, deny=90), irreversible=Limits(step_up=40, ask=60, deny=90)
    )
    signed = subject(acr="urn:remit:acr:passkey", signed_in_at=NOON)
    told = {}
    for score in (45, 65, 95):
        found = replace(request(subject=signed), risk=scored(score))
        steps = (*STEPS, Step(stage=Stage.RISK, judge=RiskStage(rule=rule)))
        verdict = fold(judge(found, office(), steps=steps), snapshot=office())
        denial = denial_of(Decision(id=DecisionId("dec_1"), at=NOON, verdict=verdict))
        told[denial.reason.code] = denial.remedy.action
        assert f"risk is {score} of 100" in denial.message()
        assert "signal" in denial.message()
    assert told == {
        "risk_needs_sign_in": RemedyAction.STEP_UP,
        "risk_asks": RemedyAction.REQUEST_APPROVAL,
        "risk_too_high": RemedyAction.CONTACT_OWNER,
    }


def test_who_signed_in_strongly_passes_and_who_cannot_is_asked_for() -> None:
    rule = RiskRule(changes=Limits(step_up=40, ask=90), irreversible=Limits(step_up=40, ask=90))
    risky = scored(50)

    def asked(**who: Any) -> tuple[Effect, str]:
        found = held(replace(request(), call=call(subject=subject(**who)), risk=risky), rule)
        return found.effect, found.approvers

    strong = read_step_up("urn:remit:acr:passkey-uv")
    assert strong is not None
    assert asked(acr=strong.acr, signed_in_at=NOON) == (Effect.PERMIT, "")
    assert asked(acr="urn:remit:acr:passkey", signed_in_at=NOON)[0] is Effect.STEP_UP
    assert asked() == (Effect.ASK, "self")
    assert asked(user=None) == (Effect.ASK, "owner")
    several = replace(request(), risk=risky, companions=(request().principal,))
    assert held(several, rule).effect is Effect.ASK


@pytest.mark.req("N7")
@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.WARN])
def test_risk_that_is_only_observed_is_noted(mode: Mode) -> None:
    found = held(replace(request(), risk=scored(99)), RiskRule(mode=mode))
    assert found.effect is Effect.PERMIT
    assert [(seen.mode, seen.effect) for seen in found.observed] == [(mode, Effect.ASK)]


@pytest.mark.req("R48", "R64")
def test_policy_sees_the_score_and_each_contribution() -> None:
    text = """
        @id("base") permit(principal, action, resource);
        @id("edr") forbid(principal, action, resource) when { context.risk.contributions.signal > 30 };
        @id("all") @mode("observe") forbid(principal, action, resource) when { context.risk.score > 5 };
    """
    snapshot = office(bundle=bundle(text))
    found = {
        score: fold(judge(replace(request(), risk=scored(score)), snapshot), snapshot=snapshot)
        for score in (0, 30, 31)
    }
    assert [each.effect for each in found.values()] == [Effect.PERMIT, Effect.PERMIT, Effect.DENY]
    assert [len(each.observed) for each in found.values()] == [0, 1, 0]
