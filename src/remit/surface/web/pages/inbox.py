"""My inbox: what waits for a person, alike asks on one card, and one answer to a whole card (N19, CB-17)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from remit.authority.tokens import Proof
from remit.identity.sessions import Session
from remit.identity.sign_in_service import AnswerQuestion, ProvenAnswer
from remit.kernel.canonical import sha256
from remit.kernel.errors import RemitError
from remit.kernel.ids import ApprovalId, PrincipalId, TenantId
from remit.oversight.approvals.approval import Answer, Approval
from remit.oversight.approvals.card import title_of
from remit.oversight.approvals.service import AnswerProof
from remit.oversight.approvals.visible import Shown, show
from remit.oversight.attention.fold import ITEMS, Bundle, leaves_of
from remit.oversight.attention.service import FOLD, AttentionService, Outcome
from remit.oversight.errors import AnswerNotProven, PasskeyNeeded
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import options_text
from remit.surface.web.schemas.attention import amount_of, line

INBOX: Final = "/me/inbox"
TOGETHER: Final = f"{INBOX}/together"
_PAGE: Final = 20
_IDENT: Final = 64
_USED_FOR: Final = timedelta(hours=1)
"""How long it is remembered that an answer was given: longer than its question lives."""
_REFUSED: Final = "This can't be answered here"


class Confirms(Protocol):
    """What the page needs of passkeys."""

    async def ask_answer(
        self, human: PrincipalId, *, about: str, answers: Sequence[str], bound_to: str
    ) -> AnswerQuestion | None:
        """A question with a challenge for each answer; None if the person has no passkey."""

    async def prove_answer(
        self, text: str, *, ticket: str, human: PrincipalId, about: str, answer: str, bound_to: str
    ) -> ProvenAnswer:
        """Verify that the person's passkey signed this very answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLine:
    """One ask of a card: what differs from the others, and its digest."""

    id: str
    user: Shown
    resource: Shown
    amount: str
    values: list[Shown]
    expires_at: datetime
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLine:
    """One card as the list tells it."""

    address: str
    count: int
    headline: Shown
    agent: Shown
    users: list[Shown]
    apart: Shown | None
    final: bool
    amount: str
    expires_at: datetime


class InboxPages:
    """Own cards; nobody sees another's."""

    def __init__(
        self,
        *,
        own: Own,
        attention: AttentionService,
        confirms: Confirms,
        tenant: TenantId,
        now: Callable[[], datetime],
    ) -> None:
        self._own = own
        self._attention = attention
        self._confirms = confirms
        self._tenant = tenant
        self._now = now

    def routes(self) -> list[BaseRoute]:
        """`/me/inbox`, and the page of one card below it."""
        return [
            Route(INBOX, self._own.page(self._list), methods=["GET"]),
            Route(TOGETHER, self._own.page(self._show), methods=["GET"]),
            Route(TOGETHER, self._decide, methods=["POST"]),
        ]

    async def _list(self, _request: Request, session: Session) -> Response:
        found = await self._attention.inbox(session.human, after=None, limit=_PAGE)
        return self._own.draw(
            "inbox.html", session, cards=[_card(each) for each in found.cards], more=found.last is not None
        )

    async def _show(self, request: Request, session: Session) -> Response:
        """Every item of the card, whole; nothing is answered by opening it."""
        idents = _idents(request.query_params.get("items", ""))
        try:
            card = await self._attention.card(session.human, idents)
            question = await self._confirms.ask_answer(
                session.human, about=card.digest, answers=tuple(Answer), bound_to=_bound(session, card.digest)
            )
        except RemitError as refused:
            return self._refused(refused)
        await self._attention.show(session.human, idents)
        return self._draw(card, question, csrf=self._own.door.csrf(request, _form(idents)), session=session)

    async def _decide(self, request: Request) -> Response:
        """Take one answer to all of it, with the passkey that signed the digest over every item."""
        idents = _idents(request.query_params.get("items", ""))
        try:
            fields = await self._own.door.read_form(request, _form(idents))
            session = await self._own.door.current_session(request)
            if session is None:
                return self._own.door.sign_in_first(request)
            answer = _answer(fields)
            card = await self._attention.card(session.human, idents)
            proof = await self._proof(session, card, answer, fields)
            outcome = await self._attention.answer(idents, answer=answer, proof=proof)
        except RemitError as refused:
            return self._refused(refused)
        return self._told(outcome)

    async def _proof(
        self, session: Session, card: Bundle, answer: Answer, fields: dict[str, str]
    ) -> AnswerProof:
        if "ticket" not in fields:
            raise PasskeyNeeded(
                "a whole card is answered with a passkey, or on the command line",
                next_step="remit approval inbox",
            )
        proven = await self._confirms.prove_answer(
            fields.get("response", ""),
            ticket=fields["ticket"],
            human=session.human,
            about=card.digest,
            answer=answer,
            bound_to=_bound(session, card.digest),
        )
        once = Proof(key=f"passkey:{proven.human}", jti=proven.nonce, keep_until=self._now() + _USED_FOR)
        return AnswerProof(
            by=proven.human,
            tenant=self._tenant,
            approval=FOLD,
            digest=card.digest,
            channel="passkey",
            once=once,
        )

    def _draw(
        self, card: Bundle, question: AnswerQuestion | None, *, csrf: str, session: Session
    ) -> Response:
        first = card.items[0]
        values = leaves_of(first)
        return self._own.draw(
            "together.html",
            session,
            ceremony=question is not None,
            ticket="" if question is None else question.ticket,
            options={}
            if question is None
            else {answer: options_text(each) for answer, each in question.options.items()},
            headline=show(first.action),
            effect=show(first.effect or "changes what it names"),
            agent=show(first.agent_name),
            reason=show(first.reason),
            rule=show(first.rule),
            policy=first.policy_version,
            approvers=show(first.approvers),
            tool=show(first.tool),
            varying=[show(pointer) for pointer in card.varying],
            same=[
                (show(pointer), show(_text(first, pointer)))
                for pointer in values
                if pointer not in card.varying
            ],
            items=[_item(each, card.varying) for each in card.items],
            total=_total(card),
            expires_at=card.expires_at,
            digest=card.digest,
            csrf=csrf,
        )

    def _told(self, outcome: Outcome) -> Response:
        said = "Approved" if outcome.answer is Answer.APPROVE else "Denied"
        left = f" {len(outcome.left_out)} had ended meanwhile and were left out." if outcome.left_out else ""
        return self._own.paper.page(
            "message.html",
            title=f"{said}: {len(outcome.settled)}",
            text=f"Each was settled by itself, and each is on record.{left}",
            next="remit approval inbox",
        )

    def _refused(self, refused: RemitError) -> Response:
        return self._own.paper.refused(refused, title=_REFUSED, next_step="remit approval inbox")


def together(idents: Sequence[str]) -> str:
    """The address of the page of one card."""
    return f"{TOGETHER}?items={quote(','.join(idents), safe=',')}"


def _card(card: Bundle) -> CardLine:
    first = card.items[0]
    several = len(card.items) > 1
    users = dict.fromkeys(each.user_name for each in card.items if each.user_name)
    return CardLine(
        address=together([each.id for each in card.items]) if several else f"/approvals/{first.id}",
        count=len(card.items),
        headline=show(first.action if several else title_of(first)),
        agent=show(first.agent_name),
        users=[show(each) for each in list(users)[:3]],
        apart=show(card.apart) if card.apart else None,
        final=not first.reversible,
        amount=_total(card),
        expires_at=card.expires_at,
    )


def _item(ask: Approval, varying: Sequence[str]) -> ItemLine:
    return ItemLine(
        id=ask.id,
        user=show(ask.user_name),
        resource=show(ask.resource),
        amount=amount_of(ask),
        values=[show(_text(ask, pointer)) for pointer in varying],
        expires_at=ask.expires_at,
        digest=ask.digest,
    )


def _text(ask: Approval, pointer: str) -> str:
    return line(pointer, leaves_of(ask)[pointer]).value.text


def _total(card: Bundle) -> str:
    """The money that would move in all; alike asks have one currency."""
    first = card.items[0]
    if first.amount is None:
        return ""
    summed = sum(each.amount or 0 for each in card.items)
    return amount_of(replace(first, amount=summed))


def _idents(text: str) -> list[ApprovalId]:
    return [ApprovalId(each[:_IDENT]) for each in text.split(",")[: ITEMS + 1] if each]


def _answer(fields: dict[str, str]) -> Answer:
    try:
        return Answer(fields.get("answer", ""))
    except ValueError as unknown:
        raise AnswerNotProven("say approve or deny") from unknown


def _bound(session: Session, digest: str) -> str:
    """What the question of a card is bound to: this session and these items."""
    return sha256(f"remit/card-page/v1\0{session.id}\0{digest}".encode())


def _form(idents: Sequence[str]) -> str:
    """Each card has a form of its own: no other page's answer fits it."""
    return f"card:{','.join(idents)}"
