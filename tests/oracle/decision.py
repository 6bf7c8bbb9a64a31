"""The decision by its book: what is true, what is asked and what was done give one answer.

No cache, no index, no transaction: each question walks all rules, all ceilings and the whole list of what was
permitted before. It shares nouns with the product (what a ceiling, a task or a call is), and the oracles of
Cedar and of relations, and no judgement.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from oracle import cedar, relations
from oracle.standing import Facts, No, Who, answering, standing
from oracle.texts import Rule, arguments, clock, documents, kind_of, note, uid
from oracle.values import Wrong
from remit.authority.arguments import number_of, pointed_at, text_of
from remit.authority.oidc.conditions import MEETS
from remit.authority.rights import Ceiling, Right
from remit.decision.call.actions import METHODS
from remit.decision.call.request import ProposedCall
from remit.decision.relations.query import DEPTH, CheckRequest, Given
from remit.identity.principals import Kind, Principal

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
STRENGTH = ("permit", "step_up", "ask", "deny")
Reason = tuple[str, str]
"""An effect, and the rule that wants it."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """What a permitted call leaves: its charges, and its marks (mark, holder, value, part, moment)."""

    charges: tuple[tuple[str, int, int, int], ...] = ()
    marks: frozenset[tuple[str, str, str, int, datetime]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Said:
    """The answer: of a denial the stage, and the rules that have this effect (None: not told)."""

    effect: str
    stage: str = ""
    rules: frozenset[str] | None = frozenset()
    act: Act = Act()
    yes: str = ""
    """The person's yes that it stands on, which is spent with it."""


@dataclass(kw_only=True)
class Ask:
    """What a person was asked, and how that stands; it serves one call."""

    ident: str
    call: ProposedCall
    version: int
    state: str
    expires_at: datetime
    spent: bool = False


def decide(
    facts: Facts,
    call: ProposedCall,
    past: Sequence[Act] = (),
    asks: Sequence[Ask] = (),
    traced: str = "permit",
) -> Said:
    """The one answer. `traced` is what provenance says of the call's values."""
    try:
        who = standing(facts, call)
        authority(who, call)
        said = for_all(facts, who, call)
        related(facts, who, call)
        said += provenance(traced)
        asked, marks = remembered(facts, who, call, past)
        said += asked
        said, yes = overseen(facts, call, said, asks)
        charges = paid(who, call, past)
    except (No, Wrong) as no:
        return Said(effect="deny", stage=getattr(no, "stage", "policy"), rules=getattr(no, "rules", None))
    effect = max((each for each, _ in said), key=STRENGTH.index, default="permit")
    rules = frozenset(rule for each, rule in said if each == effect)
    return Said(effect=effect, rules=rules, act=Act(charges=charges, marks=marks), yes=yes)


def provenance(traced: str) -> list[Reason]:
    if traced == "deny":
        raise No("history", {"provenance"})
    return [(traced, "provenance")] * (traced != "permit")


# -- authority


def authority(who: Who, call: ProposedCall) -> None:
    """Each factor allows the call; the first that does not is named."""
    tool, mapping = who.tool, who.tool.mapping if who.tool else None
    if tool is not None and tool.consequential:
        if mapping is None:
            raise No("authority")
        money = [mapping.money.amount, mapping.money.currency] if mapping.money else []
        known = [*mapping.arguments, *mapping.immaterial, mapping.resource.pointer, *money]
        steps = {each.split("/")[1].replace("~1", "/").replace("~0", "~") for each in known if each}
        if set(call.arguments) - steps:
            raise No("authority")
    for name, ceiling, _, _ in who.factors:
        if not allows(ceiling, who, call):
            raise No("authority", {name})


def discovers(who: Who, call: ProposedCall) -> bool:
    return call.tool is None and METHODS.get(call.action.removeprefix(f"{who.server.name}/"), False)


def allows(ceiling: Ceiling | None, who: Who, call: ProposedCall) -> bool:
    if ceiling is None:
        return False
    if discovers(who, call) and any(each.action.startswith(f"{who.server.name}/") for each in ceiling.rights):
        return True
    timely = ceiling.window.start <= call.at < ceiling.window.end
    meant = who.purpose != "" and ceiling.purpose in {"any", who.purpose}
    return timely and meant and any(fits(right, call) for right in ceiling.rights)


def fits(right: Right, call: ProposedCall) -> bool:
    named = (right.action, right.resource_type) == (call.action, call.resource.type)
    if not named or (right.resources != "any" and call.resource.id not in right.resources):
        return False
    for bound in right.constraints:
        present, value = pointed_at(call.arguments, bound.pointer)
        number = number_of(value) if not isinstance(value, dict | list) else None
        numbered = bound.at_least is not None or bound.at_most is not None
        if not present or (bound.one_of is not None and text_of(value) not in bound.one_of):
            return False
        if numbered and (
            number is None
            or (bound.at_least is not None and number < bound.at_least)
            or (bound.at_most is not None and number > bound.at_most)
        ):
            return False
    return True


# -- policy


def question(facts: Facts, who: Who, call: ProposedCall, user: Principal | None, past: Any) -> cedar.Request:
    zones = " ".join(sorted({name for rule in facts.rules for name in note(rule, "zone").split()}))
    tool, task = who.tool, who.task
    context: dict[str, Any] = {
        "arguments": arguments(tool, call.arguments, facts.seen),
        "tool": {
            "name": tool.name if tool else "",
            "server": who.server.name,
            "consequential": call.consequential or bool(tool and tool.consequential),
            "reversible": tool.reversible if tool else True,
            "money": bool(tool and tool.mapping and tool.mapping.money),
        },
        "resource": {"type": call.resource.type, "id": call.resource.id},
        "purpose": who.purpose,
        "depth": len(call.subject.chain) - 1,
        "bound": bool(call.subject.key),
        "past": past,
        **clock(call, zones),
    }
    if call.money:
        context["money"] = {"currency": call.money.currency, "minor": call.money.minor}
    if user:
        context["user"] = {"id": user.id, "name": user.name, "segments": sorted(user.segments)}
    if task:
        named = ("id", "purpose", "mode", "initiative", "segment")
        context["task"] = {name: str(getattr(task, name)) for name in named}
    asked = {
        "principal": kind_of(who.acting),
        "action": uid("Action", call.action),
        "resource": uid(call.resource.type, call.resource.id),
    }
    entities = documents(who.acting, who.blueprint, call.action, who.server.name)
    return cedar.world(entities, {name: cedar.uid_of(each) for name, each in asked.items()}, context)


def holding(rules: Sequence[Rule], request: cedar.Request, stage: str) -> list[Rule]:
    """The rules that decide: forbids before permits; an error of any of them is a no."""
    said = cedar.judge({str(place): rule for place, rule in enumerate(rules)}, request)
    if said.failed:
        raise No(stage, None if stage == "policy" else ("",))
    return [rules[place] for place in sorted(map(int, said.reasons))]


def for_all(facts: Facts, who: Who, call: ProposedCall) -> list[Reason]:
    """What the policies want of each person of the run, the one who started it first."""
    in_force = [
        rule
        for rule in facts.rules
        if not note(rule, "remember") and not rule["looks back"] and note(rule, "mode") in {"", "enforce"}
    ]
    mine, asking = [], set()
    for user in (who.user, *who.others):
        said, approvers = for_one(in_force, call, question(facts, who, call, user, {}), user is who.user)
        effect = max((each for each, _ in said), key=STRENGTH.index)
        absent = effect == "step_up" or (effect == "ask" and approvers == "self")
        if user is not who.user and absent:
            raise No("policy", None)
        asking |= {approvers} if effect == "ask" else set()
        mine += said
    if len(asking) > 1:
        raise No("policy")
    return mine


def for_one(
    rules: list[Rule], call: ProposedCall, asked: cedar.Request, first: bool
) -> tuple[list[Reason], str]:
    decisive = holding(rules, asked, "policy")
    if not decisive:
        raise No("policy", None)
    if decisive[0]["effect"] == "forbid":
        raise No("policy", {note(rule, "id") for rule in decisive})
    said: list[Reason] = []
    headless = call.subject.user is not None and not (first and call.subject.signed_in_at)
    for rule in decisive:
        unmet = note(rule, "stepup") and not met(note(rule, "stepup"), call, first)
        asks = note(rule, "approval") or (unmet and headless)
        said.append(("ask" if asks else "step_up" if unmet else "permit", note(rule, "id")))
    unbound = call.consequential and not call.subject.key
    said += [("ask", "")] * unbound
    named = next((note(rule, "approval") for rule in decisive if note(rule, "approval")), "")
    return said, named or ("owner" if unbound else "self")


def met(demand: str, call: ProposedCall, first: bool) -> bool:
    acr, _, age = demand.partition(" max_age=")
    had, when = (call.subject.acr, call.subject.signed_in_at) if first else ("", None)
    strong = bool(had) and (had == acr or had in MEETS.get(acr, ()))
    return strong and (not age or (when is not None and call.at - when <= timedelta(seconds=int(age))))


# -- relations, past, people, accounts


def related(facts: Facts, who: Who, call: ProposedCall) -> None:
    wanted = who.tool.mapping.relation if who.tool and who.tool.mapping else None
    if wanted is None:
        return
    person = who.user or (who.acting if who.acting.kind is Kind.HUMAN else None)
    people = [f"user:{each.name}" for each in (person, *who.others) if each]
    asking = [f"agent:{who.acting.name}"] if wanted.whom == "agent" else people
    thing = f"{wanted.type or call.resource.type}:{call.resource.id}"
    given = Given(context={**call.arguments, "current_time": call.at.isoformat()})
    if not asking or facts.graph is None or not facts.graph[0].has(thing.partition(":")[0], wanted.relation):
        raise No("relations")
    world = relations.World(*facts.graph, given)
    for user in asking:
        request = CheckRequest(user=user, relation=wanted.relation, object=thing, given=given)
        if world.check(request, DEPTH) is not relations.Verdict.TRUE:
            raise No("relations")


def remembered(facts: Facts, who: Who, call: ProposedCall, past: Sequence[Act]) -> tuple[list[Reason], Any]:
    """What the rules about the past want, and the marks that the call would leave."""
    leaving = [rule for rule in facts.rules if note(rule, "remember")]
    back = [rule for rule in facts.rules if rule["looks back"] and note(rule, "mode") in {"", "enforce"}]
    declared = {note(rule, "remember").split(" ")[0]: note(rule, "remember") for rule in leaving}
    told = {
        name: {whose: memory(text, holders(whose, facts, who, call), call, past) for whose in by(text)}
        for name, text in declared.items()
        if back
    }
    marks, forbids = set[Any](), dict[str, Rule]()
    for user in (who.user, *who.others):
        request = question(facts, who, call, user, told)
        for text in {note(rule, "remember") for rule in holding(leaving, request, "history")}:
            value = value_of(option(text, "of"), call)
            for holder in [each for whose in by(text) for each in holders(whose, facts, who, call)]:
                marks.add((text.split(" ")[0], holder, value, part_of(text, call.at), call.at))
        forbids |= {note(rule, "id"): rule for rule in holding(back, request, "history")}
    if any(not note(rule, "approval") for rule in forbids.values()):
        raise No("history", forbids)
    return [("ask", name) for name in forbids], frozenset(marks)


def option(mark: str, name: str) -> str:
    return dict(each.split("=", 1) for each in mark.split(" ")[1:]).get(name, "")


def by(mark: str) -> list[str]:
    return option(mark, "by").split(",")


def part_of(mark: str, at: datetime) -> int:
    """Windows are cut into 64 parts, which are forgotten as wholes."""
    lasts = option(mark, "for")
    width = int(lasts[:-1]) * UNITS[lasts[-1]] * 1_000_000 // 64 if lasts else 0
    return (at - EPOCH) // timedelta(microseconds=1) // width if width else 0


def memory(mark: str, whom: set[str], call: ProposedCall, past: Sequence[Act]) -> dict[str, Any]:
    lasts = option(mark, "for")
    since = call.at - timedelta(seconds=int(lasts[:-1]) * UNITS[lasts[-1]]) if lasts else EPOCH
    left = [
        each
        for act in past
        for each in act.marks
        if each[0] == mark.split(" ", maxsplit=1)[0] and each[1] in whom
    ]
    fresh = {each[1:4] for each in left if each[4] > since}
    kept = [each for each in left if each[1:4] in fresh]
    return {"count": len(kept), "values": sorted({each[2] for each in kept if each[2]})}


def value_of(of: str, call: ProposedCall) -> str:
    there, value = (True, call.resource.id) if of == "resource" else pointed_at(call.arguments, of)
    if not of or not there:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > 512:
        raise No("history")
    return str(value)


def holders(whose: str, facts: Facts, who: Who, call: ProposedCall) -> set[str]:
    people = [each for each in (who.user, *who.others) if each]
    if not people:
        people = list(answering(facts, who.acting).values())[-1:] or [who.acting]
    segments = {name for each in people for name in each.segments} or who.acting.segments
    names = {
        "user": {each.id for each in people},
        "agent": {who.acting.id},
        "task": {who.task.id} if who.task else set(),
        "chain": {each.id for each in who.agents},
        "department": segments,
        "resource": {f"{call.resource.type}:{call.resource.id}"},
    }
    return {f"{whose}:{name}" for name in names[whose]}


def overseen(
    facts: Facts, call: ProposedCall, said: list[Reason], asks: Sequence[Ask]
) -> tuple[list[Reason], str]:
    """What is left of the questions: a yes to this very action answers all of them, once.

    Whoever asks for somebody else names the yes that it stands on; the caller itself need not.
    """
    asking = [rule for effect, rule in said if effect == "ask"]
    same = [each for each in asks if action(each.call, each.version) == action(call, facts.version)]
    newest = same[-1] if asking and same and not same[-1].spent else None
    if newest and newest.state == "denied":
        raise No("oversight", None)
    meant = newest is not None and (call.asked_by is None or call.approval == newest.ident)
    if newest and meant and newest.state == "approved" and newest.expires_at > call.at:
        return [each for each in said if each[0] != "ask"], newest.ident
    return said, ""


def action(call: ProposedCall, version: int) -> tuple[Any, ...]:
    """What a yes is a yes to."""
    immaterial = call.tool.mapping.immaterial if call.tool and call.tool.mapping else ()
    material = json.dumps(
        {name: value for name, value in call.arguments.items() if f"/{name}" not in immaterial},
        sort_keys=True,
    )
    said = call.subject
    return (
        said.agent, said.user, said.task, call.action, call.resource, call.tool and call.tool.digest, version,
        material,
    )  # fmt: skip


def paid(who: Who, call: ProposedCall, past: Sequence[Act]) -> tuple[tuple[str, int, int, int], ...]:
    """What each account is charged; one that can't pay is named. A charge: account, period, cost, cap."""
    if discovers(who, call):
        return ()
    mapping = who.tool.mapping if who.tool else None
    budgets = [cap.currency for _, limit, _, _ in who.factors if limit for cap in limit.caps.money]
    if (
        mapping is not None
        and mapping.money is not None
        and not (call.money and (not budgets or call.money.currency in budgets))
    ):
        raise No("budget", None)
    charges = []
    for _, limit, account, daily in who.factors:
        seconds = (call.at - EPOCH) // timedelta(seconds=1)
        day = seconds // 86_400 if daily else 0
        caps = limit.caps if limit else None
        if caps and caps.calls is not None:
            charges.append((f"{account}|calls", day, 1, caps.calls))
        if caps and caps.per_minute is not None:
            charges.append((f"{account}|rate", seconds // 60, 1, caps.per_minute))
        money = call.money.minor if call.money else 0
        charges += [
            (f"{account}|money:{cap.currency}", day, money, cap.minor)
            for cap in (caps.money if caps and call.money else ())
            if call.money and cap.currency == call.money.currency
        ]
    spent = [each[:3] for act in past for each in act.charges]
    for account, period, cost, cap in sorted(charges):
        used = sum(paid for name, when, paid in spent if (name, when) == (account, period))
        if used + cost > cap:
            raise No("budget", {account})
    # An account is charged once, also where its holder stands in the chain twice.
    return tuple({each[0]: each for each in charges}.values())
