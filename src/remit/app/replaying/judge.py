"""Judges pages of decisions; in this process, or in one beside it that has nothing but what it is told."""

from collections.abc import Mapping
from typing import NamedTuple

from remit.app.bindings.trials import GatewayReader
from remit.app.replaying.page import Beside, Page, Row
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.admission import compile_bundle
from remit.decision.policy.bundle import Bundle, PolicyVersion
from remit.decision.replaying.recorded import Remembered, remembered
from remit.decision.replaying.replay import Replay, Replayer
from remit.platform.storage.repositories.decision import recorded


class Text(NamedTuple):
    """A version as it was published."""

    text: str
    version: PolicyVersion

    def compiled(self) -> Bundle:
        """Ready to evaluate."""
        return compile_bundle(self.text, version=self.version)


class Judge:
    """Asks the candidate and whatever version made a decision; pages come in their order."""

    def __init__(self, candidate: Bundle, *, snapshot: Snapshot | None = None) -> None:
        self._known = Beside()
        self._versions: dict[str, Bundle | None] = {}
        self._replayer = Replayer(
            candidate,
            made_with=self._versions.__getitem__,
            reader=GatewayReader(),
            snapshot=snapshot,
        )

    def learn(self, versions: Mapping[str, Bundle | None]) -> None:
        """Know versions by the name that decisions give them; None for one that is not believed."""
        self._versions.update(versions)

    def judge(self, page: Page) -> Replay:
        """What the candidate changes about a page."""
        if page.anew:
            self._known = Beside()
        self._known.take(page.news)
        found = Replay()
        self._replayer.replay(map(self._remembered, page.rows), found)
        return found

    def _remembered(self, row: Row) -> Remembered:
        """With the same object for the same thing, page by page: alike calls are found by that."""
        known, stored = self._known, recorded(row.stored)
        told = stored.explanation
        tool = known.tools[row.tool] if row.tool else None
        if tool is not None and tool.digest != row.definition:
            tool = None
        agent = known.parties[told.agent]
        if tool is not None:
            server = known.servers[tool.server]
        else:
            server = None if row.tool else known.servers[told.action.partition("/")[0]]
        return remembered(
            stored=stored,
            arguments=row.arguments,
            server=server,
            tool=tool,
            named_tool=bool(row.tool),
            agent=agent,
            blueprint=known.parties[agent.blueprint] if agent is not None and agent.blueprint else None,
            user=known.parties[told.user] if told.user else None,
            companions=tuple([known.parties[each] for each in told.companions]),
            task=known.tasks[told.task] if told.task is not None else None,
            key=known.keys[told.token] if told.token else None,
        )
