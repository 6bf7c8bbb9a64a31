"""Decisions on record as evidence of what agents need, read page by page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from remit.app.bindings.trials import GatewayReader
from remit.app.recalling import said_of
from remit.assurance.posture.profile import Profile, profile_of
from remit.assurance.posture.use import Standing, Use, standing_of
from remit.authority.rights import Money
from remit.decision.answer.response import Effect
from remit.decision.call.actions import METHODS, action_of
from remit.decision.facts.snapshot import Snapshot
from remit.decision.trail.trace import StoredDecision
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import JsonObject, parse_object, sha256
from remit.kernel.errors import RemitError
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

LIMIT: Final = 200_000
"""Decisions that one lesson reads, the newest."""
_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which decisions: of one agent, or of all where it is empty; `until` is outside."""

    agent: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The uses that were found, newest first, and whether older ones were left out."""

    uses: tuple[Use, ...]
    more: bool


class Evidence:
    """Reads what was decided; with arguments only where they are wanted, for that opens sealed text."""

    def __init__(self, work: SqlUnitOfWork) -> None:
        self._work = work

    async def read(self, window: Window, snapshot: Snapshot, *, opened: bool, limit: int = LIMIT) -> Trace:
        """The decisions of a window as uses; discovery is none."""
        look = _Look(snapshot)
        found: list[Use] = []
        seen, after = 0, ""
        while seen < limit:
            page, uses = await self._work.read(
                partial(_page, window=window, after=after, look=look, opened=opened)
            )
            if not page:
                return Trace(uses=tuple(found), more=False)
            found += uses
            seen, after = seen + len(page), page[-1].id
        return Trace(uses=tuple(found), more=True)


def _page(
    tx: SqlTransaction, *, window: Window, after: str, look: "_Look", opened: bool
) -> tuple[list[StoredDecision], list[Use]]:
    page = list(tx.decisions.page(agent=window.agent, since=window.since, after=after, limit=_PAGE))
    wanted = [
        stored
        for stored in page
        if stored.explanation.at < window.until and not _discovers(stored.explanation.action)
    ]
    # Nothing is opened of a call that was not permitted.
    passed = [each for each in wanted if opened and each.explanation.verdict.effect is Effect.PERMIT]
    told = said_of(tx, passed[::-1])
    return page, [
        look.use(each, _arguments(each, told[each.id].arguments) if each.id in told else {})
        for each in wanted
    ]


def _arguments(stored: StoredDecision, text: str | None) -> JsonObject | None:
    """The arguments of a call, if they are those that were decided on."""
    if text is None or sha256(text.encode()) != stored.explanation.arguments:
        return None
    return parse_object(text.encode()) if text else {}


def _discovers(action: str) -> bool:
    return METHODS.get(action.partition("/")[2], False)


class _Look:
    """What a snapshot says about the calls of the past."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._tools = tools_by_action(snapshot)
        self._reader = GatewayReader()

    def use(self, stored: StoredDecision, arguments: JsonObject | None) -> Use:
        """One decision as a use."""
        told = stored.explanation
        kind, _, name = told.resource.partition(":")
        standing = standing_of(stored, self._stopped)
        if arguments is None and standing is Standing.GOOD:
            standing = Standing.UNREADABLE
        return Use(
            decision=stored.id, at=told.at, agent=told.agent, agent_name=told.agent_name,
            user=told.user or "", task=told.task or "", action=told.action, resource_type=kind,
            resource=name, arguments=arguments, money=self._money(told.action, arguments),
            standing=standing, approved=stored.approval is not None,
        )  # fmt: skip

    def _stopped(self, ident: str) -> bool:
        """A task that ended and a consent that was taken back are buried too; only a kill is meant here."""
        found = self._snapshot.tombstone(ident)
        return found is not None and found.cause.startswith("kil")

    def _money(self, action: str, arguments: JsonObject | None) -> Money | None:
        if not arguments:
            return None
        for server, tool in self._tools.get(action, ()):
            if tool.mapping is None or tool.mapping.money is None:
                continue
            try:
                return self._reader.tool(server, tool, arguments).money
            except RemitError:
                # The tool reads its arguments otherwise now: of this call it is not known what was paid.
                return None
        return None


def tools_by_action(snapshot: Snapshot) -> dict[str, list[tuple[Server, Tool]]]:
    """The tools that carry out each action, as they are pinned now."""
    found: dict[str, list[tuple[Server, Tool]]] = {}
    for tool in snapshot.tools.values():
        server = snapshot.servers.get(tool.server)
        if server is not None:
            found.setdefault(action_of(server, tool), []).append((server, tool))
    return found


def profiles(snapshot: Snapshot, actions: Iterable[str]) -> Mapping[str, Profile]:
    """What is known of these actions."""
    known = tools_by_action(snapshot)
    return {
        action: profile_of([tool for _, tool in known.get(action, ())]) for action in dict.fromkeys(actions)
    }
