"""The approval page behind a signed one-time link: opening it changes nothing, only its form does."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.identity.sign_in_service import AnswerQuestion, ProvenAnswer
from remit.kernel.canonical import same_bytes, sha256
from remit.kernel.errors import NotFound, RemitError
from remit.kernel.ids import ApprovalId, PrincipalId
from remit.oversight.approvals.approval import Answer, Approval, ApprovalState
from remit.oversight.approvals.beside import Beside
from remit.oversight.approvals.card import draw
from remit.oversight.approvals.scope import Choice, word
from remit.oversight.approvals.service import AnswerProof
from remit.oversight.approvals.visible import Shown, show
from remit.oversight.errors import AnswerNotProven
from remit.surface.web.forms import ForeignForm
from remit.surface.web.pages.approval_scope import from_address, from_form, offer
from remit.surface.web.pages.paper import HEADERS, Paper, options_text
from remit.surface.web.session import SessionDoor

_IDENT_LIMIT: Final = 64
_REFUSED: Final = "This can't be answered here"


class Asks(Protocol):
    """What the page needs of approvals."""

    async def get(self, ident: ApprovalId) -> Approval:
        """One ask."""

    async def answer(self, ident: ApprovalId, *, answer: Answer, proof: AnswerProof) -> Approval:
        """Give it its one answer."""


class Cards(Protocol):
    """What the page needs beside the ask's own bytes."""

    async def beside(self, approval: Approval) -> Beside:
        """What was asked like it, whom it reaches, what its agent had read."""


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


class ApprovalPages:
    """Renders an ask from its stored bytes, and takes the answer of the person the link was made for.

    Where that person has a passkey, the link alone answers nothing: the passkey signs the answer.
    """

    def __init__(
        self,
        *,
        asks: Asks,
        read_link: Callable[[str, datetime], AnswerProof],
        own_link: Callable[[Approval, PrincipalId], str],
        confirms: Confirms,
        cards: Cards,
        door: SessionDoor,
        paper: Paper,
        now: Callable[[], datetime],
        name_of: Callable[[str], str],
    ) -> None:
        self._asks = asks
        self._name_of = name_of
        self._read_link = read_link
        self._own_link = own_link
        self._confirms = confirms
        self._cards = cards
        self._door = door
        self._paper = paper
        self._now = now

    def routes(self) -> list[BaseRoute]:
        """`/approvals/<id>` (the bell), `/approve/<link>` (the card)."""
        return [
            Route("/approvals/{ident}", self.ring, methods=["GET"]),
            Route("/approve/{link}", self.show, methods=["GET"]),
            Route("/approve/{link}", self.decide, methods=["POST"]),
        ]

    async def ring(self, request: Request) -> Response:
        """Say that an ask waits, to whoever holds the address that an agent was given.

        It names nobody, tells nothing about the ask, and looks the same whether there is one. Who was asked
        gets in with their own key, by their own link; whoever of them is signed in here goes straight on.
        """
        ident = show(request.path_params["ident"][:_IDENT_LIMIT]).text
        mine = await self._mine(request)
        if mine is not None:
            return RedirectResponse(f"/approve/{mine}", status_code=303, headers=dict(HEADERS))
        return self._paper.page(
            "message.html",
            title="Somebody is asked",
            text="If you were asked, get your own one-time link, or answer on the command line. "
            "Nothing can be answered from here.",
            next=f"remit approval link {ident}",
        )

    async def show(self, request: Request) -> Response:
        """Show the ask as it stands: pending with a form, or its final outcome and who decided."""
        link = request.path_params["link"]
        try:
            proof, approval = await self._open(link)
            choice = from_address(approval, request.query_params)
            question = await self._question(approval, proof, link, choice)
        except RemitError as refused:
            return self._refused(refused)
        elsewhere = self._paper.at_home(request) if question is not None else None
        if elsewhere is not None:
            return elsewhere
        return self._page(approval, proof, link, question, choice, await self._cards.beside(approval))

    async def decide(self, request: Request) -> Response:
        """Take the answer; the link is burnt with it. 303 afterwards, so that a reload repeats nothing."""
        link = request.path_params["link"]
        try:
            proof, approval = await self._open(link)
            fields = await self._read_form(request, link=link)
            answer = _answer(fields)
            choice = from_form(fields.get("scope", "")) if answer is Answer.APPROVE else None
            proven = await self._proven(approval, replace(proof, choice=choice), link, answer, fields)
            await self._asks.answer(approval.id, answer=answer, proof=proven)
        except RemitError as refused:
            return self._refused(refused)
        return RedirectResponse(request.url.path, status_code=303, headers=dict(HEADERS))

    async def _mine(self, request: Request) -> str | None:
        """The link of a signed-in person who was asked, or None."""
        session = await self._door.current_session(request)
        if session is None:
            return None
        try:
            approval = await self._asks.get(ApprovalId(request.path_params["ident"]))
        except NotFound:
            return None
        return self._own_link(approval, session.human) if session.human in approval.asked else None

    async def _question(
        self, approval: Approval, proof: AnswerProof, link: str, choice: Choice | None
    ) -> AnswerQuestion | None:
        """The question to the person's passkey: one challenge per answer, for this digest and scope."""
        if approval.state is not ApprovalState.PENDING:
            return None
        return await self._confirms.ask_answer(
            proof.by, about=approval.digest, answers=_words(choice), bound_to=_page_name(link)
        )

    async def _proven(
        self, approval: Approval, proof: AnswerProof, link: str, answer: Answer, fields: dict[str, str]
    ) -> AnswerProof:
        """The link's proof, the passkey behind it; without one the service judges if that is enough."""
        if "ticket" not in fields:
            return proof
        proven = await self._confirms.prove_answer(
            fields.get("response", ""),
            ticket=fields["ticket"],
            human=proof.by,
            about=approval.digest,
            answer=word(answer.value, proof.choice),
            bound_to=_page_name(link),
        )
        once = replace(proof.once, key=f"passkey:{proven.human}", jti=proven.nonce)
        return replace(proof, channel="passkey", once=once, passkey=proven.kept)

    async def _open(self, link: str) -> tuple[AnswerProof, Approval]:
        proof = self._read_link(link, self._now())
        return proof, await self._asks.get(proof.approval)

    def _page(
        self,
        approval: Approval,
        proof: AnswerProof,
        link: str,
        question: AnswerQuestion | None,
        choice: Choice | None,
        beside: Beside,
    ) -> Response:
        card = draw(approval)
        return self._paper.page(
            "approval.html",
            ceremony=question is not None,
            ticket="" if question is None else question.ticket,
            options={}
            if question is None
            else {answer.partition(":")[0]: options_text(each) for answer, each in question.options.items()},
            offer=offer(approval, choice),
            scope=None if approval.scope is None else show(approval.scope.choice.sentence),
            chosen=None if choice is None else show(choice.sentence),
            seats=[(show(seat.who), place == approval.seat) for place, seat in enumerate(approval.seats)],
            approval=approval,
            card=card,
            beside=beside,
            pointers=[show(line.pointer) for line in card.arguments],
            action=show(f"{approval.action} on {approval.resource}"),
            agent=show(approval.agent_name),
            user=show(approval.user_name),
            company=[show(name) for name in approval.companion_names],
            purpose=show(approval.purpose),
            reason=show(approval.reason),
            rule=show(approval.rule),
            approvers=show(approval.approvers),
            tool=show(approval.tool),
            chain=[show(hop) for hop in approval.chain],
            decided_by=self._answerer(approval, proof),
            csrf=_csrf(link),
        )

    def _answerer(self, approval: Approval, proof: AnswerProof) -> Shown | None:
        if approval.decided_by is None:
            return None
        return show("you" if approval.decided_by == proof.by else self._name_of(approval.decided_by))

    def _refused(self, refused: RemitError) -> Response:
        return self._paper.refused(refused, title=_REFUSED, next_step="remit approval list --mine")

    async def _read_form(self, request: Request, *, link: str) -> dict[str, str]:
        """Read the answer, only from our own page: same origin, and the token that only the page held."""
        try:
            fields = await self._door.read_visitor(request)
        except ForeignForm as foreign:
            raise AnswerNotProven("the answer came from another page") from foreign
        if not same_bytes(fields.pop("csrf", "").encode(), _csrf(link).encode()):
            raise AnswerNotProven("the form is not the page's own; open the link again")
        return fields


def _answer(fields: dict[str, str]) -> Answer:
    try:
        return Answer(fields.get("answer", ""))
    except ValueError as unknown:
        raise AnswerNotProven("say approve or deny") from unknown


def _words(choice: Choice | None) -> tuple[str, ...]:
    """What each answer would sign: a yes to exactly the scope that is shown, and a no."""
    return (word(Answer.APPROVE.value, choice), Answer.DENY.value)


def _page_name(link: str) -> str:
    """What the question of a page is bound to: its link, of which nothing can be told from this."""
    return sha256(b"remit/approval-page/v1\0" + link.encode())


def _csrf(link: str) -> str:
    """What a form must bring along: known only to whoever opened this very link."""
    return hashlib.sha256(b"remit/approval-form/v1\0" + link.encode()).hexdigest()
