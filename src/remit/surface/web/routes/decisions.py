"""Decisions on record, decisions that are not made (`can`), and the policies they are made with."""

from dataclasses import dataclass
from typing import Any, Protocol

from remit.authority.oauth.wire.scopes import Scope
from remit.decision.policy.seal import PublishedPolicy
from remit.decision.policy_service import NoSuchPolicy, PolicyService
from remit.decision.service import DecisionService
from remit.decision.trail.trace import Explanation, StoredDecision
from remit.kernel.errors import NotFound
from remit.kernel.ids import DecisionId, UserId
from remit.surface.web.caller import Caller, require_admin, unseen
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.schemas.decision import (
    DecisionLine,
    DecisionQuery,
    DecisionView,
    FaultView,
    PolicyBody,
    PolicyCheck,
    PolicyDraft,
    PolicyView,
    Question,
    VersionView,
)


class Rehearsal(Protocol):
    """Asks the decision point without a call: the real one minus its effects (N12)."""

    async def rehearse(self, question: Question, caller: Caller) -> Explanation:
        """Explain. Raises `NotFound` for an agent, task or tool that is not there."""


class Telling(Protocol):
    """Tells what was done from the log, with its arguments (R39)."""

    async def __call__(self, decision: DecisionId) -> str:
        """One sentence; empty where nothing was permitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRoutes:
    """What the nouns `decision` and `policy` need."""

    service: DecisionService
    policies: PolicyService
    rehearsal: Rehearsal
    tell: Telling

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [*self._decisions(), *self._policies()]

    def _decisions(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listDecisions",
                summary="Decisions, newest first",
                method=Method.GET,
                path="/decisions",
                scopes=(Scope.READ,),
                handler=self._page,
                body=Nothing,
                query=DecisionQuery,
                answer=Page[DecisionLine],
            ),
            Operation(
                name="why",
                summary="One decision: every stage, nearest miss, remedy, as it was made",
                method=Method.GET,
                path="/decisions/{decision}",
                scopes=(Scope.READ, Scope.ACT),
                handler=self._why,
                body=Nothing,
                query=Nothing,
                answer=DecisionView,
            ),
            Operation(
                name="can",
                summary="What a call would be answered now, every stage; nothing is done or recorded",
                method=Method.POST,
                path="/decisions/explain",
                scopes=(Scope.READ,),
                handler=self._can,
                body=Question,
                query=Nothing,
                answer=DecisionView,
            ),
        ]

    def _policies(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listPolicies",
                summary="Versions, newest first",
                method=Method.GET,
                path="/policies",
                scopes=(Scope.READ,),
                handler=self._versions,
                body=Nothing,
                query=PageQuery,
                answer=Page[PolicyView],
            ),
            Operation(
                name="publishPolicy",
                summary="Put a Cedar policy set in force, or try it on a part",
                method=Method.POST,
                path="/policies",
                scopes=(Scope.ADMIN,),
                handler=self._publish,
                body=PolicyBody,
                query=Nothing,
                answer=VersionView,
                status=201,
            ),
            Operation(
                name="checkPolicy",
                summary="Everything that publishing would find wrong; nothing is stored",
                method=Method.POST,
                path="/policies/check",
                scopes=(Scope.READ,),
                handler=self._check,
                body=PolicyDraft,
                query=Nothing,
                answer=PolicyCheck,
            ),
            Operation(
                name="getPolicy",
                summary="One version with its text; `current` is the one in force",
                method=Method.GET,
                path="/policies/{version}",
                scopes=(Scope.READ,),
                handler=self._policy,
                body=Nothing,
                query=Nothing,
                answer=PolicyView,
            ),
        ]

    async def _page(self, inbound: Inbound[Nothing, DecisionQuery]) -> Page[DecisionLine]:
        query, caller = inbound.query, inbound.caller
        found = await self.service.page(
            agent=query.agent,
            effect=query.effect or "",
            since=query.since,
            after=query.cursor,
            limit=query.limit + 1,
        )
        page = page_of(found, limit=query.limit, key=lambda each: each.id, view=DecisionLine.of)
        if caller.sees_all:
            return page
        mine = {each.id for each in found if _party(each, caller)} if caller.person else set()
        return Page(items=[each for each in page.items if each.id in mine], next=page.next)

    async def _why(self, inbound: Inbound[Nothing, Nothing]) -> DecisionView:
        try:
            found = await self.service.why(DecisionId(inbound.path["decision"]))
        except NotFound as absent:
            raise unseen("decision", next_step="remit decision list") from absent
        if not _party(found, inbound.caller):
            raise unseen("decision", next_step="remit decision list")
        return DecisionView.stored(found, told=await self.tell(found.id), sees_all=inbound.caller.sees_all)

    async def _can(self, inbound: Inbound[Question, Nothing]) -> DecisionView:
        found = await self.rehearsal.rehearse(inbound.body, inbound.caller)
        return DecisionView.rehearsed(found, sees_all=inbound.caller.sees_all)

    async def _versions(self, inbound: Inbound[Nothing, PageQuery]) -> Page[PolicyView]:
        query = inbound.query
        before = int(query.cursor) if query.cursor.isdigit() else None
        found = await (
            self.policies.page(limit=query.limit + 1)
            if before is None
            else self.policies.page(before=before, limit=query.limit + 1)
        )
        newest, stable = await self.policies.newest(), await self.policies.in_force()

        def view(policy: PublishedPolicy) -> PolicyView:
            return PolicyView.of(policy, newest=newest, stable=stable, at=inbound.at)

        return page_of(found, limit=query.limit, key=lambda each: str(each.version.number), view=view)

    async def _publish(self, inbound: Inbound[PolicyBody, Nothing]) -> VersionView:
        require_admin(inbound.caller, what="publish policy")
        version = await self.policies.publish(
            inbound.body.text,
            by=inbound.caller.principal,
            at=inbound.at,
            number=inbound.body.version,
            share=None if inbound.body.canary is None else inbound.body.canary.share(),
        )
        return VersionView(version=version.number, digest=version.digest)

    async def _check(self, inbound: Inbound[PolicyDraft, Nothing]) -> PolicyCheck:
        faults = await self.policies.check(inbound.body.text)
        return PolicyCheck(good=not faults, faults=[FaultView.of(each) for each in faults])

    async def _policy(self, inbound: Inbound[Nothing, Nothing]) -> PolicyView:
        number = inbound.path["version"].removeprefix("v")
        if number == "current":
            found = await self.policies.in_force()
        else:
            found = await self.policies.get(int(number)) if number.isdigit() and len(number) < 19 else None  # noqa: PLR2004 — what a 64-bit column holds
        if found is None:
            raise NoSuchPolicy("no such policy is published", next_step="remit policy list")
        newest, stable = await self.policies.newest(), await self.policies.in_force()
        return PolicyView.of(found, newest=newest, stable=stable, at=inbound.at)


def _party(found: StoredDecision, caller: Caller) -> bool:
    explained = found.explanation
    if caller.person:
        return caller.sees_all or UserId(caller.principal) in {explained.user, *explained.companions}
    return explained.instance == caller.subject.instance
