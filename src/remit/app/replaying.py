"""Decisions on record, read with what belongs to them and made again with a candidate policy."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Generic, TypeVar

from remit.app.bindings.trials import GatewayReader
from remit.app.ground import Ground
from remit.app.recalling import Said, said_of
from remit.authority.tasks import Task
from remit.authority.tokens import IssuedToken
from remit.decision.policy.admission import compile_bundle
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.seal import SealBroken, prove
from remit.decision.policy_service import PolicyService
from remit.decision.replaying.recorded import RecordedDecision, Remembered, remembered
from remit.decision.replaying.replay import Replay, Replayer
from remit.identity.principals import Principal
from remit.identity.tools import Server, Tool
from remit.kernel.ids import PrincipalId, ServerId, TaskId, TokenId, ToolId
from remit.platform.storage.unit_of_work import SqlTransaction

LIMIT: Final = 1_000_000
"""Decisions that one replay may take, the newest."""
USUAL: Final = 100_000
"""Decisions that a replay takes if nobody says how many: what an administrator waits for."""
_PAGE: Final = 500
_KNOWN_LIMIT: Final = 8192
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of it, and whether older decisions of the time were left out."""

    found: Replay
    more: bool


class ReplayService:
    """Makes decisions again; nothing is stored or recorded of it."""

    def __init__(self, ground: Ground, policies: PolicyService) -> None:
        self._ground = ground
        self._policies = policies
        self._reader = GatewayReader()

    async def run(self, text: str, *, since: datetime, limit: int = USUAL) -> Replayed:
        """Replay a text over the newest decisions since then, oldest first; raises `PolicyRefused`.

        A page is in memory at a time; what is kept over pages is bounded by agents, tokens and marks.
        """
        candidate = await self._policies.draft(text)
        after = await self._ground.work.read(lambda tx: tx.decisions.before_newest(limit, since))
        found, more, known = Replay(), bool(after), dict[str, Bundle | None]()
        replayer = Replayer(
            candidate,
            made_with=known.__getitem__,
            reader=self._reader,
            snapshot=self._ground.snapshots.current(),
        )
        beside = _Beside()
        while found.total < limit:
            page = await self._ground.work.read(
                partial(_page, beside=beside, since=since, after=after, limit=min(_PAGE, limit - found.total))
            )
            if not page:
                break
            await self._learn(page, known)
            await asyncio.to_thread(replayer.replay, page, found)
            after = page[-1].stored.id
        return Replayed(found=found, more=more)

    async def _learn(self, page: Sequence[Remembered], known: dict[str, Bundle | None]) -> None:
        """Prove and compile the versions that the decisions were made with."""
        for name in {each.stored.explanation.verdict.policy_version for each in page} - known.keys():
            policy = await self._policies.get(int(name.removeprefix("v")))
            try:
                if policy is not None:
                    prove(policy, tenant=self._ground.tenant, keys=self._ground.keys)
            except SealBroken:
                policy = None
            known[name] = None if policy is None else compile_bundle(policy.text, version=policy.version)


def _page(
    tx: SqlTransaction, *, beside: "_Beside", since: datetime, after: str, limit: int
) -> list[Remembered]:
    found = tx.decisions.onward(since=since, after=after, limit=limit)
    told = said_of(tx, found)
    return [_remembered(tx, beside, each, told[each.id]) for each in found]


class _Beside:
    """What decisions stand beside, read once: alike things of different pages are the same object."""

    def __init__(self) -> None:
        self.parties = _Once[PrincipalId, Principal]()
        self.tasks = _Once[TaskId, Task]()
        self.tokens = _Once[TokenId, IssuedToken]()
        self.tools = _Once[ToolId, Tool]()
        self.servers = _Once[str, Server]()


class _Once(Generic[K, V]):
    """Reads each thing once, as long as there are not too many."""

    def __init__(self) -> None:
        self._known: dict[K, V | None] = {}

    def get(self, ident: K, read: Callable[[K], V | None]) -> V | None:
        """The thing of that id."""
        if ident not in self._known:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            self._known[ident] = read(ident)
        return self._known[ident]


def _remembered(tx: SqlTransaction, beside: _Beside, stored: RecordedDecision, said: Said) -> Remembered:
    told = stored.explanation

    def party(ident: str | None) -> Principal | None:
        return beside.parties.get(PrincipalId(ident), tx.principals.get) if ident else None

    tool = beside.tools.get(ToolId(said.tool), tx.tools.get) if said.tool else None
    if tool is not None and tool.digest != said.definition:
        tool = None
    agent = party(told.agent)
    token = beside.tokens.get(TokenId(told.token), tx.tokens.get) if told.token else None
    return remembered(
        stored=stored,
        arguments=said.arguments,
        server=_server(tx, beside, told.action, tool, named=said.tool),
        tool=tool,
        named_tool=bool(said.tool),
        agent=agent,
        blueprint=party(agent.blueprint) if agent is not None else None,
        user=party(told.user),
        companions=tuple([party(each) for each in told.companions]),
        task=beside.tasks.get(told.task, tx.tasks.get) if told.task is not None else None,
        key=token.key if token is not None else None,
    )


def _server(
    tx: SqlTransaction, beside: _Beside, action: str, tool: Tool | None, *, named: str
) -> Server | None:
    if tool is not None:
        return beside.servers.get(tool.server, lambda ident: tx.servers.get(ServerId(ident)))
    return None if named else beside.servers.get(action.partition("/")[0], tx.servers.named)
