"""Policies tried out before they are published: scenarios, and what there is to name."""

from dataclasses import dataclass
from typing import Any

from remit.authority.oauth.wire.scopes import Scope
from remit.decision.policy_service import PolicyService
from remit.decision.trials.service import TrialService
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.schemas.decision import PolicyDraft
from remit.surface.web.schemas.trials import PolicySchema, TrialBody, TrialsView


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRoutes:
    """What working with policy needs; nothing here is stored or recorded."""

    trials: TrialService
    policies: PolicyService

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="testPolicy",
                summary="Scenarios judged on this installation's directory; nothing is stored",
                method=Method.POST,
                path="/policies/test",
                scopes=(Scope.READ,),
                handler=self._test,
                body=TrialBody,
                query=Nothing,
                answer=TrialsView,
            ),
            Operation(
                name="policySchema",
                summary="What policies can name: types, actions, arguments, and the zones of a text",
                method=Method.POST,
                path="/policies/schema",
                scopes=(Scope.READ,),
                handler=self._schema,
                body=PolicyDraft,
                query=Nothing,
                answer=PolicySchema,
            ),
        ]

    async def _test(self, inbound: Inbound[TrialBody, Nothing]) -> TrialsView:
        # Whoever can try any agent and any person against the rules can read out what the rules are.
        require_admin(inbound.caller, what="test policy")
        body = inbound.body
        return TrialsView.of(await self.trials.test(body.scenarios, text=body.text))

    async def _schema(self, inbound: Inbound[PolicyDraft, Nothing]) -> PolicySchema:
        return PolicySchema(schema={**await self.policies.schema(inbound.body.text)})
