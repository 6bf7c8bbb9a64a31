"""Identity chaining (draft-ietf-oauth-identity-chaining-17): a task goes on at a partner's server."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from remit.authority.domains.errors import DomainAlike, DomainUnfit, SubjectLinked
from remit.authority.domains.trust import Direction
from remit.identity.lifecycle import State
from remit.kernel.ids import PrincipalId
from support.domains import HOME, JWT_TYPE, PARTNER, THERE, Border, acted
from support.oauth import ABSENT, ACCESS_TOKEN, BOOK, SEND, claims_in

DRAFT = "draft-ietf-oauth-identity-chaining-17"


async def sent(border: Border, **parameters: Any) -> str:
    """A grant for the partner."""
    answer = await border.home.chained(**parameters)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def refusal(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {answer.json()['error']}"


@pytest.mark.spec(DRAFT, "2.3")
@pytest.mark.req("R36", "R161", "R26")
@pytest.mark.spec("RFC 8693", "2.2.1")
async def test_a_task_goes_on_at_the_partners(border: Border) -> None:
    home, partner = border.home, border.partner
    answer = (await home.chained()).json()
    assert (answer["token_type"], answer["issued_token_type"]) == ("N_A", JWT_TYPE)
    assert "refresh_token" not in answer
    assert 0 < answer["expires_in"] <= 300
    grant = answer["access_token"]
    said = claims_in(grant)
    assert said["aud"] == PARTNER
    assert said["sub"] == home.actors["ana"].id
    assert [right["action"] for right in said["authorization_details"][0]["rights"]] == [BOOK]

    got = (await partner.redeem_grant(grant, resource=partner.mcp())).json()
    assert "refresh_token" not in got
    token = got["access_token"]
    claims = claims_in(token)
    assert (claims["iss"], claims["aud"]) == (PARTNER, partner.mcp())
    assert claims["sub"] == partner.actors["ana"].id, "who it is, is the partner's to say"
    # Newest first: the partner's own instance acts, the one at home is history and bears its issuer.
    mine, before = acted(token)
    assert mine[0].startswith("spiffe://partner.example/agent/calendar-bot/")
    assert before[0].startswith("spiffe://remit.example/agent/calendar-bot/")
    assert (mine[1], before[1]) == ("", HOME)
    rights = got["authorization_details"][0]["rights"]
    assert [right["action"] for right in rights] == [BOOK]
    subject = await partner.verify(token, audience=partner.mcp())
    assert subject.task is not None
    told = (await partner.introspect("calendar-bot", token)).json()
    assert told["active"] is True
    assert told["act"] == claims["act"], "introspection keeps who acted (N24)"


@pytest.mark.spec(DRAFT, "2.3")
@pytest.mark.req("R36")
async def test_the_trace_leads_from_the_partners_record_to_the_person_at_home(border: Border) -> None:
    grant = await sent(border)
    await border.partner.redeem_grant(grant, resource=border.partner.mcp())
    (record,) = await border.partner.records("authority.domain_grant.redeemed")
    detail = dict(record.detail)
    assert detail["subject_there"] == border.home.actors["ana"].id
    (left,) = await border.home.records("authority.domain_grant.issued")
    assert (left.task, left.user) == (detail["transaction_there"], border.home.actors["ana"].id)
    assert dict(left.detail)["jti"] == detail["jti"]
    assert border.home.actors["calendar-bot"].id in detail["acted_before"]
    assert record.user == border.partner.actors["ana"].id


@pytest.mark.spec(DRAFT, "2.4")
async def test_the_grant_may_be_shown_again_until_it_ends_and_goes_on_with_one_task(border: Border) -> None:
    """What the draft has in the place of refresh tokens."""
    partner = border.partner
    grant = await sent(border)
    tokens = [await partner.redeem_grant(grant, resource=partner.mcp()) for _ in range(3)]
    tasks = {claims_in(each.json()["access_token"])["txn"] for each in tokens}
    assert len(tasks) == 1
    partner.clock.advance(timedelta(minutes=6))
    assert refusal(await partner.redeem_grant(grant, resource=partner.mcp())) == "400 invalid_grant"


WIDER: dict[str, tuple[dict[str, Any], str]] = {
    "no audience": ({"audience": ABSENT}, "400 invalid_request"),
    "another audience": ({"audience": "https://third.example"}, "400 invalid_target"),
    "two audiences": ({"audience": [PARTNER, HOME]}, "400 invalid_target"),
    "ourselves": ({"audience": HOME}, "400 invalid_target"),
    "a scope that no rule gives": ({"scope": "mcp admin"}, "400 invalid_scope"),
    "an action that no rule gives": (
        {"authorization_details": f'[{{"type":"remit_action","rights":[{{"action":"{SEND}",'
         '"resource_type":"Thing","resources":"any","constraints":[]}]}]'},
        "400 invalid_authorization_details",
    ),
    "another's token": ({"subject_token": "of mail-bot"}, "400 invalid_request"),
    "a type that nobody knows": ({"requested_token_type": "urn:x"}, "400 invalid_request"),
}  # fmt: skip


@pytest.mark.spec(DRAFT, "2.3")
@pytest.mark.attack("TX-01", "TX-09")
async def test_nothing_widens_on_the_way_out(border: Border) -> None:
    home = border.home
    for name, (stated, error) in WIDER.items():
        changes = dict(stated)
        if "subject_token" in changes:
            task = await home.start_task(ceiling=home.ceiling(BOOK, THERE), agent="mail-bot")
            changes["subject_token"] = await home.task_token("mail-bot", subject_token=home.root(task))
        assert refusal(await home.chained(**changes)) == error, name


async def test_a_right_at_home_is_none_at_the_partners_whatever_it_is_called(border: Border) -> None:
    """Both have a server `business`: only what is named as the partner's goes there."""
    home = border.home
    task = await home.start_task(ceiling=home.ceiling(BOOK))
    token = await home.task_token(subject_token=home.root(task))
    answer = await home.chained(subject_token=token, authorization_details=(
        f'[{{"type":"remit_action","rights":[{{"action":"{BOOK}","resource_type":"Thing",'
        '"resources":"any","constraints":[]}]}]'
    ))  # fmt: skip
    assert refusal(answer) == "400 invalid_target"
    # And the other way about: what is named as the partner's opens nothing at home.
    task = await home.start_task(ceiling=home.ceiling(THERE))
    answer = await home.exchange("calendar-bot", subject_token=home.root(task))
    assert refusal(answer) == "400 invalid_target"


@pytest.mark.attack("TX-06")
@pytest.mark.req("R161")
async def test_trust_is_not_transitive(border: Border) -> None:
    """What came from home goes on to nobody, though the partner trusts the third, and has a rule."""
    partner = border.partner
    third = await partner.trust("https://third.example", Direction.OUTBOUND, name="third")
    await partner.allow(third, there="cli_there", ceiling=partner.over(BOOK), scopes=frozenset({"mcp"}))
    grant = await sent(border)
    token = (await partner.redeem_grant(grant, resource=partner.mcp())).json()["access_token"]
    answer = await partner.chained(subject_token=token, audience="https://third.example")
    assert refusal(answer) == "400 invalid_target"
    own = await partner.task_token()
    assert (await partner.chained(subject_token=own, audience="https://third.example")).status_code == 200


@pytest.mark.attack("TX-06")
async def test_a_token_of_access_is_no_grant_over_there_and_a_grant_is_no_token_anywhere(
    border: Border,
) -> None:
    home, partner = border.home, border.partner
    token, grant = await home.task_token(), await sent(border)
    for foreign in (token, await home.own_token("calendar-bot")):
        answer = await partner.redeem_grant(foreign, resource=partner.mcp())
        assert refusal(answer) == "400 invalid_grant"
        answer = await partner.exchange(
            "calendar-bot", subject_token=foreign, subject_token_type=ACCESS_TOKEN
        )
        assert refusal(answer) == "400 invalid_request"
    for world in (home, partner):
        answer = await world.exchange("calendar-bot", subject_token=grant, subject_token_type=ACCESS_TOKEN)
        assert refusal(answer) == "400 invalid_request"
        assert (await world.introspect("calendar-bot", grant)).json() == {"active": False}
    # The issuer never redeems its own.
    assert refusal(await home.redeem_grant(grant, resource=home.mcp())) == "400 invalid_grant"


@pytest.mark.req("R36")
async def test_a_task_outlives_the_persons_session_and_ends_with_its_grant(border: Border) -> None:
    """Asynchronous: nobody is signed in while the agent goes on; what was allowed is taken back at once."""
    home = border.home
    person = await home.sign_in()
    await home.sessions.end(person.session.id, of=home.ana, by=home.ana, because="signed out")
    await sent(border)
    home.clock.advance(timedelta(minutes=30))
    token = await home.task_token()
    assert home.task.grant is not None

    def withdraw(tx: Any) -> None:
        epoch = tx.advance_epoch("withdrawn")
        tx.grants.withdraw(home.task.grant, home.now)
        tx.lineage.bury("grant", home.task.grant, cause="consent_withdrawn", epoch=epoch, at=home.now)

    await home.uow.commit(withdraw)
    assert refusal(await home.chained(subject_token=token)) == "400 invalid_request"


@pytest.mark.parametrize("cause", ["domain", "rule", "person", "grant", "agent"])
@pytest.mark.req("R161", "N2")
@pytest.mark.attack("TX-08")
async def test_what_is_taken_back_at_the_partners_ends_at_once(border: Border, cause: str) -> None:
    partner = border.partner
    grant = await sent(border)
    token = (await partner.redeem_grant(grant, resource=partner.mcp())).json()["access_token"]
    shown = await partner.domains.get(border.inbound.id)
    by, at = partner.ana, partner.now
    match cause:
        case "domain":
            await partner.domains.withdraw(border.inbound.id, by=by, because="over", at=at)
        case "rule":
            await partner.domains.disallow(shown.rules[0].id, by=by, because="over", at=at)
        case "person":
            await partner.domains.unlink(border.inbound.id, shown.people[0].subject, by=by, at=at)
        case "grant":
            consents = await partner.consents.of_user(by)
            standing = next(each for each in consents if "By a rule" in each.text)
            await partner.consents.withdraw(standing.id, by=by, at=at)
        case _:
            agent = PrincipalId(partner.agent_id())
            await partner.identities.suspend(agent, by=by, because="over", at=at)
            assert (await partner.identities.get(agent)).state is State.SUSPENDED
    assert (await partner.introspect("mail-bot", token)).json() == {"active": False}
    again = await partner.redeem_grant(grant, resource=partner.mcp())
    assert refusal(again) == "400 invalid_grant"
    if cause == "grant":
        # What a person took back is not written anew by the next grant.
        other = await partner.redeem_grant(await sent(border), resource=partner.mcp())
        assert refusal(other) == "400 invalid_grant"


async def test_the_person_finds_the_rule_among_their_own_grants(border: Border) -> None:
    partner = border.partner
    for _ in range(2):
        await partner.redeem_grant(await sent(border), resource=partner.mcp())
    grants = await partner.consents.of_user(partner.ana)
    (written,) = [each for each in grants if each.text.startswith("By a rule")]
    assert "Sales books the partner's rooms." in written.text
    (record,) = [
        each for each in await partner.records("authority.grant.given") if each.subject == written.id
    ]
    assert record.actor == partner.ana
    assert dict(record.detail)["by"] == "domain_rule"


async def test_nobody_trusts_themselves_or_two_who_look_alike(border: Border) -> None:
    home = border.home
    for issuer in (HOME, f"{HOME}/", PARTNER, f"{PARTNER}/", PARTNER.upper().replace("HTTPS", "https")):
        with pytest.raises(DomainAlike):
            await home.trust(issuer, Direction.OUTBOUND, name="other")
    with pytest.raises(DomainUnfit):
        await home.allow(border.outbound, there="", scopes=frozenset({"mcp"}))
    with pytest.raises(DomainUnfit):
        await home.link(border.outbound, "00u1")
    with pytest.raises(SubjectLinked):
        await border.partner.link(border.inbound, home.ana, "ben")


@pytest.mark.req("R36")
async def test_a_task_for_several_people_stays_at_home(border: Border) -> None:
    """Over there nobody would hear that one of them has taken their word back."""
    home = border.home
    task = await home.start_task(others=("ben",))
    token = await home.task_token("calendar-bot", subject_token=home.root(task))
    assert claims_in(token)["dev.remit"]["with"] == [home.actors["ben"].id]
    answer = await home.chained(subject_token=token)
    assert (refusal(answer), answer.json()["error_description"]) == (
        "400 access_denied",
        "a task for several people goes to no other domain",
    )
