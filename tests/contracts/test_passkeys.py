"""Passkeys over every engine: enrolment, sign-in, step-up, further keys, removal, recovery (WebAuthn L3)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.identity import events
from remit.identity.ceremonies import LIFE
from remit.identity.errors import (
    CeremonyOver,
    EnrolmentOver,
    EnrolmentTooLong,
    LastPasskey,
    NotFresh,
    PasskeyRefused,
    PasskeysNeedName,
    PasskeyTaken,
    TooManyPasskeys,
    UnknownPasskey,
    UnknownPrincipal,
)
from remit.identity.passkeys import PER_PERSON, PasskeyState, relying_party
from remit.identity.sessions import ACR_PASSKEY_UV, AMR_PASSKEY_UV
from remit.kernel.canonical import b64u_decode
from remit.kernel.ids import PasskeyId, PrincipalId
from remit.platform.storage.outbox import Outbox
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authenticator import BE, BS, UP, UV
from support.builders import World
from support.people import ADMIN, VISIT, People, phone

HALF = timedelta(minutes=30)


@pytest.mark.req("R17")
@pytest.mark.spec("WebAuthn", "7.1")
@pytest.mark.spec("WebAuthn", "7.2")
async def test_a_person_enrols_once_and_signs_in_ever_after(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    ben = await people.person()
    begun, opens = await people.enrolled(ben, device)
    assert (begun.human, begun.acr, begun.amr) == (ben.id, ACR_PASSKEY_UV, AMR_PASSKEY_UV)
    assert await people.sessions.current(opens) == begun
    people.clock.advance(60)
    session, secret = await people.sign_in(device)
    assert await people.sessions.current(secret) == session
    assert session.authenticated_at == people.clock.now()
    (passkey,) = await people.passkeys.of(ben.id)
    assert session.means == passkey.id
    assert (passkey.name, passkey.algorithm, passkey.sign_count) == ("phone", -7, device.count)
    assert (passkey.transports, passkey.used_at) == (("hybrid", "internal"), people.clock.now())
    assert len(b64u_decode(passkey.user_handle)) == 32


@pytest.mark.spec("WebAuthn", "5.4")
@pytest.mark.spec("WebAuthn", "5.5")
async def test_the_questions_demand_a_verified_person_and_a_resident_key(uow: SqlUnitOfWork) -> None:
    people = People(uow)
    ben = await people.person()
    _, secret = await people.enrolments.issue(ben.id, by=ADMIN, lifetime=HALF)
    person, asked = await people.enrolments.ask(secret, visit=VISIT)
    options: dict[str, Any] = asked.options
    assert person.id == ben.id
    assert options["rp"] == {"id": "remit.example", "name": "Remit"}
    assert [each["alg"] for each in options["pubKeyCredParams"]] == [-8, -7, -257]
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    request = people.signing.ask_sign_in(bound_to=VISIT).options
    assert (request["rpId"], request["userVerification"]) == ("remit.example", "required")
    assert request["allowCredentials"] == []
    assert len(b64u_decode(str(request["challenge"]))) == 32
    assert request["timeout"] == 120_000
    assert people.signing.ask_sign_in(bound_to=VISIT).options["challenge"] != request["challenge"]


async def test_a_second_passkey_is_added_and_either_signs_in(uow: SqlUnitOfWork) -> None:
    people, first, second = People(uow), phone(), phone()
    ben = await people.person()
    session, _ = await people.enrolled(ben, first)
    asked = await people.passkeys.ask_registration(session)
    options: dict[str, Any] = asked.options
    present = [each.credential for each in await people.passkeys.of(ben.id)]
    assert [each["id"] for each in options["excludeCredentials"]] == present
    added = await people.passkeys.register(
        second.create(asked.options), ticket=asked.ticket, session=session, name="  key\u202e \n"
    )
    assert (added.name, first.handle) == ("key", second.handle)
    for device in (first, second):
        assert (await people.sign_in(device))[0].human == ben.id


async def test_adding_and_removing_need_a_fresh_proof(uow: SqlUnitOfWork) -> None:
    people, device, other = People(uow), phone(), phone()
    ben = await people.person()
    session, _ = await people.enrolled(ben, device)
    asked = await people.passkeys.ask_registration(session)
    people.clock.advance(timedelta(minutes=5, seconds=1))
    with pytest.raises(NotFresh):
        await people.passkeys.ask_registration(session)
    with pytest.raises(NotFresh):
        await people.passkeys.register(
            other.create(asked.options), ticket=asked.ticket, session=session, name=""
        )
    with pytest.raises(NotFresh):
        await people.passkeys.remove((await people.passkeys.of(ben.id))[0].id, session=session)
    question = await people.signing.ask_confirm(session)
    fresh, _ = await people.signing.confirm(
        device.get(question.options), ticket=question.ticket, session=session
    )
    asked = await people.passkeys.ask_registration(fresh)
    await people.passkeys.register(other.create(asked.options), ticket=asked.ticket, session=fresh, name="")
    # A session by other means than a verified passkey is never fresh enough, however young.
    weak = replace(fresh, acr="urn:remit:acr:passkey")
    with pytest.raises(NotFresh):
        await people.passkeys.ask_registration(weak)


async def test_a_confirmation_moves_the_moment_and_changes_the_secret(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    session, old = await people.enrolled(await people.person(), device)
    people.clock.advance(600)
    asked = await people.signing.ask_confirm(session)
    moved, new = await people.signing.confirm(device.get(asked.options), ticket=asked.ticket, session=session)
    assert (moved.id, moved.expires_at) == (session.id, session.expires_at)
    assert moved.authenticated_at == people.clock.now()
    assert await people.sessions.current(old) is None
    assert await people.sessions.current(new) == moved


async def test_an_ended_session_is_not_confirmed(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    ben = await people.person()
    session, _ = await people.enrolled(ben, device)
    asked = await people.signing.ask_confirm(session)
    await people.sessions.end(session.id, of=ben.id, by=ben.id, because="signed out")
    with pytest.raises(NotFresh):
        await people.signing.confirm(device.get(asked.options), ticket=asked.ticket, session=session)
    registering = await people.passkeys.ask_registration(session)
    with pytest.raises(NotFresh):
        await people.passkeys.register(
            phone().create(registering.options), ticket=registering.ticket, session=session, name=""
        )


async def test_removal_ends_what_it_opened_and_leaves_the_last(uow: SqlUnitOfWork) -> None:
    people, first, second = People(uow), phone(), phone()
    ben = await people.person()
    session, opens = await people.enrolled(ben, first)
    (only,) = await people.passkeys.of(ben.id)
    with pytest.raises(LastPasskey):
        await people.passkeys.remove(only.id, session=session)
    asked = await people.passkeys.ask_registration(session)
    await people.passkeys.register(
        second.create(asked.options), ticket=asked.ticket, session=session, name="2"
    )
    _, by_second = await people.sign_in(second)
    before = await uow.read(lambda tx: tx.epoch())
    removed = await people.passkeys.remove(only.id, session=session)
    assert removed.state is PasskeyState.REVOKED
    assert await uow.read(lambda tx: tx.epoch()) > before
    assert await people.sessions.current(opens) is None
    assert await people.sessions.current(by_second) is not None
    with pytest.raises(PasskeyRefused):
        await people.sign_in(first)
    with pytest.raises(UnknownPasskey):
        await people.passkeys.revoke(only.id, of=PrincipalId("usr_x"), by=ADMIN, because="not theirs")
    with pytest.raises(UnknownPasskey):
        await people.passkeys.revoke(PasskeyId("psk_x"), of=ben.id, by=ADMIN, because="none")
    again = await people.passkeys.revoke(only.id, of=ben.id, by=ADMIN, because="again")
    assert again.state is PasskeyState.REVOKED


@pytest.mark.attack("CO-20")
async def test_a_link_works_once_in_time_and_only_the_newest(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    ben = await people.person()
    made, old = await people.enrolments.issue(ben.id, by=ADMIN, lifetime=HALF)
    _, new = await people.enrolments.issue(ben.id, by=ADMIN, lifetime=HALF)
    with pytest.raises(EnrolmentOver):
        await people.enrolments.ask(old, visit=VISIT)
    _, asked = await people.enrolments.ask(new, visit=VISIT)
    _, again = await people.enrolments.ask(new, visit=VISIT)
    more: dict[str, Any] = {"visit": VISIT, "name": "", "client": ""}
    await people.enrolments.enrol(new, device.create(asked.options), ticket=asked.ticket, **more)
    with pytest.raises(EnrolmentOver):
        await people.enrolments.enrol(new, phone().create(again.options), ticket=again.ticket, **more)
    assert len(await people.passkeys.of(ben.id)) == 1
    _, late = await people.enrolments.issue(ben.id, by=ADMIN, lifetime=HALF)
    people.clock.advance(HALF)
    with pytest.raises(EnrolmentOver):
        await people.enrolments.ask(late, visit=VISIT)
    assert made.secret_digest not in repr(await people.passkeys.of(ben.id))


async def test_a_link_is_for_a_living_person_and_a_bounded_time(uow: SqlUnitOfWork) -> None:
    people, world = People(uow), World(uow)
    ben = await people.person()
    for lifetime in (timedelta(0), timedelta(hours=24, seconds=1)):
        with pytest.raises(EnrolmentTooLong):
            await people.enrolments.issue(ben.id, by=ADMIN, lifetime=lifetime)
    await people.enrolments.issue(ben.id, by=ADMIN, lifetime=timedelta(hours=24))
    with pytest.raises(UnknownPrincipal):
        await people.enrolments.issue(PrincipalId("usr_none"), by=ADMIN, lifetime=HALF)
    _, secret = await people.enrolments.issue(ben.id, by=ADMIN, lifetime=HALF)
    _, asked = await people.enrolments.ask(secret, visit=VISIT)
    await world.identity.suspend(ben.id, by=ADMIN, because="left", at=people.clock.now())
    with pytest.raises(EnrolmentOver):
        await people.enrolments.enrol(
            secret, phone().create(asked.options), ticket=asked.ticket, visit=VISIT, name="", client=""
        )
    with pytest.raises(UnknownPrincipal):
        await people.enrolments.issue(ben.id, by=ADMIN, lifetime=HALF)
    assert await people.enrolments.withdraw(ben.id, by=ADMIN) == 1
    assert await people.enrolments.withdraw(PrincipalId("usr_none"), by=ADMIN) == 0


async def test_recovery_is_a_link_and_the_old_passkey_goes(uow: SqlUnitOfWork) -> None:
    people, lost, found = People(uow), phone(), phone()
    ben = await people.person()
    await people.enrolled(ben, lost)
    (old,) = await people.passkeys.of(ben.id)
    await people.passkeys.revoke(old.id, of=ben.id, by=ADMIN, because="lost")
    await people.enrolled(ben, found)
    assert (await people.sign_in(found))[0].human == ben.id
    assert found.handle == lost.handle
    with pytest.raises(PasskeyRefused):
        await people.sign_in(lost)


async def test_retirement_takes_the_passkeys_and_suspension_only_the_door(uow: SqlUnitOfWork) -> None:
    people, world, device = People(uow), World(uow), phone()
    ben = await people.person()
    await people.enrolled(ben, device)
    at = people.clock.now()
    await world.identity.suspend(ben.id, by=ADMIN, because="away", at=at)
    with pytest.raises(PasskeyRefused):
        await people.sign_in(device)
    await world.identity.resume(ben.id, by=ADMIN, at=at)
    await people.sign_in(device)
    await world.identity.retire(ben.id, by=ADMIN, because="left", at=at)
    assert [each.state for each in await people.passkeys.of(ben.id)] == [PasskeyState.REVOKED]


async def test_questions_run_out_at_their_limit(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    await people.enrolled(await people.person(), device)
    for late, taken in ((LIFE, True), (LIFE + timedelta(seconds=1), False)):
        asked = people.signing.ask_sign_in(bound_to=VISIT)
        people.clock.advance(late)
        answer = device.get(asked.options)
        more: dict[str, Any] = {"ticket": asked.ticket, "bound_to": VISIT, "leaving": None, "client": ""}
        if taken:
            await people.signing.sign_in(answer, **more)
        else:
            with pytest.raises(CeremonyOver):
                await people.signing.sign_in(answer, **more)


async def test_spent_challenges_are_forgotten_when_nobody_could_show_them(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    await people.enrolled(await people.person(), device)
    assert await uow.commit(lambda tx: tx.challenges.forget(people.clock.now(), 10)) == 0
    later = people.clock.now() + LIFE * 2
    assert await uow.commit(lambda tx: tx.challenges.forget(later, 10)) == 1


async def test_a_credential_is_one_persons_for_ever(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    await people.enrolled(await people.person(), device)
    ann = await people.person("ann")
    _, secret = await people.enrolments.issue(ann.id, by=ADMIN, lifetime=HALF)
    _, asked = await people.enrolments.ask(secret, visit=VISIT)

    with pytest.raises(PasskeyTaken):
        await people.enrolments.enrol(
            secret,
            phone().create(asked.options, credential=device.credential),
            ticket=asked.ticket,
            visit=VISIT,
            name="",
            client="",
        )
    # The link is not used up by what failed.
    await people.enrolments.ask(secret, visit=VISIT)


async def test_a_person_has_a_bounded_number_of_passkeys(uow: SqlUnitOfWork) -> None:
    people = People(uow)
    ben = await people.person()
    session, _ = await people.enrolled(ben, phone())
    for _ in range(PER_PERSON - 1):
        asked = await people.passkeys.ask_registration(session)
        await people.passkeys.register(
            phone().create(asked.options), ticket=asked.ticket, session=session, name=""
        )
    with pytest.raises(TooManyPasskeys):
        await people.passkeys.ask_registration(session)


@pytest.mark.parametrize("flags", [UP | UV, UP | UV | BE, UP | UV | BE | BS])
async def test_backup_flags_are_kept_and_eligibility_never_changes(uow: SqlUnitOfWork, flags: int) -> None:
    people, device = People(uow), phone()
    device.flags = flags
    ben = await people.person()
    await people.enrolled(ben, device)
    (passkey,) = await people.passkeys.of(ben.id)
    assert (passkey.backup_eligible, passkey.backed_up) == (bool(flags & BE), bool(flags & BS))
    if flags & BE:
        device.flags = flags ^ BS
        await people.sign_in(device)
        assert (await people.passkeys.of(ben.id))[0].backed_up is not passkey.backed_up
    device.flags = (UP | UV) if flags & BE else (UP | UV | BE)
    with pytest.raises(PasskeyRefused):
        await people.sign_in(device)


@pytest.mark.spec("WebAuthn", "6.1.1")
async def test_an_authenticator_that_never_counts_is_normal(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    device.step = 0
    await people.enrolled(await people.person(), device)
    for _ in range(3):
        await people.sign_in(device)


@pytest.mark.spec("WebAuthn", "5.1.3")
def test_the_relying_party_is_a_name() -> None:
    assert relying_party("https://remit.example").id == "remit.example"
    for issuer in ("http://127.0.0.1:7480", "http://[::1]:7480", "http://localhost:7480"):
        found = relying_party(issuer)
        assert (found.id, found.origin) == ("localhost", "http://localhost:7480")
    with pytest.raises(PasskeysNeedName) as refused:
        relying_party("https://10.1.2.3")
    assert "remit.example.com" in refused.value.next_step


async def test_nobody_is_sent_to_enrol_where_no_passkey_can_be_made(uow: SqlUnitOfWork) -> None:
    people = People(uow, issuer="https://10.1.2.3")
    ben = await people.person()
    with pytest.raises(PasskeysNeedName):
        await people.enrolments.issue(ben.id, by=ADMIN, lifetime=HALF)
    assert people.desk.origins == {"https://10.1.2.3"}


async def test_everything_is_on_record(uow: SqlUnitOfWork) -> None:
    people, device = People(uow), phone()
    ben = await people.person()
    session, _ = await people.enrolled(ben, device)
    asked = await people.signing.ask_confirm(session)
    await people.signing.confirm(device.get(asked.options), ticket=asked.ticket, session=session)
    (passkey,) = await people.passkeys.of(ben.id)
    await people.passkeys.revoke(passkey.id, of=ben.id, by=ADMIN, because="lost")
    told = await uow.read(lambda tx: [each.event.name for each in Outbox(tx.sql, tx.tenant).after(0)])
    assert told[-7:] == [
        events.ENROLMENT_ISSUED,
        events.ENROLMENT_USED,
        events.PASSKEY_REGISTERED,
        events.SESSION_BEGUN,
        events.SESSION_CONFIRMED,
        events.PASSKEY_REVOKED,
        events.SESSION_ENDED,
    ]
