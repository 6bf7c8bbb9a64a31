"""How people are reached, over SQL: what becomes of a message is one conditional update per try."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.ids import MessageId, PrincipalId, PushDeviceId, TenantId
from remit.oversight.notices.channel import Channel, Health
from remit.oversight.notices.message import Message, MessageState
from remit.oversight.notices.reach import Device, Reach
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.channels import channel as c
from remit.platform.storage.tables.channels import message as m
from remit.platform.storage.tables.channels import push_device as d
from remit.platform.storage.tables.channels import reach as r

_CHANNEL: Final = msgspec.json.Decoder(Channel)
_HEALTH: Final = msgspec.json.Decoder(Health)
_REACH: Final = msgspec.json.Decoder(Reach)
_DEVICE: Final = msgspec.json.Decoder(Device)
_MESSAGE: Final = msgspec.json.Decoder(Message)
_SHOWN: Final = 500

_C_THIS = (c.c.tenant == bindparam("ours"), c.c.name == bindparam("this"))
_ADD_CHANNEL = insert(c)
_GET_CHANNEL = select(c.c.body, c.c.health).where(*_C_THIS)
_ALL_CHANNELS = (
    select(c.c.body, c.c.health).where(c.c.tenant == bindparam("ours")).order_by(c.c.name).limit(_SHOWN)
)
_SEALED = select(c.c.sealed).where(*_C_THIS)
_SAVE_CHANNEL = update(c).where(*_C_THIS).values(body=bindparam("new_body"))
_SAVE_WHOLE = update(c).where(*_C_THIS).values(body=bindparam("new_body"), sealed=bindparam("new_sealed"))
_NOTE = update(c).where(*_C_THIS).values(health=bindparam("new_health"))
_DROP_CHANNEL = delete(c).where(*_C_THIS)

_R_THIS = (r.c.tenant == bindparam("ours"), r.c.person == bindparam("this"))
_GET_REACH = select(r.c.body).where(*_R_THIS)
_put = upsert(r)
_PUT_REACH = _put.on_conflict_do_update(
    index_elements=[r.c.tenant, r.c.person], set_={"body": _put.excluded.body}
)
_DROP_REACH = delete(r).where(*_R_THIS)
_NAMING = (
    select(r.c.body)
    .where(r.c.tenant == bindparam("ours"), r.c.body.contains(bindparam("named")))
    .order_by(r.c.person)
    .limit(bindparam("count"))
)

_device = upsert(d)
_PUT_DEVICE = _device.on_conflict_do_update(
    index_elements=[d.c.tenant, d.c.id],
    set_={name: _device.excluded[name] for name in ("person", "sealed", "body")},
)
_DEVICES_OF = (
    select(d.c.body)
    .where(d.c.tenant == bindparam("ours"), d.c.person == bindparam("whose"))
    .order_by(d.c.id.desc())
    .limit(_SHOWN)
)
_DEVICE_SEALED = select(d.c.sealed).where(d.c.tenant == bindparam("ours"), d.c.id == bindparam("this"))
_DROP_DEVICE = delete(d).where(
    d.c.tenant == bindparam("ours"), d.c.id == bindparam("this"), d.c.person == bindparam("whose")
)

_M_OURS = m.c.tenant == bindparam("ours")
_ON_THE_WAY: Final = ("open", "handed")
_ADD_MESSAGE = upsert(m).on_conflict_do_nothing()
_GET_MESSAGE = select(m.c.body).where(_M_OURS, m.c.id == bindparam("this"))
_DUE = (
    select(m.c.body)
    .where(_M_OURS, or_(*(m.c.state == each for each in _ON_THE_WAY)), m.c.due <= bindparam("now"))
    .order_by(m.c.due)
    .limit(bindparam("count"))
)
_SAVE_MESSAGE = (
    update(m)
    .where(_M_OURS, m.c.id == bindparam("this"), m.c.tries == bindparam("was"))
    .values({name: bindparam(f"new_{name}") for name in ("state", "due", "tries", "body")})
)
_TOLD = (
    select(func.count())
    .select_from(m)
    .where(
        _M_OURS,
        m.c.person == bindparam("whose"),
        m.c.stated_at > bindparam("since"),
        m.c.state != MessageState.FOLDED.value,
    )
)
_PAGE = {
    (by_state, by_person, by_about, later): select(m.c.body)
    .where(
        _M_OURS,
        *([m.c.state == bindparam("this_state")] if by_state else []),
        *([m.c.person == bindparam("whose")] if by_person else []),
        *([m.c.about == bindparam("what")] if by_about else []),
        *(
            [
                or_(
                    m.c.stated_at < bindparam("after_at"),
                    and_(m.c.stated_at == bindparam("after_at"), m.c.id < bindparam("after_id")),
                )
            ]
            if later
            else []
        ),
    )
    .order_by(m.c.stated_at.desc(), m.c.id.desc())
    .limit(bindparam("count"))
    for by_state in (False, True)
    for by_person in (False, True)
    for by_about in (False, True)
    for later in (False, True)
}
_COUNT = select(m.c.state, func.count()).where(_M_OURS).group_by(m.c.state)
_OLD = (
    select(m.c.id)
    .where(_M_OURS, m.c.state.not_in(_ON_THE_WAY), m.c.stated_at < bindparam("before"))
    .limit(bindparam("count"))
)
_FORGET = delete(m).where(_M_OURS, m.c.id == bindparam("this"))


class ChannelRepository:
    """Channels of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, channel: Channel, sealed: bytes) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "name": channel.name, "sealed": sealed}
        self._sql.run(_ADD_CHANNEL, {**values, "body": _text(channel), "health": _text(channel.health)})

    def get(self, name: str) -> Channel | None:
        """One."""
        row = self._sql.row(_GET_CHANNEL, self._this(name))
        return None if row is None else _channel(row[0], row[1])

    def all(self) -> Sequence[Channel]:
        """Every one, by name."""
        return [_channel(row[0], row[1]) for row in self._sql.rows(_ALL_CHANNELS, {"ours": self._tenant})]

    def sealed(self, name: str) -> bytes | None:
        """Its sealed secrets."""
        row = self._sql.row(_SEALED, self._this(name))
        return None if row is None else bytes(row[0])

    def save(self, channel: Channel, sealed: bytes | None = None) -> None:
        """Store what changed."""
        values = {**self._this(channel.name), "new_body": _text(channel)}
        if sealed is None:
            self._sql.run(_SAVE_CHANNEL, values)
        else:
            self._sql.run(_SAVE_WHOLE, {**values, "new_sealed": sealed})

    def note(self, name: str, health: Health) -> None:
        """Store how it does."""
        self._sql.run(_NOTE, {**self._this(name), "new_health": _text(health)})

    def drop(self, name: str) -> None:
        """Forget it."""
        self._sql.run(_DROP_CHANNEL, self._this(name))

    def _this(self, name: str) -> dict[str, Scalar]:
        return {"ours": self._tenant, "this": name}


class ReachRepository:
    """Ways to the people of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def get(self, person: PrincipalId) -> Reach | None:
        """One person's."""
        row = self._sql.row(_GET_REACH, {"ours": self._tenant, "this": person})
        return None if row is None else _REACH.decode(row[0])

    def put(self, reach: Reach) -> None:
        """Store them."""
        self._sql.run(_PUT_REACH, {"tenant": self._tenant, "person": reach.person, "body": _text(reach)})

    def drop(self, person: PrincipalId) -> None:
        """Back to the order of the house."""
        self._sql.run(_DROP_REACH, {"ours": self._tenant, "this": person})

    def naming(self, channel: str, limit: int) -> Sequence[Reach]:
        """Whose ways name a channel."""
        asked: dict[str, Scalar] = {
            "ours": self._tenant, "named": f'"channel":"{channel}"', "count": limit,
        }  # fmt: skip
        return [_REACH.decode(row[0]) for row in self._sql.rows(_NAMING, asked)]


class PushDeviceRepository:
    """Browsers of the people of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, device: Device, sealed: bytes) -> None:
        """Store one; the same endpoint again replaces itself."""
        self._sql.run(
            _PUT_DEVICE,
            {
                "tenant": self._tenant,
                "id": device.id,
                "person": device.person,
                "sealed": sealed,
                "body": _text(device),
            },
        )

    def of(self, person: PrincipalId) -> Sequence[Device]:
        """A person's."""
        rows = self._sql.rows(_DEVICES_OF, {"ours": self._tenant, "whose": person})
        return [_DEVICE.decode(row[0]) for row in rows]

    def sealed(self, ident: PushDeviceId) -> bytes | None:
        """What is needed to reach one."""
        row = self._sql.row(_DEVICE_SEALED, {"ours": self._tenant, "this": ident})
        return None if row is None else bytes(row[0])

    def drop(self, person: PrincipalId, ident: PushDeviceId) -> bool:
        """Forget one of a person's."""
        return self._sql.run(_DROP_DEVICE, {"ours": self._tenant, "this": ident, "whose": person}) == 1


class MessageRepository:
    """Messages to the people of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, message: Message) -> bool:
        """Store a new one; False if it is there already."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": message.id,
            "person": message.person,
            "about": message.about,
            "stated_at": micros(message.stated_at),
            **_columns(message),
        }
        return self._sql.run(_ADD_MESSAGE, values) == 1

    def get(self, ident: MessageId) -> Message | None:
        """One."""
        row = self._sql.row(_GET_MESSAGE, self._ours(this=ident))
        return None if row is None else _MESSAGE.decode(row[0])

    def due(self, at: datetime, limit: int) -> Sequence[Message]:
        """Those on their way whose time has come."""
        rows = self._sql.rows(_DUE, self._ours(now=micros(at), count=limit))
        return [_MESSAGE.decode(row[0]) for row in rows]

    def save(self, message: Message, *, was: int) -> bool:
        """Store what became of a try; False if another node was faster."""
        new = {f"new_{name}": value for name, value in _columns(message).items()}
        return self._sql.run(_SAVE_MESSAGE, self._ours(this=message.id, was=was, **new)) == 1

    def told_since(self, person: PrincipalId, since: datetime) -> int:
        """How many were stated since then and not folded."""
        row = self._sql.row(_TOLD, self._ours(whose=person, since=micros(since)))
        return int(row[0]) if row else 0

    def page(
        self,
        *,
        state: MessageState | None,
        person: PrincipalId | None,
        about: str,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> Sequence[Message]:
        """Newest first."""
        values = self._ours(count=limit)
        if state is not None:
            values["this_state"] = state
        if person is not None:
            values["whose"] = person
        if about:
            values["what"] = about
        if after is not None:
            values |= {"after_at": micros(after[0]), "after_id": after[1]}
        wanted = _PAGE[state is not None, person is not None, bool(about), after is not None]
        return [_MESSAGE.decode(row[0]) for row in self._sql.rows(wanted, values)]

    def count(self) -> dict[str, int]:
        """How many there are of each state."""
        return {str(state): int(count) for state, count in self._sql.rows(_COUNT, self._ours())}

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what came to its end before that moment."""
        rows = self._sql.rows(_OLD, self._ours(before=micros(before), count=limit))
        self._sql.run_many(_FORGET, [self._ours(this=row[0]) for row in rows])
        return len(rows)

    def _ours(self, **values: Scalar) -> dict[str, Scalar]:
        return {"ours": self._tenant, **values}


def _channel(body: str, health: str) -> Channel:
    return replace(_CHANNEL.decode(body), health=_HEALTH.decode(health))


def _columns(message: Message) -> dict[str, Scalar]:
    return {
        "state": message.state,
        "due": micros(message.due),
        "tries": message.tries,
        "body": _text(message),
    }


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
