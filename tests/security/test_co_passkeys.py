"""CO-12 and CO-07 at the sign-in desk: each attack is refused, and succeeds where its defence is missing."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from soft_webauthn import SoftWebauthnDevice  # type: ignore[import-untyped]  # the package has no types

from remit.identity import events
from remit.identity.ceremonies import Act, Ceremony, CeremonyBox
from remit.identity.errors import CeremonyOver, PasskeyRefused
from remit.identity.passkey_desk import PasskeyDesk
from remit.identity.sessions import Session, digest_of
from remit.identity.sign_in_service import ProvenAnswer, SignInService
from remit.kernel.canonical import b64u
from remit.kernel.ids import system_entropy
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.outbox import Outbox
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authenticator import UP, UV, Authenticator, for_soft, from_soft
from support.people import ADMIN, BOX, ISSUER, VISIT, People, phone
from twins.people import (
    AnybodysPasskey,
    AnyTicket,
    Framed,
    RemembersNothing,
    Uncounted,
    lenient,
    with_prover,
)

REFUSED = (PasskeyRefused, CeremonyOver)


@pytest.fixture
def uow(sqlite_store: OpenStore) -> SqlUnitOfWork:
    """One engine: what is refused here is refused before any statement differs."""
    return SqlUnitOfWork(sqlite_store, tenant=DEFAULT_TENANT)


async def enrolled(uow: SqlUnitOfWork, kind: type[PasskeyDesk] = PasskeyDesk) -> tuple[People, Authenticator]:
    people, device = People(uow, kind=kind), phone()
    await people.enrolled(await people.person(), device)
    return people, device


# -- replay


async def replayed(people: People, device: Authenticator) -> Session:
    """One answer, shown twice."""
    asked = people.signing.ask_sign_in(bound_to=VISIT)
    answer = device.get(asked.options)
    more: dict[str, Any] = {"ticket": asked.ticket, "bound_to": VISIT, "leaving": None, "client": ""}
    await people.signing.sign_in(answer, **more)
    return (await people.signing.sign_in(answer, **more))[0]


@pytest.mark.attack("CO-12")
@pytest.mark.spec("WebAuthn", "13.4.3")
async def test_an_answer_counts_once(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    device.step = 0  # so that no counter helps
    await people.enrolled(await people.person(), device)
    with pytest.raises(CeremonyOver):
        await replayed(people, device)


@pytest.mark.twin("CO-12")
async def test_an_answer_would_count_twice(uow: SqlUnitOfWork) -> None:
    people = People(uow, kind=RemembersNothing)
    device = phone()
    device.step = 0
    await people.enrolled(await people.person(), device)
    assert (await replayed(people, device)).ended_at is None


@pytest.mark.attack("CO-12")
async def test_of_two_racing_shows_of_one_answer_one_counts(uow: SqlUnitOfWork) -> None:
    people = People(uow)
    device = phone()
    device.step = 0
    await people.enrolled(await people.person(), device)
    asked = people.signing.ask_sign_in(bound_to=VISIT)
    answer = device.get(asked.options)

    async def show() -> bool:
        try:
            await people.signing.sign_in(answer, ticket=asked.ticket, bound_to=VISIT, leaving=None, client="")
        except REFUSED:
            return False
        return True

    assert sum(await asyncio.gather(*(show() for _ in range(5)))) == 1


# -- what the authenticator and the browser say


BENT: dict[str, dict[str, Any]] = {
    "other origin": {"origin": "https://remit.example.evil"},
    "origin with a port": {"origin": f"{ISSUER}:443"},
    "subdomain": {"origin": "https://a.remit.example"},
    "plain http": {"origin": "http://remit.example"},
    "other rp": {"rp_id": "evil.example"},
    "not verified": {"flags": UP},
    "not there": {"flags": UV},
    "nothing": {"flags": 0},
    "framed": {"client": {"crossOrigin": True}},
    "framed by": {"client": {"topOrigin": "https://evil.example"}},
    "framed oddly": {"client": {"crossOrigin": "false"}},
    "a registration": {"client": {"type": "webauthn.create"}},
    "other challenge": {"client": {"challenge": b64u(bytes(32))}},
    "no challenge": {"client": {"challenge": ""}},
    "counter stood": {"step": 0},
    "counter fell": {"step": -1},
}


@pytest.mark.attack("CO-12")
@pytest.mark.spec("WebAuthn", "7.2")
@pytest.mark.parametrize("bend", BENT)
async def test_a_bent_answer_signs_nobody_in(uow: SqlUnitOfWork, bend: str) -> None:
    people, device = await enrolled(uow)
    await people.sign_in(device)
    with pytest.raises(PasskeyRefused) as refused:
        await people.sign_in(replace(device, **BENT[bend]))
    assert refused.value.hint == "this passkey was not accepted here"
    assert refused.value.debug


TWINS: dict[str, type[PasskeyDesk]] = {
    "other origin": lenient(expected_origin=["https://remit.example.evil", ISSUER]),
    "other rp": lenient(expected_rp_id="evil.example"),
    "not verified": lenient(require_user_verification=False),
    "framed": with_prover(Framed),
    "counter stood": with_prover(Uncounted),
}


@pytest.mark.twin("CO-12")
@pytest.mark.parametrize("bend", TWINS)
async def test_a_bent_answer_would_sign_somebody_in(uow: SqlUnitOfWork, bend: str) -> None:
    people, device = await enrolled(uow)
    await people.sign_in(device)
    planted = People(uow, kind=TWINS[bend])
    assert await planted.sign_in(replace(device, **BENT[bend]))


@pytest.mark.attack("CO-12")
async def test_a_bent_registration_registers_nothing(uow: SqlUnitOfWork) -> None:
    people = People(uow)
    ben = await people.person()
    for bend in BENT.values():
        device = replace(phone(), **{**bend, "step": 1})
        if set(bend) == {"step"}:
            continue
        device.client = {**device.client}
        if device.client.get("type"):
            device.client["type"] = "webauthn.get"
        with pytest.raises(PasskeyRefused):
            await people.enrolled(ben, device)
    assert await people.passkeys.of(ben.id) == []


@pytest.mark.attack("CO-12")
async def test_soft_webauthn_verifies_nobody_and_is_refused(uow: SqlUnitOfWork) -> None:
    """The library's device sets no UV flag: neither its registration nor its assertion counts."""
    people, soft = People(uow), SoftWebauthnDevice()
    ben = await people.person()
    _, secret = await people.enrolments.issue(ben.id, by=ADMIN, lifetime=timedelta(minutes=5))
    _, asked = await people.enrolments.ask(secret, visit=VISIT)
    answer = from_soft(soft.create(for_soft(asked.options), ISSUER))
    with pytest.raises(PasskeyRefused) as refused:
        await people.enrolments.enrol(secret, answer, ticket=asked.ticket, visit=VISIT, name="", client="")
    assert "User verification is required" in refused.value.debug
    # The same key, registered by a device that did verify: its unverified answer is still refused.
    device = phone()
    device.key = soft.private_key
    await people.enrolled(ben, device)
    soft.credential_id, soft.user_handle = device.credential, device.handle
    question = people.signing.ask_sign_in(bound_to=VISIT)
    answered = json.loads(from_soft(soft.get(for_soft(question.options), ISSUER)))
    answered["response"]["userHandle"] = device.handle
    with pytest.raises(PasskeyRefused) as unverified:
        await people.signing.sign_in(
            json.dumps(answered), ticket=question.ticket, bound_to=VISIT, leaving=None, client=""
        )
    assert "User verification is required" in unverified.value.debug


@pytest.mark.attack("CO-12")
async def test_a_copy_is_told_to_its_owner(uow: SqlUnitOfWork) -> None:
    people, device = await enrolled(uow)
    copy = replace(device)
    await people.sign_in(device)
    with pytest.raises(PasskeyRefused):
        await people.sign_in(copy)
    last = await uow.read(lambda tx: Outbox(tx.sql, tx.tenant).after(0)[-1].event)
    assert last.name == events.PASSKEY_REFUSED
    assert "counter" in dict(last.detail)["because"]
    # Without the key, nobody makes such a record: anybody could fill the log with it.
    forged = replace(copy, key=phone().key)
    with pytest.raises(PasskeyRefused):
        await people.sign_in(forged)
    assert await uow.read(lambda tx: Outbox(tx.sql, tx.tenant).after(0)[-1].event) == last


# -- whose it is


async def confirmed_by_another(people: People) -> Session:
    """Ben's session, confirmed with Eve's passkey."""
    bens, eves = phone(), phone()
    session, _ = await people.enrolled(await people.person("ben"), bens)
    await people.enrolled(await people.person("eve"), eves)
    asked = await people.signing.ask_confirm(session)
    answer = eves.get(asked.options)
    return (await people.signing.confirm(answer, ticket=asked.ticket, session=session))[0]


@pytest.mark.attack("CO-12")
async def test_another_persons_passkey_confirms_nothing(uow: SqlUnitOfWork) -> None:
    with pytest.raises(PasskeyRefused):
        await confirmed_by_another(People(uow))


@pytest.mark.twin("CO-12")
async def test_another_persons_passkey_would_confirm(uow: SqlUnitOfWork) -> None:
    assert (await confirmed_by_another(People(uow, kind=AnybodysPasskey))).ended_at is None


@pytest.mark.attack("CO-12")
async def test_a_credential_under_another_handle_is_refused(uow: SqlUnitOfWork) -> None:
    people, device = await enrolled(uow)
    for handle in (b64u(bytes(32)), "", None):
        asked = people.signing.ask_sign_in(bound_to=VISIT)
        with pytest.raises(PasskeyRefused):
            await people.signing.sign_in(
                device.get(asked.options, userHandle=handle),
                ticket=asked.ticket,
                bound_to=VISIT,
                leaving=None,
                client="",
            )


# -- which question it answers


async def crossed(people: People, device: Authenticator, act: Act, bound_to: str) -> Session:
    """An answer to a question that was asked for something else, or of somebody else's browser."""
    ceremony, ticket = people.desk.box.ask(act, bound_to=bound_to, at=people.clock.now())
    answer = device.get(people.desk.request(ceremony.challenge))
    return (await people.signing.sign_in(answer, ticket=ticket, bound_to=VISIT, leaving=None, client=""))[0]


OTHERS = [
    *((act, VISIT) for act in Act if act is not Act.SIGN_IN),
    (Act.SIGN_IN, "visit-2"),
    (Act.SIGN_IN, ""),
]


@pytest.mark.attack("CO-12", "OA-13")
@pytest.mark.parametrize(("act", "bound_to"), OTHERS)
async def test_an_answer_is_for_one_act_of_one_client(uow: SqlUnitOfWork, act: Act, bound_to: str) -> None:
    people, device = await enrolled(uow)
    with pytest.raises(CeremonyOver):
        await crossed(people, device, act, bound_to)


@pytest.mark.twin("OA-13")
async def test_an_attackers_answer_would_sign_his_victim_in(uow: SqlUnitOfWork) -> None:
    """Login CSRF: the answer is the attacker's own, the browser is the victim's."""
    people, device = await enrolled(uow)
    people.desk.box = AnyTicket(key=BOX.key, tenant=BOX.tenant, entropy=BOX.entropy)
    assert (await crossed(people, device, Act.SIGN_IN, "the attacker's visit")).ended_at is None


@pytest.mark.attack("CO-12")
async def test_a_ticket_of_nobody_or_of_another_key_is_none(uow: SqlUnitOfWork) -> None:
    people, device = await enrolled(uow)
    foreign = CeremonyBox(key=Secret(b"k" * 32), tenant=DEFAULT_TENANT, entropy=system_entropy)
    ceremony, forged = foreign.ask(Act.SIGN_IN, bound_to=VISIT, at=people.clock.now())
    _, ours = people.desk.box.ask(Act.SIGN_IN, bound_to=VISIT, at=people.clock.now())
    for ticket in (forged, "", ".", "a.b", "é.é", ours[:-2], ours.partition(".")[0], "x" * 9000, f"{ours}.x"):
        with pytest.raises(CeremonyOver):
            await people.signing.sign_in(
                device.get(people.desk.request(ceremony.challenge)),
                ticket=ticket,
                bound_to=VISIT,
                leaving=None,
                client="",
            )


@pytest.mark.attack("CO-12")
async def test_whatever_is_sent_is_refused_in_one_sentence(uow: SqlUnitOfWork) -> None:
    people, device = await enrolled(uow)
    told = set()
    asked = people.signing.ask_sign_in(bound_to=VISIT)
    good = json.loads(device.get(asked.options))
    bent = [
        "",
        "[]",
        "{}",
        "null",
        '{"id":1}',
        "\ud800",
        "{" * 2000,
        json.dumps({**good, "id": b64u(b"unknown")}),
        json.dumps({**good, "rawId": b64u(b"other")}),
        json.dumps({**good, "type": "password"}),
        json.dumps({**good, "response": []}),
        json.dumps({**good, "response": {**good["response"], "signature": b64u(b"0" * 70)}}),
        json.dumps({**good, "response": {**good["response"], "authenticatorData": ""}}),
        json.dumps({**good, "response": {**good["response"], "authenticatorData": b64u(b"\xff" * 37)}}),
        json.dumps({**good, "response": {**good["response"], "clientDataJSON": b64u(b"[]")}}),
        json.dumps({**good, "response": {**good["response"], "clientDataJSON": "%"}}),
    ]
    for answer in bent:
        with pytest.raises(PasskeyRefused) as refused:
            await people.signing.sign_in(answer, ticket=asked.ticket, bound_to=VISIT, leaving=None, client="")
        told.add((refused.value.code, refused.value.hint, refused.value.next_step))
    assert len(told) == 1
    # None of them used the question up, and the honest answer still counts.
    assert await people.signing.sign_in(
        json.dumps(good), ticket=asked.ticket, bound_to=VISIT, leaving=None, client=""
    )


# -- fixation


@pytest.mark.attack("CO-07")
async def test_what_was_known_before_a_sign_in_opens_nothing_after_it(uow: SqlUnitOfWork) -> None:
    people, device = await enrolled(uow)
    planted, known = await people.sign_in(device)
    session, secret = await people.sign_in(device, leaving=known)
    assert session.id != planted.id
    assert digest_of(secret) != digest_of(known)
    assert await people.sessions.current(known) is None
    assert await people.sessions.current(secret) == session


class Keeping(SignInService):
    """A desk that goes on with the cookie it finds."""

    async def sign_in(self, text: str, *, leaving: Secret | None, **how: Any) -> tuple[Session, Secret]:
        session, secret = await super().sign_in(text, leaving=None, **how)
        if leaving is None:
            return session, secret
        kept = replace(session, secret_digest=digest_of(leaving))
        await self._desk.uow.commit(lambda tx: tx.sessions.put(kept, was=session.secret_digest))
        return kept, leaving


@pytest.mark.twin("CO-07")
async def test_whoever_planted_a_kept_cookie_is_signed_in_too(uow: SqlUnitOfWork) -> None:
    people, device = await enrolled(uow)
    people.signing = Keeping(people.desk)
    planted = Secret(bytes(32))
    assert await people.sessions.current(planted) is None
    victims, _ = await people.sign_in(device, leaving=planted)
    seen = await people.sessions.current(planted)
    assert seen is not None
    assert (seen.id, seen.human) == (victims.id, victims.human)


# -- answers about an action


async def answered(
    people: People,
    *,
    shown: tuple[str, str] = ("digest-1", "approve"),
    sent: tuple[str, str] = ("digest-1", "approve"),
    page: str = "page-1",
    by: str = "lead",
    times: int = 1,
    kind: type[SignInService] = SignInService,
) -> ProvenAnswer:
    """A passkey signs what its page shows; something, perhaps something else, is sent."""
    devices = {"lead": phone(), "eve": phone()}
    persons = {name: await people.person(name) for name in devices}
    for name, device in devices.items():
        device.step = 0
        await people.enrolled(persons[name], device)
    signing, lead = kind(people.desk), persons["lead"].id
    asked = await signing.ask_answer(lead, about=shown[0], answers=("approve", "deny"), bound_to="page-1")
    assert asked is not None
    given = devices[by].get(asked.options[shown[1]])
    proven = [
        await signing.prove_answer(
            given, ticket=asked.ticket, human=lead, about=sent[0], answer=sent[1], bound_to=page
        )
        for _ in range(times)
    ]
    return proven[0]


async def test_a_persons_answer_is_proven_by_their_passkey(uow: SqlUnitOfWork) -> None:
    people = People(uow)
    proven = await answered(people)
    (passkey,) = await people.passkeys.of(proven.human)
    assert proven.passkey == passkey.id


async def test_who_has_no_passkey_is_asked_for_none(uow: SqlUnitOfWork) -> None:
    people = People(uow)
    ben = await people.person()
    assert await people.signing.ask_answer(ben.id, about="d", answers=("approve",), bound_to="p") is None


BENT_ANSWERS: dict[str, dict[str, Any]] = {
    "no turned into yes": {"shown": ("digest-1", "deny")},
    "other action": {"sent": ("digest-2", "approve")},
    "other page": {"page": "page-2"},
    "other person": {"by": "eve"},
    "twice": {"times": 2},
}


@pytest.mark.attack("CB-03", "CO-12")
@pytest.mark.req("N15")
@pytest.mark.parametrize("bend", BENT_ANSWERS)
async def test_an_answer_is_signed_for_one_action_by_one_person_once(uow: SqlUnitOfWork, bend: str) -> None:
    with pytest.raises(REFUSED):
        await answered(People(uow), **BENT_ANSWERS[bend])


class SignsNothingOfIt(SignInService):
    """CB-03: the challenge is the nonce alone, as in a sign-in."""

    def _challenge(self, ceremony: Ceremony, about: str, answer: str) -> bytes:
        return ceremony.challenge


@pytest.mark.twin("CB-03")
@pytest.mark.parametrize("bend", ["no turned into yes", "other action"])
async def test_a_bare_nonce_would_sign_another_action(uow: SqlUnitOfWork, bend: str) -> None:
    assert (await answered(People(uow), **BENT_ANSWERS[bend], kind=SignsNothingOfIt)).nonce
