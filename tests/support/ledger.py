"""Builders for tests of the log: a signer, records, a small story of one governed call."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.kernel.ids import RecordId, TenantId
from remit.kernel.sealing import Kek
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.ledger.checkpoint import Checkpoint, LogKey, sign_checkpoint
from remit.ledger.encoding import encode_record
from remit.ledger.export import export_files, make_export
from remit.ledger.merkle import Frontier, leaf_hash
from remit.ledger.record import Record
from remit.ledger.repository import Disclosed, SignedCheckpoint
from remit.platform.storage.repositories.ledger_appender import Anchors, LedgerAppender, never_anchored

START = datetime(2026, 5, 15, 14, tzinfo=UTC)
KEK = Kek.of(Secret(bytes(range(32))))


class TestSigner:
    """An Ed25519 key made from a seed."""

    __test__ = False

    def __init__(self, name: str = "remit.example", seed: bytes = b"\x01" * 32) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._key = LogKey(name=name, public=self._private.public_key().public_bytes_raw())

    @property
    def key(self) -> LogKey:
        return self._key

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


def counting_entropy(seed: str = "") -> Callable[[int], bytes]:
    """Entropy that never repeats and is the same in each run."""
    count = 0

    def give(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_128(seed.encode() + count.to_bytes(8, "big")).digest(size)

    return give


def identity(prefix: str, number: int) -> str:
    """An id as `kernel.ids` makes it."""
    return f"{prefix}_{number:036d}"


def record(number: int, kind: str = "decision.action.decided", **members: object) -> Record:
    """A record that differs from all others by its number."""
    known = {
        "id": RecordId(identity("rec", number)),
        "at": START + timedelta(milliseconds=number),
        "tenant": DEFAULT_TENANT,
        "kind": kind,
        "actor": identity("ins", 1),
        **members,
    }
    return Record(**known)  # type: ignore[arg-type]  # a test's keyword arguments


@dataclass(frozen=True)
class Names:
    """Ids of one story."""

    user: str = identity("usr", 1)
    owner: str = identity("usr", 2)
    agent: str = identity("agt", 1)
    instance: str = identity("ins", 1)
    grant: str = identity("gra", 1)
    task: str = identity("tsk", 1)
    envelope: str = identity("env", 1)
    token: str = "a" * 64


def story(number: int = 0, *, tenant: TenantId = DEFAULT_TENANT, names: Names | None = None) -> list[Record]:
    """One governed call from prompt to teardown, in the kinds and members that the wings write."""
    who = names or Names()
    shared: dict[str, object] = {
        "tenant": tenant, "user": who.user, "owner": who.owner, "agent": who.agent, "task": who.task,
        "purpose": "travel", "mode": "interactive", "initiative": "user", "envelope": who.envelope,
        "grant": who.grant, "chain": (who.instance,),
    }  # fmt: skip
    call: dict[str, object] = {
        **shared, "decision": identity("dec", number), "capability": identity("cap", number),
        "call": identity("cal", number), "action": "business/rooms.book", "resource": "Room:Room-401",
        "tool": identity("tol", 1),
    }  # fmt: skip
    base = number * 10
    return [
        record(base, "authority.consent.granted", tenant=tenant, actor=who.user, user=who.user,
               grant=who.grant, agent=who.agent, owner=who.owner),
        record(base + 1, "authority.task.started", **{**shared, "actor": who.user},
               digests=(("goal", "b" * 64),)),
        record(base + 2, "authority.token.issued", **shared, subject=who.instance,
               digests=(("token", who.token),)),
        record(base + 3, "decision.action.decided", **call, effect="permit", rules=("rooms.book",),
               digests=(("arguments", "c" * 64), ("token", who.token))),
        record(base + 4, "enforcement.call.finished", **call, effect="done", digests=(("result", "d" * 64),)),
        record(base + 5, "authority.task.ended", **shared),
    ]  # fmt: skip


def many(count: int) -> Iterable[Record]:
    """So many unrelated records."""
    kind = "identity.principal.changed"
    return (record(number, kind, subject=identity("agt", number)) for number in range(count))


def note_of(entries: Sequence[bytes], signer: TestSigner, shard: str = "main") -> SignedCheckpoint:
    """A signed head of exactly these entries."""
    frontier = Frontier()
    frontier.extend([leaf_hash(entry) for entry in entries])
    head = Checkpoint(origin=f"{signer.key.name}/{shard}", size=len(entries), root=frontier.root())
    return SignedCheckpoint(size=head.size, note=sign_checkpoint(head, signer), at=START)


def export_of(
    records: Iterable[Record],
    *,
    signer: TestSigner,
    heads: Iterable[int] = (),
    contents: Iterable[Disclosed] = (),
) -> dict[str, bytes]:
    """The files of an export of these records; `heads` are sizes at which it was signed before."""
    entries = [encode_record(each) for each in records]
    return export_files(
        make_export(
            tenant=DEFAULT_TENANT,
            shard="main",
            checkpoint=note_of(entries, signer),
            entries=entries,
            leaves=[leaf_hash(entry) for entry in entries],
            earlier=[note_of(entries[:size], signer) for size in heads],
            contents=contents,
            keys=[signer.key],
        )
    )


def appenders(node: str, *, anchors: Anchors = never_anchored) -> Callable[[Lane], LedgerAppender]:
    """What `open_store` asks for its journals: one log per lane."""
    shard = {Lane.NORMAL: "main", Lane.KILL: "kill"}
    entropy = counting_entropy(node)
    return lambda lane: LedgerAppender(
        node=node, kek=KEK, entropy=entropy, shard=shard[lane], anchors=anchors
    )
