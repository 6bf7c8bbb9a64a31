"""The administrative policy by itself: names, what is shipped, what is refused, and how fast it is asked."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import cedarpy
import pytest

from remit.decision.administration.actions import AdminAction, Catalogue, entity_of, named, singular
from remit.decision.administration.judging import AdminPolicy, Channel, Standing
from remit.decision.administration.texts import admitted, shipped, shipped_text
from remit.decision.policy.errors import PolicyRefused
from remit.identity.sessions import ACR_PASSKEY_UV
from remit.kernel.ids import PrincipalId, TenantId
from remit.oversight.changes.service import CONFIRM
from support.clock import NOON
from support.everybody import declared

ACTIONS = [each.action for each in declared()]
CATALOGUE = Catalogue([*ACTIONS, CONFIRM])


def person(*roles: str, channel: Channel = Channel.TOKEN) -> Standing:
    session = channel is Channel.SESSION
    return Standing(
        tenant=TenantId("default"),
        ident=PrincipalId("usr_ana"),
        name="ana@company.com",
        roles=frozenset(roles),
        channel=channel,
        acr=ACR_PASSKEY_UV if session else "",
        signed_in_at=NOON - timedelta(minutes=10) if session else None,
        network="10.0.0.1",
    )


def may(policy: AdminPolicy, who: Standing, name: str, *, own: bool = False) -> bool:
    action = CATALOGUE.find(name)
    assert action is not None, name
    return policy.judge(who, action, own=own, at=NOON).allowed


def test_every_operation_is_exactly_one_action_and_says_which_by_its_name() -> None:
    assert [name for name, times in Counter(each.name for each in ACTIONS).items() if times > 1] == []
    assert named("publishPolicy", "policies", reads=False).name == "admin/policy.publish"
    assert named("listServiceAccountKeys", "service-accounts", reads=True).name == (
        "admin/service_account.list_keys"
    )
    assert named("ceilingOfAgent", "agents", reads=True).name == "admin/agent.ceiling"
    assert named("askBreakGlass", "breakglass", reads=False).name == "admin/breakglass.ask"
    assert named("kill", "kills", reads=False).name == "admin/kill.kill"
    assert singular("secretless") == "secretless"


def test_what_nobody_declared_nobody_may_do() -> None:
    unknown = AdminAction(name="admin/nothing.at_all", reads=False)
    for role in ("nobody", "reader", "security", "operator"):
        assert not shipped().judge(person(role), unknown, own=False, at=NOON).allowed
    assert CATALOGUE.find("admin/nothing.at_all") is None


def test_what_is_shipped_fits_what_there_is_and_every_action_in_it_exists() -> None:
    found = admitted(shipped_text(), number=1, catalogue=CATALOGUE)
    assert set(found.roles) == {
        "admin", "reader", "security", "operator", "developer", "audit-only", "approver-only",
    }  # fmt: skip


ROLES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "admin": (("policy.publish", "role.grant", "user.change", "ledger.export"), ()),
    "security": (
        ("policy.publish", "key.rotate", "issuer.trust", "tool.approve", "kill.kill", "agent.list"),
        ("role.grant", "administration.publish", "user.change", "agent.change", "tenant.open"),
    ),
    "operator": (
        ("kill.kill", "agent.suspend", "agent.resume", "tool.quarantine", "user.end_sessions"),
        ("policy.publish", "key.rotate", "agent.limit", "tool.approve", "role.grant"),
    ),
    "reader": (("agent.list", "ledger.export"), ("agent.suspend", "policy.publish")),
    "audit-only": (("agent.list", "ledger.export", "decision.why"), ("agent.suspend", "policy.publish")),
    "developer": (
        ("agent.list", "tool.get", "policy.get"),
        ("ledger.search", "agent.suspend", "decision.list", "policy.publish"),
    ),
    "approver": ((), ("agent.list", "agent.suspend", "policy.publish")),
    "nobody": ((), ("agent.list", "role.grant", "policy.publish")),
}


@pytest.mark.attack("CO-09")
@pytest.mark.parametrize("role", ROLES)
def test_a_shipped_role_may_what_it_is_for_and_nothing_else(role: str) -> None:
    yes, no = ROLES[role]
    who = person(role)
    assert [name for name in yes if not may(shipped(), who, f"admin/{name}")] == []
    assert [name for name in no if may(shipped(), who, f"admin/{name}")] == []


def test_roles_that_limit_beat_roles_that_give_and_the_answer_names_the_rule() -> None:
    audit, ask = person("admin", "audit-only"), person("admin", "approver-only")
    deed = CATALOGUE.find("admin/policy.publish")
    assert deed is not None
    found = shipped().judge(audit, deed, own=False, at=NOON)
    assert (found.allowed, found.because(deed)) == (False, "rule `audit-only` forbids `admin/policy.publish`")
    assert not may(shipped(), audit, "admin/task.start", own=True)
    assert may(shipped(), audit, "admin/ledger.search")
    assert not may(shipped(), ask, "admin/ledger.search")
    assert may(shipped(), ask, "admin/approval.answer", own=True)
    nobody = shipped().judge(person(), deed, own=False, at=NOON)
    assert nobody.because(deed) == "no rule permits `admin/policy.publish`"


CHOSEN = """
@id("all") permit (principal in Remit::Role::"admin", action, resource);
@id("own") permit (principal, action, resource) when { context.own };
@id("fresh") forbid (principal, action == Remit::Action::"admin/policy.publish", resource)
unless { context.channel == "session" && context has auth_age && context.auth_age <= 900 };
@id("house") forbid (principal, action == Remit::Action::"admin/key.rotate", resource)
unless { context has network && context.network.isInRange(ip("10.0.0.0/8")) };
"""


def test_rules_look_at_how_a_person_comes() -> None:
    policy = admitted(CHOSEN, number=1, catalogue=CATALOGUE)
    assert not may(policy, person("admin"), "admin/policy.publish")
    assert may(policy, person("admin", channel=Channel.SESSION), "admin/policy.publish")
    assert may(policy, person("admin"), "admin/key.rotate")


def test_what_fails_denies_and_says_which_rule() -> None:
    broken = (
        '@id("all") permit (principal, action, resource);\n@id("sum") forbid (principal, action, resource)'
    )
    policy = admitted(
        f"{broken} when {{ context has auth_age && context.auth_age + 9223372036854775807 > 0 }};",
        number=1,
        catalogue=CATALOGUE,
    )
    deed = CATALOGUE.find("admin/agent.list")
    assert deed is not None
    found = policy.judge(person("admin", channel=Channel.SESSION), deed, own=False, at=NOON)
    assert (found.allowed, found.failed) == (False, ("sum",))
    assert "can't be evaluated" in found.because(deed)


REFUSED = {
    "unknown action": '@id("a") permit (principal, action == Remit::Action::"admin/policy.x", resource);',
    "unknown attribute": '@id("a") permit (principal, action, resource) when { context.role == "x" };',
    "an agent's world": '@id("a") permit (principal is Remit::Agent, action, resource);',
    "meaningless": '@id("a") @approval("owner") permit (principal, action, resource);',
    "no id": "permit (principal, action, resource);",
    "not Cedar": "permit (",
    "nothing in force": '@id("a") @mode("observe") permit (principal, action, resource);',
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_text_that_would_not_mean_what_it_says_is_refused(how: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        admitted(REFUSED[how], number=1, catalogue=CATALOGUE)
    assert refused.value.faults[0].sentence


def test_compiled_rules_are_cedars_own() -> None:
    """Every shipped role, every action: the same answer as Cedar's."""
    policies = shipped().bundle.enforced
    assert policies is not None
    for roles in (
        ("admin",),
        ("security",),
        ("operator", "audit-only"),
        ("developer",),
        ("approver-only",),
        (),
    ):
        who = person(*roles)
        for action in ACTIONS[::7]:
            for own in (True, False):
                assert shipped().judge(who, action, own=own, at=NOON).allowed is by_cedar(
                    policies, who, action, own=own
                )


def by_cedar(policies: cedarpy.PolicySet, who: Standing, action: AdminAction, *, own: bool) -> bool:
    parents = [{"type": "Remit::Role", "id": role} for role in sorted(who.roles)]
    groups = [{"type": "Remit::Action", "id": each.id} for each in entity_of(action).ancestors]
    user = {"type": "Remit::User", "id": who.ident}
    deed = {"type": "Remit::Action", "id": action.name}
    entities = [
        {"uid": user, "attrs": {"id": who.ident, "name": who.name}, "parents": parents},
        {"uid": deed, "attrs": {}, "parents": groups},
    ]
    request = {
        "principal": f'Remit::User::"{who.ident}"',
        "action": f'Remit::Action::"{action.name}"',
        "resource": 'Remit::Tenant::"default"',
        "context": {"own": own, "channel": str(who.channel)},
    }
    return cedarpy.is_authorized(request, policies, entities).decision is cedarpy.Decision.Allow


def test_an_answer_costs_microseconds() -> None:
    """A bound that only a text compiled or parsed for each question breaks; the figure is in the guide."""
    who, deed = person("security"), CATALOGUE.find("admin/policy.publish")
    assert deed is not None
    shipped().judge(who, deed, own=False, at=NOON)
    took = []
    for _ in range(200):
        begun = time.thread_time_ns()
        shipped().judge(who, deed, own=False, at=NOON)
        took.append(time.thread_time_ns() - begun)
    assert min(took) < 200_000
