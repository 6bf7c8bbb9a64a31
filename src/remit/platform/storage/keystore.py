"""The server's own keys at rest: records in the clear, private halves sealed under the KEK."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, insert, select, update

from remit.kernel.ids import Entropy, KeyId, TenantId, mint_id
from remit.kernel.jose import rotation
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.jose.keyring import OPENING, Keyring
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState, PrivateKey
from remit.kernel.jose.rotation import Publish, RotationRule
from remit.kernel.sealing import Kek, rewrap, seal, unseal
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Row, Sql
from remit.platform.storage.tables import core

_ADD = insert(core.signing_key)
_ALL = (
    select(
        core.signing_key.c.kid,
        core.signing_key.c.key_class,
        core.signing_key.c.issuer,
        core.signing_key.c.algorithm,
        core.signing_key.c.public,
        core.signing_key.c.state,
        core.signing_key.c.not_before,
        core.signing_key.c.not_after,
        core.signing_key.c.sealed,
    )
    .where(core.signing_key.c.tenant == bindparam("this_tenant"))
    .order_by(core.signing_key.c.kid)
)
_THIS = (
    core.signing_key.c.tenant == bindparam("this_tenant"),
    core.signing_key.c.kid == bindparam("this_kid"),
)
_CHANGE = (
    update(core.signing_key)
    .where(*_THIS)
    .values(state=bindparam("new_state"), not_before=bindparam("new_from"), not_after=bindparam("new_until"))
)
_RESEAL = update(core.signing_key).where(*_THIS).values(sealed=bindparam("new_sealed"))
_SEALED: Final = 8
_LIVE: Final = frozenset({KeyState.PENDING, KeyState.ACTIVE})
_BELIEVED: Final = _LIVE | {KeyState.VERIFY_ONLY}


class Keystore:
    """The keys of one tenant, in one open transaction.

    INVARIANT: a private half is in the clear only in the memory of a `Keyring`; a wrong KEK raises `KekWrong`
    and no key is ever made to stand in for one that cannot be opened.
    """

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def records(self) -> list[KeyRecord]:
        """Every key there ever was, whatever its state."""
        return [self._record(row) for row in self._rows()]

    def keyring(self, kek: Kek) -> Keyring:
        """Open what may sign; raises `KekWrong` or `SealBroken`, for which there is no way around."""
        rows = self._rows()
        records = [self._record(row) for row in rows]
        privates = {
            record.kid: PrivateKey.load(
                record.algorithm, unseal(row[_SEALED], kek=kek, context=_place(record))
            )
            for record, row in zip(records, rows, strict=True)
            if record.state in _LIVE or (record.key_class in OPENING and record.state in _BELIEVED)
        }
        return Keyring.of(records, privates)

    def add(self, record: KeyRecord, private: PrivateKey, *, kek: Kek, entropy: Entropy) -> None:
        """Store a new key, its private half sealed for this tenant, class and kid."""
        self._sql.run(_ADD, {
            "tenant": self._tenant, "kid": record.kid, "key_class": record.key_class.value,
            "issuer": record.issuer, "algorithm": record.algorithm.value,
            "public": msgspec.json.encode(record.public.jwk()).decode(), "state": record.state.value,
            "not_before": micros(record.not_before), "not_after": _maybe(record.not_after),
            "sealed": seal(private.export(), kek=kek, context=_place(record), entropy=entropy),
        })  # fmt: skip

    def change(self, record: KeyRecord) -> None:
        """Store a key's new state and times."""
        self._sql.run(_CHANGE, {
            "this_tenant": self._tenant, "this_kid": record.kid, "new_state": record.state.value,
            "new_from": micros(record.not_before), "new_until": _maybe(record.not_after),
        })  # fmt: skip

    def rotate(
        self,
        key_class: KeyClass,
        *,
        issuer: str,
        algorithm: Algorithm,
        rule: RotationRule,
        kek: Kek,
        entropy: Entropy,
        at: datetime,
    ) -> list[KeyRecord]:
        """Take every step that is due for a class; returns what changed. At first use it makes the first key.

        Existing keys are opened first, so that a wrong KEK is noticed before anything new is sealed with it.
        """
        self.keyring(kek)
        changed: list[KeyRecord] = []
        while True:
            keys = [record for record in self.records() if record.key_class is key_class]
            step = rotation.next_step(keys, at=at, rule=rule)
            if step is None:
                return changed
            private = PrivateKey.generate(algorithm, entropy)
            make = self._maker(key_class, issuer, private, entropy=entropy, at=at)
            for record in rotation.apply(keys, step, make=make):
                if isinstance(step, Publish):
                    self.add(record, private, kek=kek, entropy=entropy)
                else:
                    self.change(record)
                changed.append(record)

    def force(
        self,
        key_class: KeyClass,
        *,
        compromised: bool,
        issuer: str,
        algorithm: Algorithm,
        rule: RotationRule,
        kek: Kek,
        entropy: Entropy,
        at: datetime,
    ) -> list[KeyRecord]:
        """Let another key of a class sign from now on, whatever the age of the present one.

        What the old one signed stays good until its end; `compromised` kills all of it, and every key of the
        class that was believed until now, since their private halves lay at the same place (KM-02).
        """
        self.keyring(kek)
        keys = [record for record in self.records() if record.key_class is key_class]
        if compromised:
            changed = [rotation.compromise(key, at=at) for key in keys if key.state in _BELIEVED]
        else:
            private = PrivateKey.generate(algorithm, entropy)
            make = self._maker(key_class, issuer, private, entropy=entropy, at=at)
            fresh, moved = rotation.force(keys, make=make, at=at, rule=rule)
            for record in fresh:
                self.add(record, private, kek=kek, entropy=entropy)
            changed = list(moved)
        for record in changed:
            self.change(record)
        settled = self.rotate(
            key_class, issuer=issuer, algorithm=algorithm, rule=rule, kek=kek, entropy=entropy, at=at
        )
        final = {record.kid: record for record in (*changed, *settled)}
        return list(final.values())

    def reseal(self, *, old: Kek, new: Kek, entropy: Entropy) -> int:
        """Put every private half under another KEK; returns how many. Those of a retired tenant are gone."""
        rows = [row for row in self._rows() if row[_SEALED]]
        for row in rows:
            sealed = rewrap(
                row[_SEALED], old=old, new=new, context=_place(self._record(row)), entropy=entropy
            )
            self._sql.run(_RESEAL, {"this_tenant": self._tenant, "this_kid": row[0], "new_sealed": sealed})
        return len(rows)

    def _maker(
        self, key_class: KeyClass, issuer: str, private: PrivateKey, *, entropy: Entropy, at: datetime
    ) -> Callable[[datetime], KeyRecord]:
        return lambda first_use: KeyRecord(
            tenant=self._tenant,
            issuer=issuer,
            kid=KeyId(mint_id("key", at=at, entropy=entropy)),
            key_class=key_class,
            public=private.public,
            state=KeyState.PENDING,
            not_before=first_use,
        )

    def _rows(self) -> list[Row]:
        return self._sql.rows(_ALL, {"this_tenant": self._tenant})

    def _record(self, row: Row) -> KeyRecord:
        kid, key_class, issuer, algorithm, public, state, not_before, not_after, _ = row
        return KeyRecord(
            tenant=self._tenant,
            issuer=issuer,
            kid=KeyId(kid),
            key_class=KeyClass(key_class),
            public=parse_jwk(public, algorithm=Algorithm(algorithm)),
            state=KeyState(state),
            not_before=moment(not_before),
            not_after=None if not_after is None else moment(not_after),
        )


def _place(record: KeyRecord) -> Sequence[bytes]:
    """Where a sealed key belongs: moved to another row, it does not open."""
    return (b"signing_key", record.tenant.encode(), record.key_class.value.encode(), record.kid.encode())


def _maybe(at: datetime | None) -> int | None:
    return None if at is None else micros(at)
