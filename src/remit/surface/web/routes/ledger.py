"""The log of record: what it says about an id, its proofs, its heads, and an export for an auditor."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Protocol, Self

import msgspec

from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.errors import Invalid, NotFound
from remit.kernel.ids import RecordId, TenantId
from remit.kernel.uow import Transaction, UnitOfWork
from remit.ledger.checkpoint import LogKey
from remit.ledger.export import export_files, export_log, join_logs, pack_archive
from remit.ledger.query import DECIDED, Answer, Step, TaskStory, Trace, trace, trace_time
from remit.ledger.record import Record
from remit.ledger.repository import LedgerReader, Placed, SignedCheckpoint
from remit.ledger.telling import Directory, tell_answer
from remit.surface.web.caller import NotAdministrator
from remit.surface.web.operation import Blob, Inbound, Method, Nothing, Operation
from remit.surface.web.schemas.words import Instant

Needle = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


LONGEST: Final = timedelta(days=1)
"""Of a trace by time."""


class NoStart(Invalid):
    """A trace has neither a thing nor a span of time to start from."""

    code = "trace_no_start"


class NoSuchRecord(NotFound):
    """No such record, or no signed head covers it yet."""

    code = "record_not_found"


class Log(LedgerReader, Protocol):
    """A log to read, with its leaves and heads."""

    def leaf_hashes(self, first: int, last: int, shard: str = "") -> list[bytes]:
        """Leaf hashes as they were stored."""

    def checkpoints(self, shard: str = "") -> list[SignedCheckpoint]:
        """Every signed head."""


class LogTransaction(Transaction, Protocol):
    """The transaction that this needs."""

    @property
    def ledger(self) -> Log:
        """The log."""


class TraceQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to start: the id of a token, call, decision, task, approval or capability, or a resource; or a
    span of time, from `since` up to `until`, of a day at most.
    """

    of: Annotated[str, msgspec.Meta(max_length=512)] = ""
    since: Instant | None = None
    until: Instant | None = None


class RecordsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records that name this."""

    mentions: Needle


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """One record with its place."""

    shard: str
    index: int
    record: Record

    @classmethod
    def of(cls, placed: Placed) -> Self:
        """From the domain."""
        return cls(shard=placed.shard, index=placed.index, record=placed.record)


class AnswerView(msgspec.Struct, frozen=True, kw_only=True):
    """Who did this, and who allowed it (N42)."""

    decision: str
    at: datetime
    human: str
    owner: str
    agent: str
    instance: str
    chain: list[str]
    task: str
    purpose: str
    mode: str
    initiative: str
    grant: str
    action: str
    resource: str
    call: str
    capability: str
    effect: str
    codes: list[str]
    rules: list[str]
    policy_version: str
    approval: str
    approver: str
    outcome: str
    evidence: list[str]
    told: str
    """What was done, as one sentence; empty where nothing was permitted."""

    @classmethod
    def of(cls, found: Answer, *, told: str) -> Self:
        """From the domain."""
        apart = {"chain", "codes", "rules", "evidence", "told"}
        names = [name for name in cls.__struct_fields__ if name not in apart]
        return cls(
            told=told,
            **{name: getattr(found, name) for name in names},
            chain=list(found.chain),
            codes=list(found.codes),
            rules=list(found.rules),
            evidence=[each.record.id for each in found.evidence],
        )


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """One link from the action back to the human's grant."""

    what: str
    subject: str
    record: str

    @classmethod
    def of(cls, step: Step) -> Self:
        """From the domain."""
        return cls(what=step.what, subject=step.subject, record=step.placed.record.id)


class StoryView(msgspec.Struct, frozen=True, kw_only=True):
    """The eight links of a task: records of each, and which are missing."""

    task: str
    links: dict[str, list[str]]
    missing: list[str]

    @classmethod
    def of(cls, story: TaskStory) -> Self:
        """From the domain."""
        return cls(
            task=story.task,
            links={link: [each.record.id for each in placed] for link, placed in story.links},
            missing=list(story.missing),
        )


class TraceView(msgspec.Struct, frozen=True, kw_only=True):
    """All that the log says about one start."""

    start: str
    answers: list[AnswerView]
    authorization: list[StepView]
    tasks: list[StoryView]

    @classmethod
    def of(cls, found: Trace, *, told: Sequence[str]) -> Self:
        """From the domain; one sentence for each answer."""
        pairs = zip(found.answers, told, strict=True)
        return cls(
            start=found.start,
            answers=[AnswerView.of(answer, told=sentence) for answer, sentence in pairs],
            authorization=[StepView.of(each) for each in found.authorization],
            tasks=[StoryView.of(each) for each in found.tasks],
        )


class ReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """Proof of one record (C2SP `tlog-proof@v1`), good for ever, checked offline."""

    record: str
    receipt: str


class CheckpointView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest signed head (C2SP signed note), and the keys that ever signed one."""

    size: int
    at: datetime
    note: str
    keys: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRoutes:
    """What the noun needs: the log, and whoever signs its heads."""

    uow: UnitOfWork[LogTransaction]
    tenant: TenantId
    sign: Callable[[datetime], Awaitable[SignedCheckpoint]]
    known_keys: Callable[[], Sequence[LogKey]]
    directory: Directory

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="traceLedger",
                summary="Who did this, who allowed it, with the chain back to the human's grant",
                method=Method.GET,
                path="/ledger/trace",
                scopes=(Scope.READ,),
                handler=self._trace,
                body=Nothing,
                query=TraceQuery,
                answer=TraceView,
            ),
            Operation(
                name="searchLedger",
                summary="Records that name an id, in order of the log",
                method=Method.GET,
                path="/ledger/records",
                scopes=(Scope.READ,),
                handler=self._records,
                body=Nothing,
                query=RecordsQuery,
                answer=list[RecordView],
            ),
            Operation(
                name="getRecord",
                summary="One record",
                method=Method.GET,
                path="/ledger/records/{record}",
                scopes=(Scope.READ,),
                handler=self._record,
                body=Nothing,
                query=Nothing,
                answer=RecordView,
            ),
            Operation(
                name="getReceipt",
                summary="Proof that a record is in the log",
                method=Method.GET,
                path="/ledger/records/{record}/receipt",
                scopes=(Scope.READ,),
                handler=self._receipt,
                body=Nothing,
                query=Nothing,
                answer=ReceiptView,
            ),
            Operation(
                name="signCheckpoint",
                summary="Sign the present head, and give it",
                method=Method.POST,
                path="/ledger/checkpoint",
                scopes=(Scope.READ,),
                handler=self._checkpoint,
                body=Nothing,
                query=Nothing,
                answer=CheckpointView,
            ),
            Operation(
                name="exportLedger",
                summary="Every log at its signed head, as one archive that verifies offline",
                method=Method.POST,
                path="/ledger/export",
                scopes=(Scope.READ,),
                handler=self._export,
                body=Nothing,
                query=Nothing,
                answer=Blob,
            ),
        ]

    async def _trace(self, inbound: Inbound[Nothing, TraceQuery]) -> TraceView:
        _require_reader(inbound)
        query = inbound.query
        if query.of:
            return await self.uow.read(lambda tx: self._traced(tx.ledger, query.of))
        since, until = _span(query)
        return await self.uow.read(lambda tx: self._told(tx.ledger, trace_time(tx.ledger, since, until)))

    async def _records(self, inbound: Inbound[Nothing, RecordsQuery]) -> list[RecordView]:
        _require_reader(inbound)
        found = await self.uow.read(lambda tx: tx.ledger.mentioning(inbound.query.mentions))
        return [RecordView.of(each) for each in found]

    async def _record(self, inbound: Inbound[Nothing, Nothing]) -> RecordView:
        _require_reader(inbound)
        found = await self.uow.read(lambda tx: tx.ledger.record(RecordId(inbound.path["record"])))
        if found is None:
            raise NoSuchRecord("no such record", next_step="remit ledger search ID")
        return RecordView.of(found)

    async def _receipt(self, inbound: Inbound[Nothing, Nothing]) -> ReceiptView:
        _require_reader(inbound)
        named = inbound.path["record"]
        await self.sign(inbound.at)
        ident = await self.uow.read(lambda tx: _decided(tx, named)) or RecordId(named)
        found = await self.uow.read(lambda tx: tx.ledger.receipt(ident))
        if found is None:
            raise NoSuchRecord("no such record under a signed head", next_step="remit ledger search ID")
        return ReceiptView(record=ident, receipt=found.text().decode())

    async def _checkpoint(self, inbound: Inbound[Nothing, Nothing]) -> CheckpointView:
        _require_reader(inbound)
        signed = await self.sign(inbound.at)
        return CheckpointView(
            size=signed.size,
            at=signed.at,
            note=signed.note.decode(),
            keys=[each.text() for each in self.known_keys()],
        )

    async def _export(self, inbound: Inbound[Nothing, Nothing]) -> Blob:
        _require_reader(inbound)
        await self.sign(inbound.at)
        archive = await self.uow.read(lambda tx: self._archive(tx.ledger))
        return Blob(media="application/octet-stream", body=archive)

    def _traced(self, log: Log, start: str) -> TraceView:
        return self._told(log, trace(log, start))

    def _told(self, log: Log, found: Trace) -> TraceView:
        return TraceView.of(found, told=[tell_answer(log, each, self.directory) for each in found.answers])

    def _archive(self, log: Log) -> bytes:
        """One snapshot of every log: each entry below its signed head, and its texts that are not erased."""
        main = log.head().shard
        # A log whose first record came after the signing has no head yet that could vouch for it.
        others = [name for name in log.shards() if name != main and log.latest_checkpoint(name) is not None]
        return pack_archive(
            join_logs(self._files(log, main), {name: self._files(log, name) for name in others})
        )

    def _files(self, log: Log, shard: str) -> dict[str, bytes]:
        return export_files(
            export_log(log, tenant=self.tenant, shard=shard, disclose=True, keys=self.known_keys())
        )


def _span(query: TraceQuery) -> tuple[datetime, datetime]:
    if query.since is None or query.until is None:
        raise NoStart("a trace begins at `of`, or at `since` and `until`", next_step="remit ledger who ID")
    if not timedelta(0) < query.until - query.since <= LONGEST:
        raise NoStart("`until` is later than `since`, by a day at most", next_step="remit ledger who ID")
    return query.since, query.until


def _decided(tx: LogTransaction, named: str) -> RecordId | None:
    """The record of a decision, where one is named by its own id."""
    if not named.startswith("dec_"):
        return None
    found = (each.record for each in tx.ledger.mentioning(named))
    return next((each.id for each in found if each.kind == DECIDED and each.decision == named), None)


def _require_reader(inbound: Inbound[Any, Any]) -> None:
    if not inbound.caller.sees_all:
        raise NotAdministrator(
            "only a reader or an administrator may read the log", next_step="remit user list"
        )
