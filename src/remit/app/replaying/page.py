"""Decisions on record as they are read for a replay, with what they stand beside, each thing once."""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from remit.app.recalling import said_of
from remit.authority.tasks import Task
from remit.decision.replaying.recorded import OutlinedDecision
from remit.identity.principals import Principal
from remit.identity.tools import Server, Tool
from remit.kernel.ids import PrincipalId, ServerId, TaskId, TokenId, ToolId
from remit.platform.storage.repositories.decision import Stored, outlined
from remit.platform.storage.unit_of_work import SqlTransaction

_KNOWN_LIMIT: Final = 8192
"""Things of one kind that are remembered; more than that, and all are forgotten and read anew."""
V = TypeVar("V")


class Row(NamedTuple):
    """One decision as it is stored, and what its record says: see `recalling.Said`."""

    stored: Stored
    arguments: str | None
    tool: str
    definition: str


@dataclass(slots=True)
class Beside:
    """What decisions stand beside, by id; None for what is gone."""

    parties: dict[str, Principal | None] = field(default_factory=dict)
    tasks: dict[str, Task | None] = field(default_factory=dict)
    keys: dict[str, str | None] = field(default_factory=dict)
    """What a token was bound to."""
    tools: dict[str, Tool | None] = field(default_factory=dict)
    servers: dict[str, Server | None] = field(default_factory=dict)
    """By id, and by name for what named no tool."""

    def take(self, news: "Beside") -> None:
        """Know more."""
        self.parties |= news.parties
        self.tasks |= news.tasks
        self.keys |= news.keys
        self.tools |= news.tools
        self.servers |= news.servers

    def is_full(self) -> bool:
        """Whether there is too much of some kind."""
        kinds: tuple[Sized, ...] = (self.parties, self.tasks, self.keys, self.tools, self.servers)
        return any(len(each) >= _KNOWN_LIMIT for each in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some decisions, oldest first."""

    rows: Sequence[Row]
    news: Beside
    """What no page before had; all of it where `anew`."""
    anew: bool
    """Whether what was told before is to be forgotten first."""
    versions: frozenset[str]
    last: str


class Pages:
    """Reads pages, and of what they stand beside only what is not known yet."""

    def __init__(self) -> None:
        self._known = Beside()

    def read(self, tx: SqlTransaction, *, since: datetime, after: str, limit: int) -> Page | None:
        """The page after a decision; None if there is none."""
        stored = tx.decisions.onward(since=since, after=after, limit=limit)
        if not stored:
            return None
        anew, news = self._known.is_full(), Beside()
        if anew:
            self._known = Beside()
        found = [outlined(each) for each in stored]
        told = said_of(tx, found)
        rows = [Row(each, *told[one.id]) for each, one in zip(stored, found, strict=True)]
        for one, row in zip(found, rows, strict=True):
            self._look(tx, news, one, row)
        self._known.take(news)
        return Page(
            rows=rows,
            news=news,
            anew=anew,
            versions=frozenset([each.explanation.verdict.policy_version for each in found]),
            last=found[-1].id,
        )

    def _look(self, tx: SqlTransaction, news: Beside, one: OutlinedDecision, row: Row) -> None:
        told, known = one.explanation, self._known
        agent = _once(known.parties, news.parties, told.agent, lambda it: tx.principals.get(PrincipalId(it)))
        for party in (agent.blueprint if agent is not None else None, told.user, *told.companions):
            if party:
                _once(known.parties, news.parties, party, lambda it: tx.principals.get(PrincipalId(it)))
        if told.task is not None:
            _once(known.tasks, news.tasks, told.task, lambda it: tx.tasks.get(TaskId(it)))
        if told.token:
            _once(known.keys, news.keys, told.token, lambda it: _key(tx, TokenId(it)))
        if not row.tool:
            name = told.action.partition("/")[0]
            _once(known.servers, news.servers, name, tx.servers.named)
            return
        tool = _once(known.tools, news.tools, row.tool, lambda it: tx.tools.get(ToolId(it)))
        if tool is not None:
            _once(known.servers, news.servers, tool.server, lambda it: tx.servers.get(ServerId(it)))


def _once(
    known: dict[str, V | None], news: dict[str, V | None], ident: str, read: Callable[[str], V | None]
) -> V | None:
    if ident in known:
        return known[ident]
    if ident not in news:
        news[ident] = read(ident)
    return news[ident]


def _key(tx: SqlTransaction, token: TokenId) -> str | None:
    found = tx.tokens.get(token)
    return None if found is None else found.key
