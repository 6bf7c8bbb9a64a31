"""AS, OA: what an attacker could do between us and the providers that people come from."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.identity import endings
from remit.identity.errors import CeremonyOver
from remit.identity.federation.trust import KeySet
from remit.identity.principals import Kind
from remit.identity.sessions import ACR_PASSKEY_UV, Session, SessionRule, begin
from remit.identity.sessions import Proof as Proven
from remit.identity.upstream.admission import admit
from remit.identity.upstream.arrival import Arrival
from remit.identity.upstream.arrivals import ArrivalService
from remit.identity.upstream.errors import (
    ArrivalRefused,
    ConditionUnmet,
    IdentityProviderUnfit,
    LinkTaken,
    NotConfirmed,
    NotLinked,
    PersonStopped,
)
from remit.identity.upstream.id_token import Expected, IdToken
from remit.identity.upstream.leaving import Aim, Leaving, LeavingBox, Returned
from remit.identity.upstream.links import LinkService, Proposal
from remit.identity.upstream.provider import Condition, IdentityProvider, Provisioning
from remit.identity.upstream.signing import OidcSignIn, SignedIn
from remit.kernel.ids import PrincipalId, system_entropy
from remit.kernel.outbound import OutboundRequest, OutboundResponse
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.jwks import GuardedKeys
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.companies import OTHER_VISIT, VISIT, Company, Visitors
from support.oauth import ABSENT
from support.people import ADMIN

OTHER = "https://login.other.example"


async def arrived(uow: SqlUnitOfWork, **parts: Any) -> tuple[Visitors, Company]:
    company = Company()
    visitors = Visitors(uow, company, **parts)
    await visitors.connect(company)
    return visitors, company


async def by_passkey(visitors: Visitors, human: PrincipalId) -> Session:
    """A session of somebody whom a passkey verified just now."""
    proof = Proven(amr=("pop",), acr=ACR_PASSKEY_UV, at=visitors.now, means="psk_1")
    session, _ = begin(human, tenant=DEFAULT_TENANT, proof=proof, rule=SessionRule(), entropy=system_entropy)
    await visitors.uow.commit(lambda tx: tx.sessions.add(session))
    return session


# -- AS-12: whoever shares a name, an address or a subject with somebody is somebody else


@pytest.mark.attack("AS-12")
@pytest.mark.req("R159")
async def test_an_address_never_finds_a_person(uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(uow)
    ana = await visitors.sign_in(company, email="boss@company.com", email_verified=True)
    boss = await visitors.person("boss@company.com")
    eve = await visitors.sign_in(company, sub="eve-1", email="boss@company.com", email_verified=True)
    assert len({ana.session.human, eve.session.human, boss.id}) == 3
    unverified = await visitors.sign_in(company, sub="eve-2", email="boss@company.com")
    entry = await uow.read(lambda tx: tx.principals.get(unverified.session.human))
    assert entry is not None
    assert (entry.email, entry.attributes) == (None, ())


@pytest.mark.attack("AS-12")
async def test_a_subject_of_one_issuer_is_nobody_of_another(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow)
    other = Company(issuer=OTHER)
    visitors.companies.append(other)
    await visitors.connect(other, "other", provisioning=Provisioning.LINKED_ONLY)
    await visitors.sign_in(company)
    with pytest.raises(NotLinked):
        await visitors.sign_in(other, "other")


class ByAddress(ArrivalService):
    """AS-12: whoever has somebody's address is that person."""

    def _known(self, tx: Any, arrival: Arrival, at: Any) -> Any:
        provider = tx.identity_providers.get(arrival.provider)
        for human in tx.principals.page(kind=Kind.HUMAN):
            if human.email == arrival.email:
                link = admit(tx, provider, replace(arrival, name="stranger"), at=at, entropy=self.entropy)
                return provider, link, human
        return super()._known(tx, arrival, at)


@pytest.mark.twin("AS-12")
async def test_by_address_the_stranger_would_be_the_boss(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow, arrivals=ByAddress)
    boss = await visitors.person("boss@company.com")
    eve = await visitors.sign_in(company, sub="eve-1", email=boss.email, email_verified=True)
    assert eve.session.human == boss.id


@pytest.mark.req("N2")
async def test_no_provider_brings_a_stopped_person_back(uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(uow)
    ana = (await visitors.sign_in(company)).session

    def stop(tx: Any, how: Any) -> Any:
        human = tx.principals.get(ana.human)
        return how(tx, human, by=ADMIN, because="test", at=visitors.now, entropy=system_entropy)

    await uow.commit(lambda tx: stop(tx, endings.suspend))
    with pytest.raises(PersonStopped):
        await visitors.sign_in(company)
    await uow.commit(lambda tx: stop(tx, endings.retire))
    with pytest.raises(PersonStopped):
        await visitors.sign_in(company)
    people = await uow.read(lambda tx: tx.principals.page(kind=Kind.HUMAN))
    assert [each.id for each in people] == [ana.human]


@pytest.mark.req("N2")
async def test_an_unlinked_account_makes_nobody_anew(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow)
    human = (await visitors.sign_in(company)).session.human
    (link,) = await visitors.links.of(human)
    await visitors.links.end(link.id, of=human, by=ADMIN, because="test")
    assert await visitors.sessions.of(human) == []
    with pytest.raises(NotLinked):
        await visitors.sign_in(company)


async def test_conditions_are_asked_at_each_arrival(sqlite_uow: SqlUnitOfWork) -> None:
    company = Company()
    visitors = Visitors(sqlite_uow, company)
    await visitors.connect(company, conditions=(Condition(claim="hd", values=("company.com",)),))
    await visitors.sign_in(company, hd="company.com")
    for odd in ("company.com.example", "", ABSENT, ["other.com"]):
        with pytest.raises(ConditionUnmet):
            await visitors.sign_in(company, hd=odd)


# -- AS-13: an answer that nobody asked for


@pytest.mark.attack("AS-13")
@pytest.mark.spec("OpenID Connect Core", "3.1.3.7")
async def test_an_answer_that_nobody_asked_for_is_refused(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow)
    asked = await visitors.leave()
    code = visitors.code(company, asked)
    for state in ("", "made-up", asked["state"][:-2], f"{asked['state']}AA"):
        with pytest.raises(ArrivalRefused):
            await visitors.back("company", Returned(state=state, code=code, iss=company.issuer))
    with pytest.raises(ArrivalRefused) as refused:
        await visitors.sign_in(company, nonce="of-another-request")
    assert (refused.value.step, refused.value.reason) == (7, "wrong_nonce")
    taken = Returned(state=asked["state"], code=code, iss=company.issuer)
    assert isinstance(await visitors.back("company", taken), SignedIn)
    with pytest.raises(CeremonyOver):
        await visitors.back("company", taken)


class AnyNonce(OidcSignIn):
    """AS-13: a token may answer another request than ours."""

    def _judge(self, text: str, provider: IdentityProvider, keys: KeySet, expected: Expected) -> IdToken:
        return super()._judge(text, provider, keys, replace(expected, nonce="of-another-request"))


@pytest.mark.twin("AS-13")
async def test_without_the_nonce_anothers_token_would_do(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow, signing=AnyNonce)
    assert (await visitors.sign_in(company, nonce="of-another-request")).session.id


# -- AS-14: a document of another issuer, or moved by a redirect


@pytest.mark.attack("AS-14")
@pytest.mark.spec("RFC 8414", "3.3")
async def test_discovery_is_of_the_very_issuer_and_never_moved(sqlite_uow: SqlUnitOfWork) -> None:
    for says in (OTHER, "https://login.company.example/", "https://LOGIN.company.example", None):
        company = Company(document={"issuer": says})
        with pytest.raises(IdentityProviderUnfit):
            await Visitors(sqlite_uow, company).connect(company)

    class Moved(Company):
        def answer(self, request: OutboundRequest) -> OutboundResponse:
            found = super().answer(request)
            return replace(found, status=302, headers={"location": OTHER})

    moved = Moved()
    with pytest.raises(Exception, match="status 302") as refused:
        await Visitors(sqlite_uow, moved).connect(moved)
    assert len(moved.asked) == 1, refused.value


@pytest.mark.twin("AS-14")
async def test_a_reader_that_compares_nothing_would_take_it(sqlite_uow: SqlUnitOfWork) -> None:
    class Believing(GuardedKeys):
        async def fetch(self, address: str) -> bytes:
            raw = await super().fetch(address)
            return raw.replace(OTHER.encode(), Company.issuer.encode())

    company = Company(document={"issuer": OTHER})
    visitors = Visitors(sqlite_uow, company)
    believing = Believing(visitors.signing.speaker.http)
    visitors.providers = replace(visitors.providers, fetcher=believing)
    assert (await visitors.connect(company)).issuer == company.issuer


# -- OA-10, OA-27: two providers mixed up


@pytest.mark.attack("OA-10", "OA-27")
@pytest.mark.spec("RFC 9207", "2.4")
async def test_answers_of_two_providers_are_never_mixed_up(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow)
    evil = Company(issuer=OTHER)
    visitors.companies.append(evil)
    await visitors.connect(evil, "evil")
    for iss in ("", OTHER, f"{company.issuer}/", company.issuer.upper()):
        asked = await visitors.leave()
        with pytest.raises(ArrivalRefused) as refused:
            await visitors.back(
                "company", Returned(state=asked["state"], code=visitors.code(company, asked), iss=iss)
            )
        assert refused.value.reason == "other_issuer"
    asked = await visitors.leave("evil")
    sent = Returned(state=asked["state"], code="of-the-honest-one", iss=company.issuer)
    with pytest.raises(ArrivalRefused) as refused:
        await visitors.back("company", sent)
    assert refused.value.reason == "other_provider"
    # Nothing of it was redeemed anywhere.
    assert not any(request.method == "POST" for each in visitors.companies for request in each.asked)
    error = await visitors.leave()
    with pytest.raises(ArrivalRefused) as refused:
        await visitors.back("company", Returned(state=error["state"], error="<b>call us</b>", iss=OTHER))
    assert "call us" not in refused.value.hint


class Unmixed(OidcSignIn):
    """OA-10, OA-27: whatever comes back is taken."""

    def _code(self, request: Leaving, provider: IdentityProvider, returned: Returned) -> str:
        return returned.code


@pytest.mark.twin("OA-10", "OA-27")
async def test_unchecked_the_honest_code_would_reach_the_other(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow, signing=Unmixed)
    evil = Company(issuer=OTHER)
    visitors.companies.append(evil)
    await visitors.connect(evil, "evil")
    asked = await visitors.leave("company")
    code = visitors.code(company, asked)
    with pytest.raises(ArrivalRefused):
        await visitors.back("evil", Returned(state=asked["state"], code=code, iss=OTHER))
    assert [request for request in evil.asked if code.encode() in request.body]


# -- OA-13: whoever comes back is the browser that left


@pytest.mark.attack("OA-13")
async def test_another_browser_can_not_bring_the_answer(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow)
    asked = await visitors.leave(visit=OTHER_VISIT)
    sent = Returned(state=asked["state"], code=visitors.code(company, asked), iss=company.issuer)
    with pytest.raises(ArrivalRefused) as refused:
        await visitors.back("company", sent, visit=VISIT)
    assert refused.value.reason == "state_unknown"
    visitors.later(timedelta(minutes=11))
    with pytest.raises(ArrivalRefused) as refused:
        await visitors.back("company", sent, visit=OTHER_VISIT)
    assert refused.value.reason == "state_old"


class AnyBrowser(LeavingBox):
    """OA-13: a state is bound to nobody."""

    def context(self, visit: str) -> list[bytes]:
        return [b"anybody"]


@pytest.mark.twin("OA-13")
async def test_unbound_a_victim_would_be_signed_in_as_the_attacker(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow, box=AnyBrowser)
    asked = await visitors.leave(visit=OTHER_VISIT)
    sent = Returned(state=asked["state"], code=visitors.code(company, asked), iss=company.issuer)
    assert isinstance(await visitors.back("company", sent, visit=VISIT), SignedIn)


# -- OA-28: whoever links, finishes, and sees whom


@pytest.mark.attack("OA-28")
async def test_a_link_is_finished_by_who_began_it_and_by_passkey(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow)
    ben, eve = await visitors.person("ben"), await visitors.person("eve")
    mine, hers = await by_passkey(visitors, ben.id), await by_passkey(visitors, eve.id)
    asked = await visitors.leave(aim=Aim.LINK, session=hers)
    assert asked["prompt"] == "login"
    sent = Returned(state=asked["state"], code=visitors.code(company, asked), iss=company.issuer)
    with pytest.raises(ArrivalRefused) as refused:
        await visitors.back("company", sent, session=mine)
    assert refused.value.reason == "other_session"
    asked = await visitors.leave(aim=Aim.LINK, session=mine)
    sent = Returned(state=asked["state"], code=visitors.code(company, asked), iss=company.issuer)
    proposal = await visitors.back("company", sent, session=mine)
    assert isinstance(proposal, Proposal)
    assert (await visitors.links.of(ben.id), proposal.name) == ([], "Ana")
    with pytest.raises(CeremonyOver):
        await visitors.links.accept(proposal.ticket, session=hers)
    link = await visitors.links.accept(proposal.ticket, session=mine)
    assert (link.human, link.subject) == (ben.id, "ana-1")
    with pytest.raises(CeremonyOver):
        await visitors.links.accept(proposal.ticket, session=mine)
    assert (await visitors.sign_in(company)).session.human == ben.id
    with pytest.raises(LinkTaken):
        await visitors.links.assign(await visitors.providers.get("company"), "ana-1", eve.id, by=ADMIN)


class AnySession(LinkService):
    """OA-28: a proposal may be accepted in anybody's session."""

    def _context(self, session: Session) -> list[bytes]:
        return [b"anybody"]


class AnyFinisher(OidcSignIn):
    """OA-28: whoever comes back finishes."""

    def _own(self, request: Leaving, session: Session | None) -> Session:
        assert session is not None
        return session


@pytest.mark.twin("OA-28")
async def test_unbound_the_attackers_account_would_open_the_victims(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow, links=AnySession, signing=AnyFinisher)
    ben, eve = await visitors.person("ben"), await visitors.person("eve")
    mine, hers = await by_passkey(visitors, ben.id), await by_passkey(visitors, eve.id)
    asked = await visitors.leave(aim=Aim.LINK, session=hers)
    sent = Returned(state=asked["state"], code=visitors.code(company, asked), iss=company.issuer)
    proposal = await visitors.back("company", sent, session=mine)
    assert isinstance(proposal, Proposal)
    assert (await visitors.links.accept(proposal.ticket, session=mine)).human == ben.id


# -- a fresh proof is fresh, and the same person's


async def test_a_fresh_proof_is_fresh_and_the_same_persons(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow)
    ana = (await visitors.sign_in(company)).session

    async def confirm(**changes: Any) -> SignedIn | Proposal:
        asked = await visitors.leave(aim=Aim.CONFIRM, session=ana)
        assert (asked["prompt"], asked["max_age"]) == ("login", "0")
        code = visitors.code(company, asked, **changes)
        sent = Returned(state=asked["state"], code=code, iss=company.issuer)
        return await visitors.back("company", sent, session=ana)

    old = int((visitors.now - timedelta(minutes=5)).timestamp())
    with pytest.raises(ArrivalRefused):
        await confirm(auth_time=old)
    with pytest.raises(ArrivalRefused):
        await confirm(auth_time=ABSENT)
    with pytest.raises(NotConfirmed):
        await confirm(sub="ben-1", name="Ben")
    found = await confirm()
    assert isinstance(found, SignedIn)
    assert found.session.human == ana.human


# -- signing out from there


@pytest.mark.spec("OpenID Connect Back-Channel Logout", "2.6")
async def test_a_logout_token_ends_what_it_names_once(uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(uow)
    first = (await visitors.sign_in(company, sid="s-1")).session
    await visitors.sign_in(company, sid="s-2")
    odd_ones: list[dict[str, Any]] = [
        {"events": ABSENT}, {"events": {}}, {"nonce": "n"}, {"aud": "another"}, {"iss": OTHER},
        {"jti": ABSENT}, {"sid": ABSENT}, {"typ": "at+jwt"}, {"exp": 1_600_000_000},
    ]  # fmt: skip
    for odd in odd_ones:
        with pytest.raises(ArrivalRefused):
            await visitors.logout.take("company", company.logout_token(visitors.now, **{"sid": "s-1", **odd}))
    with pytest.raises(ArrivalRefused):  # an ID token is none
        await visitors.logout.take("company", company.id_token(visitors.now, "n", sid="s-1"))
    assert len(await visitors.sessions.of(first.human)) == 2
    text = company.logout_token(visitors.now, sid="s-1", sub="ana-1")
    assert await visitors.logout.take("company", text) == 1
    with pytest.raises(ArrivalRefused) as refused:
        await visitors.logout.take("company", text)
    assert refused.value.reason == "replayed"
    assert len(await visitors.sessions.of(first.human)) == 1
    assert await visitors.logout.take("company", company.logout_token(visitors.now, sub="ana-1")) == 1
    assert await visitors.sessions.of(first.human) == []


async def test_suspending_a_provider_signs_its_people_out(sqlite_uow: SqlUnitOfWork) -> None:
    visitors, company = await arrived(sqlite_uow)
    ana = (await visitors.sign_in(company)).session
    await visitors.providers.suspend("company", by=ADMIN)
    assert await visitors.sessions.of(ana.human) == []
    with pytest.raises(Exception, match="nobody can sign in"):
        await visitors.leave()
    await visitors.providers.resume("company", by=ADMIN)
    assert (await visitors.sign_in(company)).session.human == ana.human
