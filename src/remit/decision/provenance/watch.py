"""Provenance in the decision: a task's witness is made from what is stored, asked, and stored with the new.

INVARIANT: nothing that is stored says what was asked or seen; see `seen`. The goal itself stays sealed in the
ledger's contents: once its subject is erased it is gone, and then the user's words vouch for nothing more.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import msgspec

from remit.decision.call.request import ProposedCall
from remit.decision.provenance.house import House
from remit.decision.provenance.intent import Intent
from remit.decision.provenance.labels import Label
from remit.decision.provenance.normal import Shape, Value, quoted_in, values_in
from remit.decision.provenance.rules import FINE, Ruling
from remit.decision.provenance.seen import Row, Seen, Sighting
from remit.decision.provenance.witness import Profile, Witness, profile_of
from remit.identity.tools import Server, ServerStanding, Tool
from remit.kernel.canonical import Json, JsonObject, MalformedJson, parse_json
from remit.kernel.ids import ServerId, TaskId
from remit.kernel.secret import Secret

_INTENT: Final = bytes(16)
"""The row that holds what the goal asks for, in the closed words of the lexicon."""
_INTENTS: Final = msgspec.json.Decoder(Intent)


class SeenStore(Protocol):
    """Rows of tasks, and the goals that they begin with."""

    def goal(self, task: TaskId) -> str:
        """What the person asked, from the ledger's sealed contents; empty if that was erased."""

    def load(self, task: TaskId) -> Sequence[Row]:
        """Everything that a task has seen."""

    def keep(self, task: TaskId, rows: Iterable[Row], until: datetime) -> None:
        """Store new and firmer rows of a task, to be forgotten at a time."""

    def forget(self, at: datetime, count: int) -> int:
        """Remove rows whose time has come, at most so many; how many there were."""


class WatchTransaction(Protocol):
    """What the watch reads and writes."""

    @property
    def seen(self) -> SeenStore:
        """What tasks have seen."""

    @property
    def servers(self) -> "Servers":
        """The directory's servers, with their standing."""


class Servers(Protocol):
    """Servers by id."""

    def get(self, server: ServerId) -> Server | None:
        """A server; None if it is not known."""


_LABELS: Final = {ServerStanding.OUTSIDE: Label.TEXT, ServerStanding.RECORDS: Label.VERIFIED}
_MEMBERS: Final = frozenset({ServerStanding.MEMBERS, ServerStanding.RECORDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Judges calls on what their task has seen; `key` is the tenant's, from which each task's is derived."""

    key: Secret
    trusted: frozenset[str] = frozenset()
    """Names of servers that the settings declare as `records`, beside what the directory says of each."""
    domains: frozenset[str] = frozenset()
    """Mail domains of the house."""

    def ruling(self, tx: "WatchTransaction", call: ProposedCall) -> Ruling:
        """May the values of this call steer it? Fine where no tool or no task is there to ask about."""
        if call.tool is None or call.subject.task is None:
            return FINE
        witness = self._witness(tx.seen, call.subject.task)
        return witness.judge(self._profile(tx, call.tool, call), call.arguments)

    def note(
        self,
        tx: "WatchTransaction",
        call: ProposedCall,
        result: bytes,
        *,
        approved: bool,
        done: bool,
        until: datetime,
    ) -> None:
        """Take note of what a call that was sent wrote, and of what it answered where it is known."""
        if call.tool is None or call.subject.task is None:
            return
        witness, tool = self._witness(tx.seen, call.subject.task), self._profile(tx, call.tool, call)
        if approved:
            witness.approved(tool, call.arguments)
        # SAFETY: a call whose outcome is unknown may have written all the same.
        witness.saw(tool, call.arguments, answer_of(result) if done else None)
        tx.seen.keep(call.subject.task, (_intent_row(witness.intent), *witness.seen.rows()), until)

    def heard(
        self, tx: "WatchTransaction", task: TaskId, words: str, *, label: Label, source: str, until: datetime
    ) -> None:
        """Take note of what a person said in a task beside its goal: values alone, which ask for nothing."""
        witness = self._witness(tx.seen, task)
        said = Sighting(label=label, source=source)
        for value in values_in(words):
            witness.seen.remember(value, said)
        for quoted in quoted_in(words):
            witness.seen.remember(Value(Shape.PHRASE, quoted), said)
        tx.seen.keep(task, (_intent_row(witness.intent), *witness.seen.rows()), until)

    def _witness(self, store: SeenStore, task: TaskId) -> Witness:
        rows = store.load(task)
        key = hashlib.blake2b(task.encode(), key=self.key.reveal()[:64], digest_size=32).digest()
        kept = next((row for row in rows if row.digest == _INTENT), None)
        if kept is None:
            return Witness.of_goal(store.goal(task), key=key)
        witness = Witness(Seen(key), _INTENTS.decode(kept.source))
        witness.seen.load(row for row in rows if row.digest != _INTENT)
        return witness

    def _profile(self, tx: "WatchTransaction", tool: Tool, call: ProposedCall) -> Profile:
        defined = _object(tool.definition.encode())
        described, schema = defined.get("description"), defined.get("inputSchema")
        standing = self._standing(tx.servers.get(tool.server))
        found = profile_of(
            tool.name,
            described if isinstance(described, str) else "",
            schema if isinstance(schema, dict) else {},
            label=_LABELS.get(standing),
            consequential=tool.consequential and not _reads_only(defined),
            house=House(domains=self.domains, members=standing in _MEMBERS),
        )
        return found.named(call.action)

    def _standing(self, server: Server | None) -> ServerStanding:
        if server is None:
            return ServerStanding.OUTSIDE
        return ServerStanding.RECORDS if server.name in self.trusted else server.standing


def _reads_only(defined: JsonObject) -> bool:
    """Whether the definition says so: pinned, a person approved it, so it is the installation's word."""
    hints = defined.get("annotations")
    return isinstance(hints, dict) and hints.get("readOnlyHint") is True


def answer_of(result: bytes) -> Json:
    """What the agent reads of an answer: structured content, else its texts, JSON where they are JSON."""
    told = _object(result).get("result")
    if not isinstance(told, dict):
        return None
    structured = told.get("structuredContent")
    if structured is not None:
        return structured
    blocks = told.get("content")
    # Under a name that says what it is: the text of a block is prose, however short.
    return (
        {"text": [_text(block) for block in blocks if isinstance(block, dict)]}
        if isinstance(blocks, list)
        else None
    )


def _text(block: JsonObject) -> Json:
    embedded = block.get("resource")
    text = (embedded if isinstance(embedded, dict) else block).get("text")
    if not isinstance(text, str) or text.lstrip()[:1] not in {"{", "["}:
        return text if isinstance(text, str) else None
    try:
        return parse_json(text.encode())
    except MalformedJson:
        return text


def _object(raw: bytes) -> JsonObject:
    """A JSON object; what is none, or too large to look at, tells nothing, and so vouches for nothing."""
    try:
        found = msgspec.json.decode(raw) if raw else None
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _intent_row(intent: Intent) -> Row:
    told = msgspec.json.encode(intent, order="deterministic").decode()
    return Row(digest=_INTENT, label=Label.USER, source=told, anchored=False, written=False)
