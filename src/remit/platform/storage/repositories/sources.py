"""What is in the context of tasks, over SQL: sources, their labels, prints of what may only be summarized."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Text, and_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.decision.sources.source import MEMORY, VALUES, Gathered, Source
from remit.kernel.ids import TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.decision import source as s
from remit.platform.storage.tables.decision import source_label as lb
from remit.platform.storage.tables.decision import source_print as pr

_BODY: Final = msgspec.json.Decoder(Source)
_SIZE: Final = 16
_TASK: Final = "tsk_"
_FULL: Final = "="

_ADD = upsert(s).on_conflict_do_nothing()
_NEW = upsert(lb).values(
    tenant=bindparam("ours"),
    holder=bindparam("whose"),
    label=bindparam("what"),
    tag=bindparam("named"),
    source=bindparam("origin"),
    at=bindparam("now", type_=BigInteger),
)
_LABEL = _NEW.on_conflict_do_update(
    index_elements=[lb.c.tenant, lb.c.holder, lb.c.label], set_={"at": _NEW.excluded.at}
)
_PRINT = upsert(pr).on_conflict_do_nothing()
_OWN = and_(lb.c.tenant == bindparam("ours"), lb.c.holder == bindparam("whose"))
_LABELS = select(lb.c.label, lb.c.tag).where(_OWN)
_GATHER = select(lb.c.label, lb.c.source).where(_OWN, lb.c.at >= bindparam("since", type_=BigInteger))
_PRINTS = select(pr.c.prints).where(pr.c.tenant == bindparam("ours"), pr.c.holder == bindparam("whose"))
_now = bindparam("from", type_=BigInteger)
_PAGE = (
    select(s.c.at, s.c.id, s.c.body)
    .where(
        s.c.tenant == bindparam("ours"),
        s.c.holder == bindparam("whose"),
        s.c.at < bindparam("until", type_=BigInteger),
        or_(s.c.at > _now, and_(s.c.at == _now, s.c.id > bindparam("place", type_=Text))),
    )
    .order_by(s.c.at, s.c.id)
    .limit(bindparam("count", type_=BigInteger))
)
_LAST: Final = (1 << 62) - 1


class SourceRepository:
    """`SourceStore` of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(
        self, holders: Iterable[str], sources: Sequence[Source], prints: frozenset[bytes] = frozenset()
    ) -> None:
        """Keep sources and their labels; what is there already is kept as it was first."""
        for holder in holders:
            for each in sources:
                self._sql.later(_ADD, self._row(holder, each))
            if any(each.labels for each in sources):
                self._label(holder, sources)
            if prints and sources:
                self._sql.later(
                    _PRINT,
                    {
                        "tenant": self._tenant,
                        "holder": holder,
                        "id": sources[0].id,
                        "prints": b"".join(sorted(prints)).hex(),
                    },
                )

    def gather(self, holders: Iterable[str], at: datetime, *, prints: bool) -> Gathered:
        """Labels of all that is kept on any of these; prints only where they are wanted."""
        labels: dict[str, str] = {}
        full: set[str] = set()
        known: set[bytes] = set()
        for holder in holders:
            since = 0 if holder.startswith(_TASK) else micros(at - MEMORY)
            values: dict[str, Scalar] = {"ours": self._tenant, "whose": holder}
            for label, source in self._sql.rows(_GATHER, {**values, "since": since}):
                if str(label).startswith(_FULL):
                    full.add(str(label)[1:])
                else:
                    labels.setdefault(str(label), str(source))
            if prints:
                for (text,) in self._sql.rows(_PRINTS, values):
                    known |= {
                        bytes.fromhex(text[place : place + _SIZE]) for place in range(0, len(text), _SIZE)
                    }
        return Gathered(labels=labels, full=frozenset(full), prints=frozenset(known))

    def page(
        self, holder: str, *, before: datetime | None, after: str, limit: int
    ) -> Sequence[tuple[str, Source]]:
        """Sources with the place of each, oldest first."""
        moment, _, place = after.partition(".")
        rows = self._sql.rows(
            _PAGE,
            {
                "ours": self._tenant,
                "whose": holder,
                "until": micros(before) if before else _LAST,
                "from": int(moment) if moment.isdigit() else -1,
                "place": place,
                "count": limit,
            },
        )
        return [(f"{at}.{ident}", _BODY.decode(body)) for at, ident, body in rows]

    def _row(self, holder: str, source: Source) -> dict[str, Scalar]:
        return {
            "tenant": self._tenant,
            "holder": holder,
            "id": source.id,
            "at": micros(source.at),
            "body": msgspec.json.encode(source).decode(),
        }

    def _label(self, holder: str, sources: Sequence[Source]) -> None:
        """Note labels, while their tag has room for another value; then that it had none (fail closed)."""
        values: dict[str, Scalar] = {"ours": self._tenant, "whose": holder}
        known = {str(label): str(tag) for label, tag in self._sql.rows(_LABELS, values)}
        counts = Counter(known.values())
        noted: set[str] = set()
        for source in sources:
            for label in source.labels:
                tag = label.partition("=")[0]
                if label not in known:
                    if counts[tag] >= VALUES:
                        label = f"{_FULL}{tag}"  # noqa: PLW2901 — this is what is noted in its place
                    else:
                        counts[tag] += 1
                        known[label] = tag
                if label in noted:
                    continue
                noted.add(label)
                self._sql.run(
                    _LABEL,
                    {**values, "what": label, "named": tag, "origin": source.name, "now": micros(source.at)},
                )
