"""What a task may still use: its budget, and a door for programs that meter models themselves."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from remit.app.bindings.usage import UsageMeter, Using
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.tasks import Task
from remit.kernel.ids import TaskId
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.schemas.usage import BudgetView, NewUsage, UsageAnswer, UsageOutcome, UsageView


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRoutes:
    """What the noun `usage` needs."""

    usage: UsageMeter
    seen: Callable[[Inbound[Nothing, Any]], Awaitable[Task]]
    """Finds the task of a request, for whoever may see it."""

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="getTaskBudget",
                summary="What is used of every limit of a task and of what it stands on",
                method=Method.GET,
                path="/tasks/{task}/budget",
                scopes=(Scope.READ, Scope.ACT),
                handler=self._budget,
                body=Nothing,
                query=Nothing,
                answer=list[BudgetView],
            ),
            Operation(
                name="reserveUsage",
                summary="Hold what the caller is about to use of a model, in a task that it acts in",
                method=Method.POST,
                path="/tasks/{task}/usage",
                scopes=(Scope.ACT,),
                handler=self._reserve,
                body=NewUsage,
                query=Nothing,
                answer=UsageAnswer,
            ),
            Operation(
                name="settleUsage",
                summary="Say what was used under a key; the rest of what was held is given back",
                method=Method.POST,
                path="/tasks/{task}/usage/{key}/outcome",
                scopes=(Scope.ACT,),
                handler=self._settle,
                body=UsageOutcome,
                query=Nothing,
                answer=UsageView,
            ),
        ]

    async def _budget(self, inbound: Inbound[Nothing, Nothing]) -> list[BudgetView]:
        found = await self.usage.standing(await self.seen(inbound), at=inbound.at)
        return [BudgetView.of_standing(each) for each in found]

    async def _reserve(self, inbound: Inbound[NewUsage, Nothing]) -> UsageAnswer:
        body = inbound.body
        using = Using(
            task=TaskId(inbound.path["task"]),
            key=body.key,
            amounts=body.reserve,
            envelope=body.envelope or None,
        )
        return UsageAnswer.of(await self.usage.reserve(inbound.caller.subject, using, at=inbound.at))

    async def _settle(self, inbound: Inbound[UsageOutcome, Nothing]) -> UsageView:
        task, key, used = TaskId(inbound.path["task"]), inbound.path["key"], inbound.body.used
        held = await self.usage.settle(inbound.caller.subject, task, key, used, at=inbound.at)
        return UsageView(
            decision=held.id, key=key, used={meter.value: amount for meter, amount in used.items()}
        )
