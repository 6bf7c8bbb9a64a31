"""What agents need, learned from what they did; and which of their rights nobody uses."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from remit.app.learning import LearningService
from remit.authority.oauth.wire.scopes import Scope
from remit.identity.service import IdentityService
from remit.surface.web.caller import require_admin, require_own
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.routes.federation import agent_named
from remit.surface.web.schemas.learning import (
    AcceptBody,
    AcceptedView,
    AccessQuery,
    AgentAccess,
    LearnBody,
    LessonsView,
    RightUseView,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningRoutes:
    """What `policy learn` and `agent access` need."""

    lessons: LearningService
    identity: IdentityService

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="learnPolicy",
                summary="Least privilege from use: rules, ceilings and questions; nothing is stored",
                method=Method.POST,
                path="/policies/learn",
                scopes=(Scope.ADMIN,),
                handler=self._learn,
                body=LearnBody,
                query=Nothing,
                answer=LessonsView,
            ),
            Operation(
                name="acceptLearned",
                summary="Put in force what was learned and seen, or try it on a part",
                method=Method.POST,
                path="/policies/learned",
                scopes=(Scope.ADMIN,),
                handler=self._accept,
                body=AcceptBody,
                query=Nothing,
                answer=AcceptedView,
                status=201,
            ),
            Operation(
                name="accessOfAgent",
                summary="Every right of an agent's ceiling: used, periodic, unused, never used",
                method=Method.GET,
                path="/agents/{ident}/access",
                scopes=(Scope.READ,),
                handler=self._access,
                body=Nothing,
                query=AccessQuery,
                answer=AgentAccess,
            ),
        ]

    async def _learn(self, inbound: Inbound[LearnBody, Nothing]) -> LessonsView:
        # It opens sealed arguments and shows values of them, so it is for administrators alone.
        require_admin(inbound.caller, what="learn from decisions")
        return LessonsView.of(await self.lessons.learn(inbound.body.wish()))

    async def _accept(self, inbound: Inbound[AcceptBody, Nothing]) -> AcceptedView:
        require_admin(inbound.caller, what="publish policy")
        body = inbound.body
        accepted = await self.lessons.accept(
            body.wish(),
            body.digest,
            share=None if body.canary is None else body.canary.share(),
            by=inbound.caller.principal,
            at=inbound.at,
        )
        return AcceptedView.of(accepted)

    async def _access(self, inbound: Inbound[Nothing, AccessQuery]) -> AgentAccess:
        agent = await agent_named(self.identity, inbound.path["ident"])
        require_own(inbound.caller, agent.id, agent.owner, what="agent")
        days = inbound.query.days
        found = await self.lessons.access(agent, at=inbound.at, window=timedelta(days=days))
        return AgentAccess(agent=agent.name, days=days, rights=[RightUseView.of(each) for each in found])
