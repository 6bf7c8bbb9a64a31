"""Three evaluators, one answer: Cedar, the compiled policies, and the oracle that shares no code with them.

`REMIT_LONG=1` compares more than a million answers; `-s` shows the count.
"""

import json
import os
import time
from dataclasses import dataclass, field, replace
from typing import Any

import cedarpy
import pytest
from cedarpy import pst

from oracle import cedar as oracle
from remit.decision.policy.program import Program
from remit.decision.policy.templates import filled, slots_of
from support.cedar import (
    GROUPS,
    PEOPLE,
    THINGS,
    Nodes,
    Said,
    World,
    Writer,
    by_cedar,
    by_program,
    cedar_set,
    nodes_of,
    program_of,
    seeded,
)

LONG = os.environ.get("REMIT_LONG") == "1"
SETS = 17_000 if LONG else 80
WORLDS = 60 if LONG else 10
EACH = 5
pytestmark = [pytest.mark.timeout(28_800)] if LONG else []


@dataclass
class Count:
    """What was compared, so that a long run can say it."""

    answers: int = 0
    policies: int = 0
    permits: int = 0
    erring: int = 0
    mismatches: list[tuple[int, World]] = field(default_factory=list)


class Asked:
    """One world put to all three, read once."""

    def __init__(self, seed: int) -> None:
        self.world = Writer(seeded(seed)).world()
        self.wire = self.world.wire()
        self.entities = cedarpy.Entities.from_json_str(json.dumps(self.world.documents))
        self.env = self.world.env()
        named = {name: getattr(self.world, name) for name in ("principal", "action", "resource")}
        self.request = oracle.world(self.world.documents, named, self.world.context)

    def by_cedar(self, policies: cedarpy.PolicySet) -> Said:
        said = cedarpy.is_authorized(self.wire, policies, self.entities)
        failed = sorted(error.split("`")[1] for error in said.diagnostics.errors)
        return Said(said.allowed, tuple(sorted(said.diagnostics.reasons)), tuple(failed))

    def by_program(self, program: Program) -> Said:
        permits, forbids, failed = program.run(self.env)
        deciding = sorted(rule.id for rule in forbids or permits)
        return Said(
            bool(permits) and not forbids, tuple(deciding), tuple(sorted(rule.id for rule, _ in failed))
        )

    def by_oracle(self, documents: dict[str, Any]) -> Said:
        said = oracle.judge(documents, self.request)
        return Said(said.allowed, said.reasons, said.failed)


def _documents(nodes: Nodes) -> dict[str, Any]:
    """The policies in Cedar's JSON form, under the same names."""
    text = json.loads(cedarpy.policies_to_json_str(str(cedar_set(nodes))))["staticPolicies"]
    return {place: text[f"policy{at}"] for at, place in enumerate(_as_printed(nodes))}


def _as_printed(nodes: Nodes) -> list[str]:
    """Cedar prints a set in the order of its names as text."""
    return sorted(nodes)


@pytest.mark.req("R48", "R50")
def test_cedar_the_compiled_policies_and_the_oracle_agree() -> None:
    count, begun = Count(), time.monotonic()
    asked = [Asked(seed) for seed in range(2_000 if LONG else 40)]
    for seed in range(SETS):
        writer = Writer(seeded(seed))
        nodes = nodes_of([writer.policy() for _ in range(EACH)])
        if seed % 2:  # All permits: then Cedar tells of every policy whether it holds.
            nodes = {place: replace(node, effect="permit") for place, node in nodes.items()}
        policies, program = cedar_set(nodes), program_of(nodes)
        documents = _documents(nodes)
        for one in writer.random.sample(asked, WORLDS):
            said = one.by_cedar(policies)
            if not said == one.by_program(program) == one.by_oracle(documents):
                count.mismatches.append((seed, one.world))
            count.answers += 1
            count.policies += len(nodes)
            count.permits += said.allowed
            count.erring += bool(said.failed)
        if LONG and seed % 1_000 == 0:
            print(f"{count.answers:,} answers, {len(count.mismatches)} mismatches", flush=True)
    print(
        f"{count.answers:,} answers over {count.policies:,} policies in {time.monotonic() - begun:,.0f} s: "
        f"{count.permits:,} permits, {count.erring:,} with policies in error, "
        f"{len(count.mismatches)} mismatches"
    )
    assert not count.mismatches, count.mismatches[:3]
    assert 0 < count.permits < count.answers
    assert 0 < count.erring < count.answers


def _template(writer: Writer) -> str:
    """A template with one slot or two, and the links that Remit's text gives it."""
    who, what = writer.pick(["==", "in", "is T::A in", ""]), writer.pick(["==", "in", "is T::X in", ""])
    if not who and not what:
        who = "in"
    principal = f"principal {who} ?principal" if who else "principal"
    resource = f"resource {what} ?resource" if what else "resource"
    effect, holds = writer.pick(["permit", "forbid"]), writer.expression("bool", 3)
    return f"{effect} ({principal}, action, {resource}) when {{ {holds} }};"


def test_a_link_of_a_template_holds_where_cedar_links_it() -> None:
    compared = 0
    for seed in range(40):
        writer = Writer(seeded(seed))
        try:
            nodes = cedarpy.policies_to_pst("\n".join(_template(writer) for _ in range(4)))
        except ValueError:
            continue
        links, linked = [], {}
        for place, node in nodes.templates.items():
            for number in range(2):
                uids = {
                    slot: pst.EntityUid(pst.EntityType(kind.split("::")[1], ("T",)), ident)
                    for slot, own in (("principal", PEOPLE), ("resource", THINGS))
                    if slot in slots_of(node)
                    for kind, ident in [writer.pick([*own, *GROUPS])]
                }
                name = f"policy{place.removeprefix('policy')}{number}"
                links.append(pst.TemplateLink(place, name, pst.FrozenMap(uids)))
                linked[name] = replace(filled(node, uids, {}), id=name)
        by_links = cedarpy.PolicySet.from_pst(
            pst.PolicySet(
                templates=nodes.templates, static_policies=pst.FrozenMap(), template_links=tuple(links)
            )
        )
        for _ in range(6):
            world = writer.world()
            assert by_cedar(by_links, world) == by_program(program_of(linked), world)
            compared += 1
    assert compared > 100
