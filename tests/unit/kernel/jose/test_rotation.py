"""Rotation as a function of what is stored."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from remit.kernel.errors import Invalid
from remit.kernel.ids import KeyId
from remit.kernel.jose.errors import NoSigningKey
from remit.kernel.jose.keyring import Keyring
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState
from remit.kernel.jose.rotation import Publish, RotationRule, apply, compromise, next_step
from support.clock import NOON
from support.jose import ISSUER, TENANT, private_key

RULE = RotationRule(
    use_for=timedelta(days=30), publish_ahead=timedelta(hours=1), longest_life=timedelta(minutes=5)
)


class Store:
    """Records in memory; a job that may be stopped after any step."""

    def __init__(self) -> None:
        self.records: dict[KeyId, KeyRecord] = {}
        self.made = 0

    def make(self, not_before: datetime) -> KeyRecord:
        self.made += 1
        return KeyRecord(
            tenant=TENANT,
            issuer=ISSUER,
            kid=KeyId(f"key_{self.made}"),
            key_class=KeyClass.ACCESS_TOKEN,
            public=private_key(self.made).public,
            state=KeyState.PENDING,
            not_before=not_before,
        )

    def step(self, at: datetime) -> bool:
        due = next_step(self.records.values(), at=at, rule=RULE)
        if due is None:
            return False
        changed = apply(self.records.values(), due, make=self.make)
        self.records |= {record.kid: record for record in changed}
        return True

    def run(self, at: datetime) -> None:
        while self.step(at):
            pass

    def states(self) -> dict[str, str]:
        return {kid: record.state.value for kid, record in self.records.items()}


def test_a_first_key_is_published_and_used_at_once() -> None:
    store = Store()
    store.run(NOON)
    assert store.states() == {"key_1": "active"}


@pytest.mark.promise("P15")
@pytest.mark.attack("KM-11")
def test_rotation_stopped_after_any_step_goes_on_where_it_was() -> None:
    """A crash is a step that is not followed by the next one: the same records give the same next step."""
    through, stopping = Store(), Store()
    for minutes in range(0, 60 * 24 * 70, 30):
        at = NOON + timedelta(minutes=minutes)
        through.run(at)
        stopping.step(at)
    assert stopping.states() == through.states()
    assert through.states() == {"key_1": "retired", "key_2": "retired", "key_3": "active"}


def test_a_key_is_published_ahead_and_believed_afterwards() -> None:
    store = Store()
    store.run(NOON)
    due = NOON + RULE.use_for
    store.run(due - RULE.publish_ahead - timedelta(seconds=1))
    assert store.states() == {"key_1": "active"}
    store.run(due - RULE.publish_ahead)
    assert store.states() == {"key_1": "active", "key_2": "pending"}
    store.run(due - timedelta(seconds=1))
    assert store.states() == {"key_1": "active", "key_2": "pending"}
    store.run(due)
    assert store.states() == {"key_1": "verify_only", "key_2": "active"}
    last_token_dies = due + RULE.longest_life
    assert store.records[KeyId("key_1")].verifies(last_token_dies)
    store.run(last_token_dies + RULE.margin)
    assert store.states() == {"key_1": "retired", "key_2": "active"}


def test_a_late_job_still_publishes_ahead() -> None:
    store = Store()
    store.run(NOON)
    late = NOON + timedelta(days=45)
    store.run(late)
    assert store.states() == {"key_1": "active", "key_2": "pending"}
    assert store.records[KeyId("key_2")].not_before == late + RULE.publish_ahead


def at_every_moment(check: Callable[[Store, datetime], None]) -> None:
    store = Store()
    for hours in range(24 * 65):
        at = NOON + timedelta(hours=hours)
        while True:
            more = store.step(at)
            if store.records:
                check(store, at)
            if not more:
                break


def test_at_every_moment_at_most_one_key_is_active_and_after_the_first_there_always_is_one() -> None:
    def one_active(store: Store, at: datetime) -> None:
        active = [kid for kid, state in store.states().items() if state == "active"]
        assert len(active) == 1 or store.states() == {"key_1": "pending"}

    at_every_moment(one_active)


def test_whatever_signs_was_published_for_as_long_as_key_sets_are_cached() -> None:
    published: dict[str, datetime] = {}

    def seen(store: Store, at: datetime) -> None:
        for kid, state in store.states().items():
            published.setdefault(kid, at)
            if state == "active" and kid != "key_1":
                assert at - published[kid] >= RULE.publish_ahead

    at_every_moment(seen)


@pytest.mark.attack("KM-02")
def test_a_compromised_key_is_replaced_at_once() -> None:
    store = Store()
    store.run(NOON)
    dead = compromise(store.records[KeyId("key_1")], at=NOON)
    store.records[dead.kid] = dead
    assert not dead.verifies(NOON)
    assert not dead.verifies(NOON - timedelta(days=1))
    store.run(NOON)
    assert store.states() == {"key_1": "compromised", "key_2": "active"}


def test_two_active_keys_of_a_class_are_an_error_not_a_choice() -> None:
    store = Store()
    twice = [replace(store.make(NOON), state=KeyState.ACTIVE) for _ in range(2)]
    with pytest.raises(Invalid):
        next_step(twice, at=NOON, rule=RULE)
    with pytest.raises(Invalid):
        Keyring.of(twice, {one.kid: private_key(n) for n, one in enumerate(twice, start=1)})


def test_a_rule_that_leaves_no_time_is_refused() -> None:
    with pytest.raises(Invalid):
        RotationRule(use_for=timedelta(hours=1), publish_ahead=timedelta(hours=1))


def test_a_ring_signs_with_the_active_key_and_shows_what_is_or_will_be_in_use() -> None:
    store = Store()
    records = [
        replace(store.make(NOON), state=state)
        for state in (
            KeyState.RETIRED,
            KeyState.COMPROMISED,
            KeyState.VERIFY_ONLY,
            KeyState.ACTIVE,
            KeyState.PENDING,
        )
    ]
    privates = {record.kid: private_key(n) for n, record in enumerate(records, start=1)}
    ring = Keyring.of(records, privates)
    assert ring.signer(KeyClass.ACCESS_TOKEN).kid == "key_4"
    keys = ring.jwks(at=NOON)["keys"]
    assert isinstance(keys, list)
    assert [key["kid"] for key in keys if isinstance(key, dict)] == ["key_3", "key_4", "key_5"]
    assert ring.find("key_1", KeyClass.ACCESS_TOKEN) == records[0]
    assert ring.find("key_1", KeyClass.ENVELOPE) is None
    with pytest.raises(NoSigningKey):
        ring.signer(KeyClass.ENVELOPE)


def test_a_ring_refuses_halves_that_do_not_fit_and_kids_that_come_twice() -> None:
    record = replace(Store().make(NOON), state=KeyState.ACTIVE)
    with pytest.raises(Invalid):
        Keyring.of([record], {record.kid: private_key("another")})
    with pytest.raises(Invalid):
        Keyring.of([record, replace(record, key_class=KeyClass.ENVELOPE)], {})


def test_keys_that_nobody_else_verifies_are_not_published() -> None:
    record = replace(Store().make(NOON), state=KeyState.ACTIVE, key_class=KeyClass.APPROVAL_LINK)
    assert Keyring.of([record], {}).jwks(at=NOON) == {"keys": []}


def test_publish_names_the_moment_of_first_use() -> None:
    assert next_step([], at=NOON, rule=RULE) == Publish(not_before=NOON)
