"""Asks: list, show, answer with a person's own signature, get the link to the page."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from remit.app.bindings.beside import CardDesk
from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.errors import NotFound
from remit.kernel.ids import ApprovalId, Entropy
from remit.kernel.jose.keys import Signer
from remit.oversight.approvals.answers import issue_link
from remit.oversight.approvals.approval import Answer, Approval
from remit.oversight.approvals.scope import Choice
from remit.oversight.approvals.service import AnswerProof, ApprovalService
from remit.oversight.errors import AnswerNotProven, NotAnApprover
from remit.surface.web.caller import Caller, unseen
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, page_of
from remit.surface.web.schemas.oversight import (
    AnswerEvidence,
    ApprovalLine,
    ApprovalQuery,
    ApprovalView,
    EvidencesView,
    LinkView,
    SignedAnswer,
)

_USES: Final = 50
"""Calls that are listed with a bounded yes, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRoutes:
    """What the noun needs: the service, a reader of signed answers, our present key for links, the issuer."""

    service: ApprovalService
    cards: CardDesk
    read_answer: Callable[[str, datetime, Choice | None], Awaitable[tuple[Answer, AnswerProof]]]
    """Verifies a person's signed answer with the keys that are registered now."""
    link_signer: Callable[[], Signer]
    issuer: str
    entropy: Entropy

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="listApprovals",
                summary="Asks, newest first",
                method=Method.GET,
                path="/approvals",
                scopes=(Scope.READ,),
                handler=self._page,
                body=Nothing,
                query=ApprovalQuery,
                answer=Page[ApprovalLine],
            ),
            Operation(
                name="getApproval",
                summary="One ask, whole",
                method=Method.GET,
                path="/approvals/{approval}",
                scopes=(Scope.READ, Scope.ACT),
                handler=self._get,
                body=Nothing,
                query=Nothing,
                answer=ApprovalView,
            ),
            Operation(
                name="answerApproval",
                summary="Answer with the person's own signature over the digest",
                method=Method.POST,
                path="/approvals/{approval}/answer",
                scopes=(Scope.APPROVE, Scope.WRITE),
                handler=self._answer,
                body=SignedAnswer,
                query=Nothing,
                answer=ApprovalView,
                verified=True,
            ),
            Operation(
                name="revokeApproval",
                summary="Take a yes back; it covers no call from now on",
                method=Method.POST,
                path="/approvals/{approval}/revoke",
                scopes=(Scope.APPROVE, Scope.WRITE),
                handler=self._revoke,
                body=Nothing,
                query=Nothing,
                answer=ApprovalView,
            ),
            Operation(
                name="getApprovalEvidence",
                summary="The signatures behind an ask's answers, to be verified by whoever wants to",
                method=Method.GET,
                path="/approvals/{approval}/evidence",
                scopes=(Scope.READ,),
                handler=self._evidence,
                body=Nothing,
                query=Nothing,
                answer=EvidencesView,
            ),
            Operation(
                name="linkApproval",
                summary="The one-time address of the approval page, for the caller alone",
                method=Method.POST,
                path="/approvals/{approval}/link",
                scopes=(Scope.APPROVE, Scope.WRITE),
                handler=self._link,
                body=Nothing,
                query=Nothing,
                answer=LinkView,
                verified=True,
            ),
        ]

    async def _page(self, inbound: Inbound[Nothing, ApprovalQuery]) -> Page[ApprovalLine]:
        query, caller = inbound.query, inbound.caller
        only_own = query.mine or not caller.sees_all
        found = await self.service.page(
            state=query.state,
            asked=caller.principal if only_own else None,
            after=query.cursor,
            limit=query.limit + 1,
        )
        return page_of(found, limit=query.limit, key=lambda each: each.id, view=ApprovalLine.of)

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> ApprovalView:
        approval, caller = await self._visible(inbound.path["approval"], inbound.caller), inbound.caller
        # SAFETY: an agent that knew how it is compared and weighed would know what to write.
        weighs = caller.person and (caller.principal in approval.asked or caller.sees_all)
        known = await self.cards.beside(approval) if weighs else None
        if approval.scope is None:
            return ApprovalView.of(approval, known)
        left, uses = await self.service.uses(approval.id, limit=_USES)
        return ApprovalView.of(approval, known, left, uses)

    async def _revoke(self, inbound: Inbound[Nothing, Nothing]) -> ApprovalView:
        """By whoever gave it, was asked, or may answer anything; not by an agent, nor for it to gain by."""
        caller = inbound.caller
        approval = await self._visible(inbound.path["approval"], caller)
        may = {*approval.asked, *approval.asked_before, *approval.said, approval.user}
        if not caller.person or (caller.principal not in may and not caller.sees_all):
            raise NotAnApprover(
                "a yes is taken back by somebody who was asked, or for whom it was asked",
                next_step=f"remit approval show {approval.id}",
            )
        return ApprovalView.of(await self.service.revoke(approval.id, by=caller.principal))

    async def _evidence(self, inbound: Inbound[Nothing, Nothing]) -> EvidencesView:
        approval = await self._visible(inbound.path["approval"], inbound.caller)
        found = await self.service.evidence(approval.id)
        return EvidencesView(
            approval=approval.id,
            digest=approval.digest,
            issuer=self.issuer,
            items=[AnswerEvidence.of(each) for each in found],
        )

    async def _answer(self, inbound: Inbound[SignedAnswer, Nothing]) -> ApprovalView:
        approval = await self._visible(inbound.path["approval"], inbound.caller)
        scope = inbound.body.scope
        choice = None if scope is None else scope.choice()
        answer, proof = await self.read_answer(inbound.body.signature, inbound.at, choice)
        if proof.by != inbound.caller.principal:
            raise AnswerNotProven("the signature is not the caller's", next_step="sign with your own key")
        settled = await self.service.answer(ApprovalId(approval.id), answer=answer, proof=proof)
        return ApprovalView.of(settled)

    async def _link(self, inbound: Inbound[Nothing, Nothing]) -> LinkView:
        approval = await self._visible(inbound.path["approval"], inbound.caller)
        if inbound.caller.principal not in approval.asked:
            raise NotAnApprover(
                "only who was asked gets a link", next_step=f"remit approval show {approval.id}"
            )
        secret = issue_link(
            approval,
            to=inbound.caller.principal,
            signer=self.link_signer(),
            issuer=self.issuer,
            at=inbound.at,
            entropy=self.entropy,
        )
        return LinkView(url=f"{self.issuer}/approve/{secret}")

    async def _visible(self, ident: str, caller: Caller) -> Approval:
        try:
            approval = await self.service.get(ApprovalId(ident))
        except NotFound as absent:
            raise unseen("approval", next_step="remit approval list --mine") from absent
        party = {*approval.asked, approval.user, approval.instance, approval.agent}
        if caller.principal not in party and not caller.sees_all:
            raise unseen("approval", next_step="remit approval list --mine")
        return approval
