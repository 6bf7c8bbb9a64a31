"""The approval page behind a signed one-time link: opening it changes nothing, only its form does."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from remit.kernel.canonical import same_bytes
from remit.kernel.errors import RemitError, TooLarge
from remit.kernel.ids import ApprovalId
from remit.oversight.approvals.approval import Answer, Approval
from remit.oversight.approvals.card import draw
from remit.oversight.approvals.service import AnswerProof
from remit.oversight.approvals.visible import Shown, show
from remit.oversight.errors import AnswerNotProven
from remit.surface.web.errors import status_of

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE: Final = Path(__file__).parent
_FORM_LIMIT: Final = 4096
_IDENT_LIMIT: Final = 64
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    # Never the path, which is the secret. Not `no-referrer`: with it a browser's form has no origin to show
    # (Fetch, "append a request Origin header"), and the page's own answer would be refused.
    "Referrer-Policy": "strict-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class FormTooLarge(TooLarge):
    """The form holds more than its two fields."""

    code = "form_too_large"


class Asks(Protocol):
    """What the page needs of approvals."""

    async def get(self, ident: ApprovalId) -> Approval:
        """One ask."""

    async def answer(self, ident: ApprovalId, *, answer: Answer, proof: AnswerProof) -> Approval:
        """Give it its one answer."""


class ApprovalPages:
    """Renders an ask from its stored bytes, and takes the answer of the person the link was made for."""

    def __init__(
        self,
        *,
        asks: Asks,
        read_link: Callable[[str, datetime], AnswerProof],
        now: Callable[[], datetime],
        name_of: Callable[[str], str],
        issuer: str,
    ) -> None:
        self._asks = asks
        self._name_of = name_of
        self._read_link = read_link
        self._now = now
        self._issuer = issuer

    @cached_property
    def _templates(self) -> "Environment":
        """Loaded for the first page: a server must be ready before anybody can be asked anything."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415

        return Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
        )

    def routes(self) -> list[BaseRoute]:
        """`/approvals/<id>` (the bell), `/approve/<link>` (the card) and the stylesheet."""
        return [
            Route("/approvals/{ident}", self.ring, methods=["GET"]),
            Route("/approve/{link}", self.show, methods=["GET"]),
            Route("/approve/{link}", self.decide, methods=["POST"]),
            Mount("/assets", StaticFiles(directory=_HERE / "assets"), name="assets"),
        ]

    async def ring(self, request: Request) -> Response:
        """Say that an ask waits, to whoever holds the address that an agent was given.

        It names nobody, tells nothing about the ask, and looks the same whether there is one: who was asked
        gets in with their own key, by their own link.
        """
        ident = show(request.path_params["ident"][:_IDENT_LIMIT]).text
        text = self._templates.get_template("message.html").render(
            issuer=self._issuer,
            title="Somebody is asked",
            text="If you were asked, get your own one-time link, or answer on the command line. "
            "Nothing can be answered from here.",
            next=f"remit approval link {ident}",
        )
        return HTMLResponse(text, headers=_HEADERS)

    async def show(self, request: Request) -> Response:
        """Show the ask as it stands: pending with a form, or its final outcome and who decided."""
        link = request.path_params["link"]
        try:
            proof, approval = await self._open(link)
        except RemitError as refused:
            return self._refused(refused)
        return self._page(approval, proof, link)

    async def decide(self, request: Request) -> Response:
        """Take the answer; the link is burnt with it. 303 afterwards, so that a reload repeats nothing."""
        link = request.path_params["link"]
        try:
            proof, approval = await self._open(link)
            answer = await _read_form(request, link=link, issuer=self._issuer)
            await self._asks.answer(approval.id, answer=answer, proof=proof)
        except RemitError as refused:
            return self._refused(refused)
        return RedirectResponse(request.url.path, status_code=303, headers=_HEADERS)

    async def _open(self, link: str) -> tuple[AnswerProof, Approval]:
        proof = self._read_link(link, self._now())
        return proof, await self._asks.get(proof.approval)

    def _page(self, approval: Approval, proof: AnswerProof, link: str) -> Response:
        card = draw(approval)
        text = self._templates.get_template("approval.html").render(
            issuer=self._issuer,
            approval=approval,
            card=card,
            pointers=[show(line.pointer) for line in card.arguments],
            agent=show(approval.agent_name),
            user=show(approval.user_name),
            purpose=show(approval.purpose),
            reason=show(approval.reason),
            rule=show(approval.rule),
            approvers=show(approval.approvers),
            tool=show(approval.tool),
            chain=[show(hop) for hop in approval.chain],
            decided_by=self._answerer(approval, proof),
            csrf=_csrf(link),
        )
        return HTMLResponse(text, headers=_HEADERS)

    def _answerer(self, approval: Approval, proof: AnswerProof) -> Shown | None:
        if approval.decided_by is None:
            return None
        return show("you" if approval.decided_by == proof.by else self._name_of(approval.decided_by))

    def _refused(self, refused: RemitError) -> Response:
        text = self._templates.get_template("message.html").render(
            issuer=self._issuer,
            title="This can't be answered here",
            text=refused.hint,
            next=refused.next_step or "remit approval list --mine",
        )
        return HTMLResponse(text, status_code=status_of(refused), headers=_HEADERS)


async def _read_form(request: Request, *, link: str, issuer: str) -> Answer:
    """Read the answer, only from our own page: same origin, and the token that only the page held."""
    origin = request.headers.get("origin")
    if origin is not None and origin != issuer:
        raise AnswerNotProven("the answer came from another page")
    form = await _fields(request)
    if not same_bytes(form.get("csrf", "").encode(), _csrf(link).encode()):
        raise AnswerNotProven("the form is not the page's own; open the link again")
    try:
        return Answer(form.get("answer", ""))
    except ValueError as unknown:
        raise AnswerNotProven("say approve or deny") from unknown


async def _fields(request: Request) -> dict[str, str]:
    """Read a small urlencoded form whose fields occur once each."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _FORM_LIMIT:
            raise FormTooLarge(f"the form is larger than {_FORM_LIMIT} bytes")
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=4)
    except ValueError as broken:
        raise AnswerNotProven("the form can't be read; open the link again") from broken
    if len(dict(pairs)) != len(pairs):
        raise AnswerNotProven("the form says something twice")
    return dict(pairs)


def _csrf(link: str) -> str:
    """What a form must bring along: known only to whoever opened this very link."""
    return hashlib.sha256(b"remit/approval-form/v1\0" + link.encode()).hexdigest()
