"""Administration governed by its own policy, in a whole installation: roles, rules, and no way to lock up."""

import pytest

from remit.decision.administration.errors import NobodyLeft
from remit.kernel.ids import PrincipalId
from support.everybody import everybody
from support.house import House

SELF_LOCKING = {
    "nobody may": '@id("a") permit (principal, action in Remit::Action::"admin/reads", resource);',
    "a role that nobody has": '@id("a") permit (principal in Remit::Role::"boss", action, resource);',
    "an address that nobody comes from": """@id("a")
    permit (principal in Remit::Role::"admin", action, resource)
    when { context has network && context.network == ip("192.0.2.1") };""",
    "a passkey that nobody has": """@id("a") permit (principal in Remit::Role::"admin", action, resource)
    when { context.channel == "session" };""",
    "an error": """@id("a") permit (principal, action, resource);
    @id("b") forbid (principal, action, resource) when { context.auth_age > 5 };""",
}
OTHER = """
@id("all") permit (principal in Remit::Role::"admin", action, resource);
@id("own") permit (principal, action, resource) when { context.own };
@id("librarian") @reason("keeps the policies")
permit (principal in Remit::Role::"operator", action in Remit::Action::"admin/policy", resource);
"""


async def test_rules_are_edited_like_any_policy_and_bind_at_once(house: House) -> None:
    admin, people = house["admin"], await everybody(house)
    shown = (await house.api(admin, "GET", "/administration")).json()
    assert (shown["version"], '@id("admin")' in shown["text"]) == (0, True)
    who = {"user": people["operator"].id, "action": "admin/policy.publish"}
    before = (await house.api(admin, "POST", "/administration/may", who)).json()
    assert (before["everything"], before["own"]) == (False, False)
    assert before["because"] == "no rule permits `admin/policy.publish`"
    assert (await house.api(admin, "POST", "/administration/check", {"text": OTHER})).json()["good"]
    put = await house.api(admin, "POST", "/administration", {"text": OTHER, "over": 0})
    assert (put.status_code, put.json()["version"]) == (201, 1)
    after = (await house.api(admin, "POST", "/administration/may", who)).json()
    assert (after["everything"], after["rules"]) == (True, ["librarian"])
    policy = {"text": '@id("all") permit (principal, action, resource);'}
    assert (await house.api(people["operator"], "POST", "/policies", policy)).status_code == 201
    refused = await house.api(people["security"], "POST", "/policies", policy)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_administrator")
    assert "no rule permits `admin/policy.publish`" in refused.json()["detail"]
    # Whoever edited what is no longer in force is told so.
    stale = await house.api(admin, "POST", "/administration", {"text": OTHER, "over": 0})
    assert (stale.status_code, stale.json()["code"]) == (409, "admin_policy_outdated")
    back = await house.api(admin, "POST", "/administration", {"text": shown["text"], "over": 1})
    assert back.json()["version"] == 2
    versions = (await house.api(admin, "GET", "/administration/versions")).json()["items"]
    assert [each["version"] for each in versions] == [2, 1]
    assert (await house.api(admin, "GET", "/administration/versions/1")).json()["text"] == OTHER
    records = await house.records("decision.administration.published")
    assert [(each.actor, each.subject) for each in records] == [(admin.id, "1"), (admin.id, "2")]


@pytest.mark.parametrize("how", SELF_LOCKING)
async def test_no_edit_locks_everybody_out(house: House, how: str) -> None:
    put = await house.api(house["admin"], "POST", "/administration", {"text": SELF_LOCKING[how], "over": 0})
    assert put.status_code in {400, 409}
    assert put.json()["code"] in {"nobody_left", "policy_refused"}
    assert (await house.api(house["admin"], "GET", "/administration")).json()["version"] == 0


async def test_the_last_administrator_stays_one_by_whatever_way(house: House) -> None:
    admin, path = house["admin"], f"/users/{house['admin'].id}"
    for method, where, body in (
        ("POST", "/roles/admin/revoke", {"user": admin.id}),
        ("PUT", path, {"attributes": {"roles": "reader"}}),
        ("PUT", path, {"attributes": {"roles": "admin audit-only"}}),
        ("POST", f"{path}/suspend", {"reason": "left"}),
        ("POST", f"{path}/retire", {"reason": "left"}),
    ):
        kept = await house.api(admin, method, where, body)
        assert kept.status_code == 409, (where, body, kept.text)
        assert kept.json()["code"] == "nobody_left"
        assert kept.json()["next"]
    ident = PrincipalId(admin.id)
    with pytest.raises(NobodyLeft):
        await house.services.identity.suspend(ident, by=ident, because="left", at=house.now())
    given = await house.api(admin, "POST", "/roles/admin/grant", {"user": "lead@company.com"})
    assert given.json()["roles"] == ["admin", "approver"]
    assert (await house.api(house["lead"], "POST", f"{path}/suspend", {"reason": "left"})).status_code == 200


async def test_roles_are_given_shown_and_taken(house: House) -> None:
    admin, user = house["admin"], house["user"]
    named = (await house.api(admin, "GET", "/roles")).json()
    assert {"admin", "approver", "security", "operator", "audit-only", "developer"} <= {
        each["name"] for each in named
    }
    for role in ("security", "developer"):
        assert (await house.api(admin, "POST", f"/roles/{role}/grant", {"user": user.id})).status_code == 200
    shown = (await house.api(admin, "GET", "/roles/security")).json()
    assert [each["name"] for each in shown["holders"]] == ["user@company.com"]
    assert (await house.api(user, "GET", "/issuers")).status_code == 200
    taken = await house.api(admin, "POST", "/roles/security/revoke", {"user": user.id})
    assert taken.json()["roles"] == ["developer"]
    assert (await house.api(user, "GET", "/issuers")).status_code == 403
    for role, who, status in (("boss", user.id, 404), ("security", "usr_none", 404)):
        assert (await house.api(admin, "POST", f"/roles/{role}/grant", {"user": who})).status_code == status
    # Nobody gives themselves a role, and nobody but administrators gives any.
    for party in (user, house["lead"]):
        given = await house.api(party, "POST", "/roles/admin/grant", {"user": party.id})
        assert given.status_code == 403
    other = {"user": house["lead"].id, "action": "admin/agent.list"}
    assert (await house.api(user, "POST", "/administration/may", other)).status_code == 404
    unknown = {"user": user.id, "action": "admin/nothing.at_all"}
    assert (await house.api(admin, "POST", "/administration/may", unknown)).status_code == 404
