"""The caller's inbox, one answer to a whole card, budgets of attention, and how well people answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.errors import Invalid
from remit.kernel.ids import ApprovalId, PrincipalId
from remit.oversight.approvals.approval import Answer
from remit.oversight.approvals.service import AnswerProof
from remit.oversight.attention.budget import DEFAULT
from remit.oversight.attention.repository import Slot
from remit.oversight.attention.service import AttentionService
from remit.oversight.errors import AnswerNotProven
from remit.surface.web.caller import Caller, NotAPerson, require_admin, unseen
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, page_of
from remit.surface.web.routes.entries import Entries
from remit.surface.web.schemas.attention import (
    ApproverBudgetBody,
    ApproverBudgetView,
    CardAnswer,
    CardOutcome,
    InboxCard,
    InboxPage,
    InboxQuery,
    QualityQuery,
    QualityView,
    RepeatProposal,
    RepeatQuery,
    ShownAsks,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LOOK: Final = (Scope.READ, Scope.APPROVE)
_ANSWER: Final = (Scope.APPROVE, Scope.WRITE)
_BUDGET: Final = "/attention/budgets/{person}"


class CursorStrange(Invalid):
    """A cursor that no page of ours ended with."""

    code = "cursor_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRoutes:
    """What the noun needs: the service, a reader of signed answers, the directory."""

    service: AttentionService
    read_answer: Callable[[str, datetime], Awaitable[tuple[Answer, AnswerProof]]]
    entries: Entries
    name_of: Callable[[str], str]

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [*self._own_operations(), *self._measures(), *self._budgets()]

    def _own_operations(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listInbox",
                summary="What waits for the caller, alike asks on one card, the odd one beside it",
                method=Method.GET,
                path="/attention/inbox",
                scopes=_LOOK,
                handler=self._inbox,
                body=Nothing,
                query=InboxQuery,
                answer=InboxPage,
            ),
            Operation(
                name="noteShown",
                summary="Say that the caller has these asks before them: their time to think begins",
                method=Method.POST,
                path="/attention/shown",
                scopes=_ANSWER,
                handler=self._shown,
                body=ShownAsks,
                query=Nothing,
                answer=ShownAsks,
            ),
            Operation(
                name="answerCard",
                summary="Answer all items of one card with the person's own signature over its digest",
                method=Method.POST,
                path="/attention/answers",
                scopes=_ANSWER,
                handler=self._answer,
                body=CardAnswer,
                query=Nothing,
                answer=CardOutcome,
            ),
        ]

    def _measures(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listAnswerQuality",
                summary="How people have answered over thirty days: how soon, how often yes, how many a day",
                method=Method.GET,
                path="/attention/quality",
                scopes=(Scope.READ,),
                handler=self._quality,
                body=Nothing,
                query=QualityQuery,
                answer=Page[QualityView],
            ),
            Operation(
                name="listRepeats",
                summary="Rules proposed from what people answered alike, with evidence; nothing is published",
                method=Method.GET,
                path="/attention/repeats",
                scopes=(Scope.READ,),
                handler=self._repeats,
                body=Nothing,
                query=RepeatQuery,
                answer=list[RepeatProposal],
            ),
        ]

    def _budgets(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="getApproverBudget",
                summary="How much of a person's attention may be taken (`default`: everybody's)",
                method=Method.GET,
                path=_BUDGET,
                scopes=_LOOK,
                handler=self._budget,
                body=Nothing,
                query=Nothing,
                answer=ApproverBudgetView,
            ),
            Operation(
                name="setApproverBudget",
                summary="Say how much of a person's attention may be taken, and their quiet hours",
                method=Method.PUT,
                path=_BUDGET,
                scopes=(Scope.ADMIN,),
                handler=self._set_budget,
                body=ApproverBudgetBody,
                query=Nothing,
                answer=ApproverBudgetView,
            ),
            Operation(
                name="unsetApproverBudget",
                summary="Let the default hold again for a person",
                method=Method.DELETE,
                path=_BUDGET,
                scopes=(Scope.ADMIN,),
                handler=self._unset_budget,
                body=Nothing,
                query=Nothing,
                answer=ApproverBudgetView,
            ),
        ]

    async def _inbox(self, inbound: Inbound[Nothing, InboxQuery]) -> InboxPage:
        person = _person(inbound.caller)
        after = _place(inbound.query.cursor) if inbound.query.cursor else None
        found = await self.service.inbox(person, after=after, limit=inbound.query.limit)
        return InboxPage(
            items=[InboxCard.of(each) for each in found.cards],
            next="" if found.last is None else _cursor(found.last),
        )

    async def _shown(self, inbound: Inbound[ShownAsks, Nothing]) -> ShownAsks:
        idents = [ApprovalId(each) for each in inbound.body.items]
        await self.service.show(_person(inbound.caller), idents)
        return inbound.body

    async def _answer(self, inbound: Inbound[CardAnswer, Nothing]) -> CardOutcome:
        answer, proof = await self.read_answer(inbound.body.signature, inbound.at)
        if proof.by != inbound.caller.principal:
            raise AnswerNotProven("the signature is not the caller's", next_step="sign with your own key")
        idents = [ApprovalId(each) for each in inbound.body.items]
        return CardOutcome.of(await self.service.answer(idents, answer=answer, proof=proof))

    async def _quality(self, inbound: Inbound[Nothing, QualityQuery]) -> Page[QualityView]:
        """One's own, or for whoever may read everything, anybody's."""
        query, caller = inbound.query, inbound.caller
        if not query.person and caller.sees_all:
            found = await self.service.qualities(after=query.cursor, limit=query.limit + 1)
            return page_of(
                found,
                limit=query.limit,
                key=lambda each: each.person,
                view=lambda each: QualityView.of(each, self.name_of(each.person)),
            )
        person = await self.entries.person(query.person) if query.person else _person(caller)
        if person != caller.principal and not caller.sees_all:
            raise unseen("measure", next_step="remit approval quality")
        one = await self.service.quality(person)
        return Page(items=[QualityView.of(one, self.name_of(person))])

    async def _repeats(self, inbound: Inbound[Nothing, RepeatQuery]) -> list[RepeatProposal]:
        if not inbound.caller.sees_all:
            raise unseen("proposal", next_step="remit user list")
        found = await self.service.proposals(limit=inbound.query.limit)
        return [RepeatProposal.of(each) for each in found]

    async def _budget(self, inbound: Inbound[Nothing, Nothing]) -> ApproverBudgetView:
        name = await self._named(inbound.path["person"])
        if name not in {DEFAULT, inbound.caller.principal} and not inbound.caller.sees_all:
            raise unseen("budget", next_step="remit approval budget")
        return ApproverBudgetView.of(await self.service.budget(name), name)

    async def _set_budget(self, inbound: Inbound[ApproverBudgetBody, Nothing]) -> ApproverBudgetView:
        require_admin(inbound.caller, what="say how much of somebody's attention may be taken")
        name = await self._named(inbound.path["person"])
        budget = await self.service.set_budget(inbound.body.budget(name), by=inbound.caller.principal)
        return ApproverBudgetView.of(budget, name)

    async def _unset_budget(self, inbound: Inbound[Nothing, Nothing]) -> ApproverBudgetView:
        require_admin(inbound.caller, what="say how much of somebody's attention may be taken")
        name = await self._named(inbound.path["person"])
        budget = await self.service.unset_budget(name, by=inbound.caller.principal)
        return ApproverBudgetView.of(budget, name)

    async def _named(self, person: str) -> str:
        return DEFAULT if person == DEFAULT else await self.entries.person(person)


def _person(caller: Caller) -> PrincipalId:
    if not caller.person:
        raise NotAPerson("only people are asked", next_step="remit approval list")
    return caller.principal


def _cursor(slot: Slot) -> str:
    return f"{slot.rank}.{(slot.expires_at - _EPOCH) // _MICROSECOND}.{slot.approval}"


def _place(cursor: str) -> Slot:
    rank, _, rest = cursor.partition(".")
    end, _, ident = rest.partition(".")
    if not (rank.isdecimal() and end.isdecimal() and len(end) <= 17 and len(rank) == 1 and ident):  # noqa: PLR2004 — microseconds up to the year 5138
        raise CursorStrange("`cursor` is not the `next` of a page", next_step="remit approval inbox")
    return Slot(
        rank=int(rank),
        expires_at=_EPOCH + int(end) * _MICROSECOND,
        approval=ApprovalId(ident),
        alike=None,
    )
