"""Decisions as data: given, when, then; and each variation under `also`."""

import copy
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from immutables import Map

from remit.authority.rights import Ceiling, Constraint, Right
from remit.decision.answer.response import Verdict
from remit.decision.call.request import ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.packs import default_text
from remit.decision.stages.pipeline import fold, judge, refusal
from remit.identity.tools import ResourceMapping, Tool
from remit.kernel.canonical import canonical_json
from remit.kernel.ids import PrincipalId, ToolId
from support.decisions import (
    ACTIONS,
    TASK,
    bundle,
    buried,
    call,
    ceiling,
    delegated,
    discovery,
    envelope,
    grant,
    office,
    subject,
    task,
)

FOLDER = Path(__file__).parent
PROVES = {
    "rooms": ("R48", "N10", "N11", "R54"),
    "refunds": ("R46", "R75", "N11"),
    "hours": ("R53",),
    "modes": ("N7",),
    "delegation": ("N10",),
    "defaults": ("R46", "R75"),
}


def cases() -> list[Any]:
    """One case for `then`, one for each entry of `also`."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        story = yaml.safe_load(path.read_text(encoding="utf-8"))
        marks = [pytest.mark.req(*PROVES[path.stem])]
        found.append(pytest.param(story, story["then"], marks=marks, id=path.stem))
        for number, also in enumerate(story.get("also", ()), start=1):
            changed = copy.deepcopy(story)
            for place, value in also["change"].items():
                put(changed, place, value)
            found.append(pytest.param(changed, also["then"], marks=marks, id=f"{path.stem}-{number}"))
    return found


def put(story: dict[str, Any], place: str, value: Any) -> None:
    """`given.task.purpose` is inside the story, anything else inside `when`."""
    inner = story if place.startswith("given.") else story["when"]
    *steps, last = place.split(".")
    for step in steps:
        inner = inner.setdefault(step, {})
    inner[last] = value


@pytest.mark.parametrize(("story", "then"), cases())
def test_scenario(story: dict[str, Any], then: dict[str, Any]) -> None:
    snapshot = furnish(story["given"], story["policy"])
    proposed = propose(story["when"], story["given"], snapshot)
    verdict = decide(proposed, snapshot)
    assert verdict.effect == then["effect"], verdict.reasons
    decided = [said for said in verdict.reasons if said.effect is verdict.effect]
    found = {
        "reasons": [said.code for said in decided],
        "rules": [said.rule for said in decided],
        "factor": decided[0].rule if decided else "",
        "approvers": verdict.approvers,
        "disclose": verdict.disclose,
        "observed": {seen.rule: seen.effect for seen in verdict.observed},
        "remedy": verdict.remedy.action if verdict.remedy else "",
    }
    assert {name: found[name] for name in then if name in found} == {
        name: value for name, value in then.items() if name in found
    }
    nearest = then.get("nearest", ())
    assert len(verdict.nearest_miss) >= len(nearest)
    for miss, wanted in zip(verdict.nearest_miss, nearest, strict=False):
        assert {name: plain(getattr(miss, name)) for name in wanted} == wanted


def plain(value: Any) -> Any:
    """As YAML writes it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else value


def decide(proposed: ProposedCall, snapshot: Snapshot) -> Verdict:
    request = assemble(proposed, snapshot)
    if isinstance(request, Unassembled):
        return fold([refusal(request.reason)], snapshot=snapshot)
    return fold(judge(request, snapshot), snapshot=snapshot)


def furnish(given: dict[str, Any], policy: str) -> Snapshot:
    """An office as the story gives it."""
    text = default_text() if policy == "default" else policy
    snapshot = office(text)
    tools = tuple(reshaped(entry, given.get("tool", {})) for entry in snapshot.tools.values())
    snapshot = replace(snapshot, tools=Map({entry.id: entry for entry in tools}))
    if "tool" in given:
        snapshot = replace(snapshot, bundle=bundle(text, tools=tools))
    run, consent = given.get("task", {}), given.get("user", {})
    named = {"purpose": run["purpose"]} if "purpose" in run else {}
    limit = limits(run, purpose="booking")
    snapshot = replace(
        snapshot,
        tasks=Map({TASK: task(ceiling=limit, **named)}),
        grants=Map({grant().id: grant(ceiling=limits(consent))}),
        ceilings=snapshot.ceilings.set(PrincipalId("agt_calendar"), limits(given.get("agent", {}))).set(
            PrincipalId("blu_office"), limits(given.get("blueprint", {}))
        ),
    )
    if given.get("envelope") != "none":
        chain = envelope(*(limits(hop) for hop in given.get("hops", ())))
        snapshot = replace(snapshot, envelopes=Map({chain.digest: chain}))
    return buried(snapshot, given["dead"]) if "dead" in given else snapshot


def reshaped(entry: Tool, change: dict[str, str]) -> Tool:
    """The same tool under another name or with another type of resource."""
    if entry.mapping is None or not change:
        return entry
    if "name" in change and entry.name == "refunds.create":
        definition = canonical_json({"name": change["name"]}).decode()
        return replace(entry, name=change["name"], definition=definition, digest="f" * 64)
    if "type" in change and entry.name == "rooms.book":
        resource = ResourceMapping(type=change["type"], pointer=entry.mapping.resource.pointer)
        return replace(entry, mapping=replace(entry.mapping, resource=resource), digest="d" * 64)
    return entry


def limits(given: dict[str, Any], *, purpose: str = "any") -> Ceiling:
    """A ceiling of the rights given; all of the office without any."""
    wide = ceiling(purpose=purpose)
    if "rights" not in given:
        return replace(wide, rights=frozenset({*wide.rights, *others()}))
    return replace(wide, rights=frozenset(entitled(entry) for entry in given["rights"]))


def others() -> list[Right]:
    """Rights for the resource type that one story gives to a tool."""
    return [Right(action="business/rooms.book", resource_type="SecurityPolicy", resources="any")]


def entitled(entry: dict[str, Any]) -> Right:
    bounds = tuple(
        Constraint(pointer=pointer, at_most=Decimal(limit))
        for pointer, limit in entry.get("at_most", {}).items()
    )
    resources = frozenset(entry["resources"]) if "resources" in entry else "any"
    return Right(
        action=entry["action"],
        resource_type=dict(ACTIONS)[entry["action"]],
        resources=resources,  # type: ignore[arg-type]  # "any" is the literal
        constraints=bounds,
    )


def propose(when: dict[str, Any], given: dict[str, Any], snapshot: Snapshot) -> ProposedCall:
    if "method" in when:
        return discovery(when["method"])
    who = delegated() if when.get("as") == "mail-bot" else subject()
    token = given.get("token", {})
    if "rights" in token:
        who = replace(who, ceiling=limits(token))
    if "key" in token:
        who = replace(who, key=token["key"])
    raw = canonical_json(when["arguments"])
    entry = snapshot.tools[ToolId(f"tol_{when['tool']}")]
    proposed = call(when["tool"], raw=raw, snapshot=snapshot, subject=who, tool=entry)
    return replace(proposed, at=datetime.fromisoformat(when["at"])) if "at" in when else proposed
