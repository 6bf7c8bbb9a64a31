"""Asks: list, show, answer with a person's own signature, get the link to the page."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from remit.app.bindings.beside import CardDesk
from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.errors import NotFound
from remit.kernel.ids import ApprovalId, Entropy
from remit.kernel.jose.keys import Signer
from remit.oversight.approvals.answers import issue_link
from remit.oversight.approvals.approval import Answer, Approval
from remit.oversight.approvals.service import AnswerProof, ApprovalService
from remit.oversight.errors import AnswerNotProven, NotAnApprover
from remit.surface.web.caller import Caller, unseen
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, page_of
from remit.surface.web.schemas.oversight import (
    ApprovalLine,
    ApprovalQuery,
    ApprovalView,
    LinkView,
    SignedAnswer,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRoutes:
    """What the noun needs: the service, a reader of signed answers, our present key for links, the issuer."""

    service: ApprovalService
    cards: CardDesk
    read_answer: Callable[[str, datetime], Awaitable[tuple[Answer, AnswerProof]]]
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
        return ApprovalView.of(approval, await self.cards.beside(approval) if weighs else None)

    async def _answer(self, inbound: Inbound[SignedAnswer, Nothing]) -> ApprovalView:
        approval = await self._visible(inbound.path["approval"], inbound.caller)
        answer, proof = await self.read_answer(inbound.body.signature, inbound.at)
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
