"""Rotation of signing keys, as a function of what is stored: a crash between two steps changes nothing.

pending (published, not used) → active → verify_only → retired; compromised from anywhere.
Each step is one change of records, meant for one transaction; whoever runs the job asks `next_step` again
until it gives None.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from remit.kernel.errors import Invalid
from remit.kernel.ids import KeyId
from remit.kernel.jose.keys import KeyRecord, KeyState


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationRule:
    """How long the keys of one class are published, used and believed."""

    use_for: timedelta = timedelta(days=30)
    """How long an active key signs."""
    publish_ahead: timedelta = timedelta(hours=1)
    """How long a key is published before its first use: at least as long as a JWKS may be cached."""
    longest_life: timedelta = timedelta(hours=1)
    """The longest life of anything that the class signs; so long is a key still believed afterwards."""
    margin: timedelta = timedelta(minutes=2)
    """Added to `longest_life`: leeway of peers, and nodes that swap a moment later."""

    def __post_init__(self) -> None:
        if self.publish_ahead < timedelta(0) or self.use_for <= self.publish_ahead:
            raise Invalid("`use_for` must be longer than `publish_ahead`, and neither below zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Make a key and publish it; it may sign from `not_before` on."""

    not_before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Activate:
    """Let a pending key sign; the one before it only verifies until `believed_until`."""

    kid: KeyId
    retires: KeyId | None
    believed_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """Believe a key no longer: nothing that it signed can be alive."""

    kid: KeyId


Step: TypeAlias = Publish | Activate | Retire


def next_step(records: Iterable[KeyRecord], *, at: datetime, rule: RotationRule) -> Step | None:
    """Say what is due for the keys of one tenant and class, or None.

    INVARIANT: at most one key is active and one pending; the new key becomes active in the same change in
    which the old one stops, so there is never none. A first key, or one after a compromise, is used at
    once: there is no older one to bridge the time with.
    """
    keys = list(records)
    active = _one(keys, KeyState.ACTIVE)
    pending = _one(keys, KeyState.PENDING)
    if active is None:
        return Publish(not_before=at) if pending is None else _activation(pending, None, at, rule)
    due = active.not_before + rule.use_for
    if pending is None and at >= due - rule.publish_ahead:
        return Publish(not_before=max(due, at + rule.publish_ahead))
    if pending is not None and at >= max(due, pending.not_before):
        return _activation(pending, active, at, rule)
    for record in keys:
        if record.state is KeyState.VERIFY_ONLY and record.not_after is not None and at >= record.not_after:
            return Retire(kid=record.kid)
    return None


def apply(
    records: Iterable[KeyRecord], step: Step, *, make: Callable[[datetime], KeyRecord]
) -> tuple[KeyRecord, ...]:
    """Give the records that the step changes or adds; `make` gets the new key's first use."""
    match step:
        case Publish(not_before=not_before):
            return (replace(make(not_before), state=KeyState.PENDING, not_before=not_before),)
        case Activate(kid=kid, retires=retires, believed_until=until):
            return tuple(
                replace(record, state=KeyState.ACTIVE)
                if record.kid == kid
                else replace(record, state=KeyState.VERIFY_ONLY, not_after=until)
                for record in records
                if record.kid in {kid, retires}
            )
        case Retire(kid=kid):
            return tuple(replace(record, state=KeyState.RETIRED) for record in records if record.kid == kid)


def force(
    records: Iterable[KeyRecord],
    *,
    make: Callable[[datetime], KeyRecord],
    at: datetime,
    rule: RotationRule,
) -> tuple[tuple[KeyRecord, ...], tuple[KeyRecord, ...]]:
    """Change keys now: what is to be added, and what it becomes together with the others that change.

    A key that is published already is taken before a new one. One that is not was never in a cache of the
    JWKS: peers look again for a `kid` that they do not know (RFC 7517 §4.5).
    """
    keys = list(records)
    pending, active = _one(keys, KeyState.PENDING), _one(keys, KeyState.ACTIVE)
    fresh = () if pending is not None else apply(keys, Publish(not_before=at), make=make)
    chosen = pending or fresh[0]
    ready = [replace(chosen, not_before=min(chosen.not_before, at)), *(key for key in keys if key is active)]
    return fresh, apply(ready, _activation(chosen, active, at, rule), make=make)


def compromise(record: KeyRecord, *, at: datetime) -> KeyRecord:
    """Stop believing a key at once: whatever it signed, ever, is dead (KM-02)."""
    return replace(record, state=KeyState.COMPROMISED, not_after=min(at, record.not_after or at))


def _activation(pending: KeyRecord, active: KeyRecord | None, at: datetime, rule: RotationRule) -> Activate:
    return Activate(
        kid=pending.kid,
        retires=active.kid if active else None,
        believed_until=at + rule.longest_life + rule.margin,
    )


def _one(records: list[KeyRecord], state: KeyState) -> KeyRecord | None:
    found = [record for record in records if record.state is state]
    if len(found) > 1:
        raise Invalid(f"{len(found)} keys of one class are `{state}`, there may be one")
    return found[0] if found else None
