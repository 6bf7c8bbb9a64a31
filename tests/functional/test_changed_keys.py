"""Changing our own keys before their time: what they signed lives on, or ends at once."""

import base64
import json
from typing import Any

import pytest

from remit.app.keys import KEYS_LOOKED_AT, KeyHolder
from remit.kernel.canonical import b64u_decode
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.keys import KeyClass, KeyState
from remit.ledger.export import split_logs, unpack_archive
from remit.ledger.verify import verify_files
from support.clients import Refused
from support.house import BOOKING, House
from support.stores import TEST_KEK

REPLACED, COMPROMISED = "platform.key.rotated", "platform.key.compromised"


async def change(house: House, purpose: str, *, who: str = "admin", **body: Any) -> Any:
    reply = await house.api(house[who], "POST", f"/keys/{purpose}/rotate", body)
    return reply.json() if reply.status_code == 200 else (reply.status_code, reply.json()["code"])


def kid_of(token: str) -> str:
    return str(json.loads(b64u_decode(token.partition(".")[0]))["kid"])


async def accepted(house: House, token: str) -> tuple[int, bool, bool]:
    """What the API, the gateway and introspection make of a token of calendar-bot."""
    bot = house["calendar-bot"]
    called = await house.call(bot, token, "rooms_book", BOOKING)
    found = await house.introspect(bot, token)
    return called.status, called.ran, bool(found.get("active"))


@pytest.mark.attack("KM-02")
async def test_a_key_that_was_changed_in_time_is_believed_to_its_end(house: House) -> None:
    bot = house["calendar-bot"]
    token = await house.exchange(bot, (await house.task("calendar-bot")).envelope)
    changed = await change(house, "access_token")
    assert sorted(each["state"] for each in changed) == [KeyState.ACTIVE, KeyState.VERIFY_ONLY]
    assert (await accepted(house, token))[1:] == (True, True)
    again = await house.own_token(bot)
    assert kid_of(again) != kid_of(token)
    (record,) = await house.records(REPLACED)
    assert (record.actor, record.subject) == (house["admin"].id, kid_of(again))
    assert ("class", "access_token") in record.detail


@pytest.mark.attack("KM-02")
async def test_what_a_compromised_key_signed_is_dead_at_once_everywhere(house: House) -> None:
    bot, epoch = house["calendar-bot"], await house.work.read(lambda tx: tx.epoch())
    started = await house.task("calendar-bot")
    token = await house.exchange(bot, started.envelope)
    assert (await accepted(house, token))[1:] == (True, True)  # it is in every cache now
    hits = len(house.hits)
    changed = await change(house, "access_token", compromised=True)
    assert {each["state"] for each in changed} == {KeyState.ACTIVE, KeyState.COMPROMISED}
    assert await accepted(house, token) == (401, False, False)
    assert len(house.hits) == hits
    jwks = (await house.http.get(f"{house.issuer}/jwks")).json()
    assert kid_of(token) not in {each["kid"] for each in jwks["keys"]}
    assert await house.work.read(lambda tx: tx.epoch()) == epoch + 1
    fresh = await house.exchange(bot, started.envelope)  # the envelope has a key of its own class
    later = {**BOOKING, "start": "2026-05-15T18:00Z", "end": "2026-05-15T19:00Z"}
    assert (await house.call(bot, fresh, "rooms_book", later)).ran
    (record,) = await house.records(COMPROMISED)
    assert record.actor == house["admin"].id


@pytest.mark.attack("KM-02")
async def test_envelopes_of_a_compromised_key_buy_nothing(house: House) -> None:
    started = await house.task("calendar-bot")
    await change(house, "envelope", compromised=True)
    with pytest.raises(Refused):
        await house.exchange(house["calendar-bot"], started.envelope)
    again = await house.task("calendar-bot")
    assert await house.exchange(house["calendar-bot"], again.envelope)


@pytest.mark.attack("KM-02", "AU-05")
async def test_heads_of_a_compromised_log_key_are_neither_shown_nor_needed(house: House) -> None:
    before = await checkpoint(house)
    await change(house, "ledger", compromised=True)
    after = await checkpoint(house)
    assert after["size"] > before["size"]
    assert not set(before["keys"]) & set(after["keys"])
    files = await export(house)
    assert set(split_logs(files)) == {""}
    report = verify_files(files, trusted=house.services.log.known_keys())
    assert report.sound, report.findings
    assert before["note"].encode() not in files["checkpoint"]
    earlier = [base64.b64decode(line) for line in files["checkpoints.jsonl"].splitlines()]
    assert before["note"].encode() not in earlier
    forged = {**files, "checkpoint": before["note"].encode()}
    assert "checkpoint_rejected" in {
        each.code for each in verify_files(forged, trusted=house.services.log.known_keys()).findings
    }


async def checkpoint(house: House) -> Any:
    return (await house.api(house["admin"], "POST", "/ledger/checkpoint")).json()


async def export(house: House) -> dict[str, bytes]:
    return unpack_archive((await house.api(house["admin"], "POST", "/ledger/export")).content)


async def test_only_an_administrator_changes_keys_and_only_ours(house: House) -> None:
    for name in ("user", "lead", "calendar-bot"):
        assert (await change(house, "access_token", who=name, compromised=True))[0] == 403
    for purpose in (KeyClass.HOP, KeyClass.CLIENT, KeyClass.PERSON, KeyClass.DPOP):
        assert await change(house, purpose) == (400, "key_class_not_ours")
    assert await change(house, "nothing") == (400, "key_class_unknown")
    assert await change(house, "ledger", compromised="yes") == (400, "invalid_body")
    assert not await house.records(COMPROMISED)


async def test_a_change_uses_the_key_that_is_published_already_and_may_be_made_again(house: House) -> None:
    kids = {(await change(house, "capability"))[0]["kid"] for _ in range(3)}
    states = [each.state for each in house.services.ground.keys.records() if each.key_class == "capability"]
    assert sorted(states) == [KeyState.ACTIVE, *[KeyState.VERIFY_ONLY] * 3]
    assert kids
    bot = house["calendar-bot"]
    token = await house.exchange(bot, (await house.task("calendar-bot")).envelope)
    assert (await house.call(bot, token, "rooms_book", BOOKING)).ran  # the business verifies capabilities


async def another_node(house: House) -> KeyHolder:
    """The keys as another process on the same store has loaded them."""
    ground = house.services.ground
    other = KeyHolder(work=ground.work, kek=TEST_KEK, issuer=house.issuer, entropy=ground.entropy)
    await other.keep_up(ground.snapshots.current().epoch, second=0)
    return other


async def compromised(house: House) -> str:
    """A class of keys is compromised on this node; its key."""
    ground = house.services.ground
    kid = ground.keys.signer(KeyClass.ACCESS_TOKEN).kid
    await ground.keys.force(
        KeyClass.ACCESS_TOKEN, compromised=True, by=PrincipalId(house["admin"].id), at=house.now()
    )
    await ground.snapshots.catch_up()
    return str(kid)


@pytest.mark.attack("KM-02")
async def test_a_compromise_reaches_other_nodes_with_the_epoch(house: House) -> None:
    other = await another_node(house)
    kid = await compromised(house)
    assert await other.keep_up(house.services.ground.snapshots.current().epoch, second=0.5)
    record = other.find(kid, KeyClass.ACCESS_TOKEN)
    assert record is not None
    assert not record.verifies(house.now())
    assert other.signer(KeyClass.ACCESS_TOKEN).kid != kid


@pytest.mark.twin("KM-02")
async def test_a_node_that_only_looks_now_and_then_goes_on_believing_it(house: House) -> None:
    other = await another_node(house)
    epoch = house.services.ground.snapshots.current().epoch
    kid = await compromised(house)
    assert not await other.keep_up(epoch, second=KEYS_LOOKED_AT - 1)
    record = other.find(kid, KeyClass.ACCESS_TOKEN)
    assert record is not None
    assert record.verifies(house.now())
    # It does look now and then, for keys that others have published ahead of their use.
    assert await other.keep_up(epoch, second=KEYS_LOOKED_AT)
