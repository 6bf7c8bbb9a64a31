"""What an operator's screens ask: an agent's standing and behaviour, a task's graph, the wall, the search."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from remit.app.console.behaviour import BehaviourReader
from remit.app.console.choices import Choice
from remit.app.console.graph import GraphReader
from remit.app.console.search import SearchDesk, Seeker
from remit.app.console.standing import StandingReader
from remit.app.console.wall import WallReader
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.tasks import Task
from remit.identity.principals import Principal
from remit.surface.web.caller import Caller, NotAdministrator, NotAPerson
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, operation
from remit.surface.web.routes.entries import NOUNS, Entries
from remit.surface.web.schemas.console import (
    AgentStanding,
    BehaviourQuery,
    BehaviourView,
    HitView,
    SearchQuery,
    SettingView,
    WallView,
)
from remit.surface.web.schemas.graph import GraphView


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleRoutes:
    """The read models that no single noun owns."""

    entries: Entries
    behaviour: BehaviourReader
    standing: StandingReader
    graph: GraphReader
    search: SearchDesk
    wall: WallReader
    settings: Callable[[], Iterable[Choice]]
    task_seen: Callable[[Inbound[Nothing, Any]], Awaitable[Task]]
    """Finds the task of a request, for whoever may see it."""

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served; nothing of it changes anything."""
        return [
            operation("agentStanding", "What an agent may do at most, factor by factor, and who let it",
                      "GET", "/agents/{ident}/standing", self._standing, answer=AgentStanding),
            Operation(
                name="agentBehaviour",
                summary="What an agent did: calls by hour, actions with their first and last time",
                method=Method.GET,
                path="/agents/{ident}/behaviour",
                scopes=(Scope.READ,),
                handler=self._behaviour,
                body=Nothing,
                query=BehaviourQuery,
                answer=BehaviourView,
            ),
            operation("taskGraph", "Who asked, through whom, narrowed how, and which tools were reached",
                      "GET", "/tasks/{task}/graph", self._graph, answer=GraphView),
            Operation(
                name="searchAll",
                summary="Anything by its id or the beginning of its name, of what the caller may see",
                method=Method.GET,
                path="/search",
                scopes=(Scope.READ,),
                handler=self._search,
                body=Nothing,
                query=SearchQuery,
                answer=list[HitView],
            ),
            operation("wall", "Rates, asks that wait, kills and alarms, as of now", "GET", "/wall",
                      self._wall, answer=WallView),
            operation("listSettings", "Every setting in force, without credentials", "GET", "/settings",
                      self._settings, answer=list[SettingView]),
        ]  # fmt: skip

    async def _standing(self, inbound: Inbound[Nothing, Nothing]) -> AgentStanding:
        return AgentStanding.of(await self.standing.of(await self._agent(inbound)))

    async def _behaviour(self, inbound: Inbound[Nothing, BehaviourQuery]) -> BehaviourView:
        agent = await self._agent(inbound)
        window = timedelta(days=inbound.query.days)
        return BehaviourView.of(await self.behaviour.of(agent.id, at=inbound.at, window=window))

    async def _graph(self, inbound: Inbound[Nothing, Nothing]) -> GraphView:
        return GraphView.of(await self.graph.of(await self.task_seen(inbound)))

    async def _search(self, inbound: Inbound[Nothing, SearchQuery]) -> list[HitView]:
        caller, query = inbound.caller, inbound.query
        if not caller.person:
            raise NotAPerson("only a person searches; an agent knows the ids of its own")
        seeker = Seeker(principal=caller.principal, sees_all=caller.sees_all)
        return [HitView.of(each) for each in await self.search.find(query.q, seeker, limit=query.limit)]

    async def _wall(self, inbound: Inbound[Nothing, Nothing]) -> WallView:
        _require_reader(inbound.caller, what="see the wall")
        return WallView.of(await self.wall.now(inbound.at))

    async def _settings(self, inbound: Inbound[Nothing, Nothing]) -> list[SettingView]:
        _require_reader(inbound.caller, what="read settings")
        return [SettingView.of(each) for each in self.settings()]

    async def _agent(self, inbound: Inbound[Nothing, Any]) -> Principal:
        return await self.entries.seen(NOUNS[0], inbound.path["ident"], inbound.caller)


def _require_reader(caller: Caller, *, what: str) -> None:
    if not caller.sees_all:
        raise NotAdministrator(
            f"only a reader or an administrator may {what}", next_step="ask one: remit user list"
        )
