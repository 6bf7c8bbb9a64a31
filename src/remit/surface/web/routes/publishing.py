"""What a person does with published policy: prove it, put it in force, take it back."""

from dataclasses import dataclass
from typing import Any

from remit.app.replaying.service import ReplayService
from remit.authority.oauth.wire.scopes import Scope
from remit.decision.policy_service import PolicyService
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.schemas.decision import VersionView
from remit.surface.web.schemas.publishing import EnforceBody, PolicyProof, RollbackBody
from remit.surface.web.schemas.replaying import ReplayBody, ReplayView


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingRoutes:
    """What the verbs `enforce`, `rollback` and `verify` of the noun `policy` need."""

    policies: PolicyService
    replays: ReplayService

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="enforcePolicy",
                summary="Put a version's text in force for all, as a new version",
                method=Method.POST,
                path="/policies/enforce",
                scopes=(Scope.ADMIN,),
                handler=self._enforce,
                body=EnforceBody,
                query=Nothing,
                answer=VersionView,
                status=201,
            ),
            Operation(
                name="rollbackPolicy",
                summary="Put an older text in force for all, as a new version",
                method=Method.POST,
                path="/policies/rollback",
                scopes=(Scope.ADMIN,),
                handler=self._rollback,
                body=RollbackBody,
                query=Nothing,
                answer=VersionView,
                status=201,
            ),
            Operation(
                name="verifyPolicies",
                summary="Whether every version is what was signed, and the chain is whole",
                method=Method.POST,
                path="/policies/verify",
                scopes=(Scope.READ,),
                handler=self._verify,
                body=Nothing,
                query=Nothing,
                answer=PolicyProof,
            ),
            Operation(
                name="replayPolicy",
                summary="What a candidate would have answered to decisions on record; nothing is stored",
                method=Method.POST,
                path="/policies/replay",
                scopes=(Scope.ADMIN,),
                handler=self._replay,
                body=ReplayBody,
                query=Nothing,
                answer=ReplayView,
            ),
        ]

    async def _replay(self, inbound: Inbound[ReplayBody, Nothing]) -> ReplayView:
        # It opens sealed arguments, so it is for administrators alone.
        require_admin(inbound.caller, what="replay decisions")
        body = inbound.body
        return ReplayView.of(await self.replays.run(body.text, since=body.since, limit=body.limit))

    async def _enforce(self, inbound: Inbound[EnforceBody, Nothing]) -> VersionView:
        require_admin(inbound.caller, what="put policy in force")
        version = await self.policies.enforce(
            inbound.body.version, by=inbound.caller.principal, at=inbound.at
        )
        return VersionView(version=version.number, digest=version.digest)

    async def _rollback(self, inbound: Inbound[RollbackBody, Nothing]) -> VersionView:
        require_admin(inbound.caller, what="roll policy back")
        version = await self.policies.rollback(inbound.body.to, by=inbound.caller.principal, at=inbound.at)
        return VersionView(version=version.number, digest=version.digest)

    async def _verify(self, inbound: Inbound[Nothing, Nothing]) -> PolicyProof:
        require_admin(inbound.caller, what="prove policy")
        return PolicyProof.of(await self.policies.verify())
