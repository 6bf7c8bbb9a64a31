"""Everything that the key-encryption key seals, put under another one in one open transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Executable, Table, bindparam, select, update

from remit.authority.vault.sealing import connection_place, flow_place, provider_place, revocation_place
from remit.identity.upstream.secrets import hint_place, secret_place
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.sealing import Kek, rewrap
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.notices.channel import device_place, place_of
from remit.platform.storage.instants import micros
from remit.platform.storage.keystore import Keystore
from remit.platform.storage.nodes import ALIVE
from remit.platform.storage.repositories.tenants import TenantRepository
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables import channels, core, upstream, vault
from remit.platform.storage.tables.ledger import subject_key

_LENGTH: Final = 2
"""Bytes before an answer that say how long its wrapped data key is (`KekSealer.seal_alone`)."""
_K, _A = subject_key.c, core.idempotency.c
_SUBJECTS = select(_K.tenant, _K.subject, _K.version, _K.sealed).where(
    _K.tenant == bindparam("of"), _K.sealed.is_not(None)
)
_RESEAL_SUBJECT = (
    update(subject_key)
    .where(
        _K.tenant == bindparam("of"), _K.subject == bindparam("whom"), _K.version == bindparam("which"),
        _K.sealed.is_not(None),
    )
    .values(sealed=bindparam("fresh"))
)  # fmt: skip
_ANSWERS = select(_A.tenant, _A.principal, _A.key, _A.response).where(
    _A.tenant == bindparam("of"), _A.response.is_not(None)
)
_RESEAL_ANSWER = (
    update(core.idempotency)
    .where(_A.tenant == bindparam("of"), _A.principal == bindparam("whom"), _A.key == bindparam("which"))
    .values(response=bindparam("fresh"))
)
_OTHERS_ALIVE = (
    select(core.node.c.id)
    .where(
        core.node.c.state == ALIVE,
        core.node.c.id != bindparam("ours"),
        core.node.c.lease_until >= bindparam("now"),
    )
    .order_by(core.node.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """What was put under the other key."""

    keys: int
    """Private halves of signing keys."""
    subjects: int
    """Data keys of subjects' texts."""
    answers: int
    """Answers kept for repeated requests."""
    credentials: int = 0
    """Credentials of other services, and what goes with them."""


def others_alive(sql: Sql, *, node: str, at: datetime) -> list[str]:
    """Other processes that may still write, sealing with the key that they were started with."""
    return [str(row[0]) for row in sql.rows(_OTHERS_ALIVE, {"ours": node, "now": micros(at)})]


def reseal_all(sql: Sql, *, old: Kek, new: Kek, entropy: Entropy) -> Resealed:
    """Move every sealed thing of every tenant to another KEK; nothing but data keys is opened.

    INVARIANT: all of it in one transaction, so that either key opens the whole store, and never half of it.
    """
    tenants = [DEFAULT_TENANT, *(each.name for each in TenantRepository(sql, DEFAULT_TENANT).all())]
    done = []
    for tenant in tenants:
        with sql.within(tenant):
            done.append(_reseal_tenant(sql, tenant, old=old, new=new, entropy=entropy))
    return Resealed(
        keys=sum(each.keys for each in done),
        subjects=sum(each.subjects for each in done),
        answers=sum(each.answers for each in done),
        credentials=sum(each.credentials for each in done),
    )


def _reseal_tenant(sql: Sql, tenant: TenantId, *, old: Kek, new: Kek, entropy: Entropy) -> Resealed:
    of = {"of": tenant}
    keys = Keystore(sql, tenant).reseal(old=old, new=new, entropy=entropy)
    subjects = [_subject(row, old=old, new=new, entropy=entropy) for row in sql.rows(_SUBJECTS, of)]
    answers = [_answer(row, old=old, new=new, entropy=entropy) for row in sql.rows(_ANSWERS, of)]
    for values in subjects:
        sql.run(_RESEAL_SUBJECT, values)
    for values in answers:
        sql.run(_RESEAL_ANSWER, values)
    credentials = [_reseal(sql, kind, tenant, old=old, new=new, entropy=entropy) for kind in _VAULT]
    return Resealed(keys=keys, subjects=len(subjects), answers=len(answers), credentials=sum(credentials))


@dataclass(frozen=True, slots=True)
class _SealedRows:
    """One table of the vault: its rows with their places, and how a row is sealed anew."""

    rows: Executable
    change: Executable
    place: Callable[[Row], Sequence[bytes]]


def _sealed_rows(
    table: Table, key: Column[str], place: Callable[..., Sequence[bytes]], *names: str
) -> _SealedRows:
    """`names` are the columns of which the place is made, after tenant and key."""
    columns = [table.c[name] for name in names]
    return _SealedRows(
        rows=select(table.c.tenant, key, table.c.sealed, *columns).where(
            table.c.tenant == bindparam("of"), table.c.sealed.is_not(None)
        ),
        change=update(table)
        .where(table.c.tenant == bindparam("of"), key == bindparam("which"))
        .values(sealed=bindparam("fresh")),
        place=lambda row: place(row[0], row[1], *row[3:]),
    )


_VAULT: Final = (
    _sealed_rows(vault.provider, vault.provider.c.id, provider_place),
    _sealed_rows(
        vault.connection,
        vault.connection.c.id,
        connection_place,
        *("user", "agent", "provider", "scopes"),
    ),
    _sealed_rows(vault.connect_flow, vault.connect_flow.c.state, flow_place),
    _sealed_rows(vault.upstream_revocation, vault.upstream_revocation.c.id, revocation_place),
    _sealed_rows(upstream.identity_provider, upstream.identity_provider.c.id, secret_place),
    _sealed_rows(upstream.upstream_session, upstream.upstream_session.c.session, hint_place),
    _sealed_rows(channels.channel, channels.channel.c.name, place_of),
    _sealed_rows(channels.push_device, channels.push_device.c.id, device_place),
)


def _reseal(sql: Sql, kind: _SealedRows, tenant: TenantId, *, old: Kek, new: Kek, entropy: Entropy) -> int:
    found = sql.rows(kind.rows, {"of": tenant})
    for row in found:
        fresh = rewrap(bytes(row[2]), old=old, new=new, context=kind.place(row), entropy=entropy)
        sql.run(kind.change, {"of": row[0], "which": row[1], "fresh": fresh})
    return len(found)


def _subject(row: Row, *, old: Kek, new: Kek, entropy: Entropy) -> Mapping[str, Scalar]:
    tenant, subject, version, sealed = row
    # As `ContentRows` places them.
    context = [b"ledger/subject-key", tenant.encode(), subject.encode(), str(version).encode()]
    fresh = rewrap(bytes(sealed), old=old, new=new, context=context, entropy=entropy)
    return {"of": tenant, "whom": subject, "which": version, "fresh": fresh}


def _answer(row: Row, *, old: Kek, new: Kek, entropy: Entropy) -> Mapping[str, Scalar]:
    tenant, principal, key, response = row
    response = bytes(response)
    end = _LENGTH + int.from_bytes(response[:_LENGTH], "big")
    # As `IdempotencyRepository` places them.
    context = [b"idempotency", tenant.encode(), principal.encode(), key.encode()]
    wrapped = rewrap(response[_LENGTH:end], old=old, new=new, context=context, entropy=entropy)
    fresh = len(wrapped).to_bytes(_LENGTH, "big") + wrapped + response[end:]
    return {"of": tenant, "whom": principal, "which": key, "fresh": fresh}
