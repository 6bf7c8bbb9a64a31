"""How I am reached, what I was told, and the browser's part of being notified.

INVARIANT: nothing here answers an ask. Opening a message confirms that it arrived, and leads to what it is
about; a person who is not signed in, a link scanner or a preview gets as far as the sign-in page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.app.bindings.channels import Reaching, SlackDesk
from remit.identity.sessions import Session
from remit.kernel.errors import Invalid, RemitError, TooLarge
from remit.kernel.ids import MessageId, PushDeviceId
from remit.oversight.approvals.visible import Shown, show
from remit.oversight.notices.errors import ChannelInvalid
from remit.oversight.notices.message import Message
from remit.oversight.notices.reach import Device, Subscription
from remit.platform.channels.web_push import is_allowed
from remit.surface.web.errors import status_of
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import HEADERS

CHANNELS: Final = "/me/channels"
MESSAGES: Final = "/me/messages"
_FORM: Final = "channels"
_SHOWN: Final = 50
_NAME: Final = 64
_CARD_LIMIT: Final = 64 << 10
_WORKER: Final = Path(__file__).parent / "assets" / "push-worker.js"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLine:
    """One browser as its person sees it."""

    id: str
    name: Shown
    host: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    """One message as its person sees it."""

    id: str
    title: str
    sentence: Shown
    state: str
    channel: str
    stated_at: datetime


class CardUnreadable(Invalid):
    """What came is no form of Slack's."""

    code = "card_unreadable"


class ChannelPages:
    """Own ways and messages."""

    def __init__(self, *, own: Own, reaching: Reaching) -> None:
        self._own = own
        self._service = reaching.service
        self._hosts = reaching.push_hosts

    def routes(self) -> list[BaseRoute]:
        """`/me/channels`, `/me/messages`, the worker, and where it says that a message arrived."""
        own = self._own
        form = {"name": _FORM, "back": CHANNELS, "title": "Nothing was changed"}
        return [
            Route(CHANNELS, own.page(self._show), methods=["GET"]),
            Route(f"{CHANNELS}/devices", own.form(self._add, **form), methods=["POST"]),
            Route(f"{CHANNELS}/devices/{{ident}}/remove", own.form(self._remove, **form), methods=["POST"]),
            Route(MESSAGES, own.page(self._list), methods=["GET"]),
            Route(f"{MESSAGES}/{{ident}}", own.page(self._open), methods=["GET"]),
            Route("/me/push-worker.js", self._worker, methods=["GET"]),
            Route("/me/received", self._received, methods=["POST"]),
        ]

    async def _show(self, request: Request, session: Session) -> Response:
        reachable = await self._service.reach(session.human)
        key = await self._service.push_key()
        return self._own.draw(
            "channels.html",
            session,
            ceremony=bool(key),
            key=key,
            ways=list(dict.fromkeys(_way(each.channel, each.address) for each in reachable.ways)),
            chosen=reachable.chosen,
            devices=[_device(each) for each in reachable.devices],
            csrf=self._own.door.csrf(request, _FORM),
        )

    async def _add(self, _request: Request, session: Session, fields: dict[str, str]) -> None:
        endpoint = fields.get("endpoint", "")
        if not is_allowed(endpoint, self._hosts):
            raise ChannelInvalid(
                "the push service of this browser is not one that messages are sent through here",
                next_step="ask who operates this installation to list it in `channels.push_hosts`",
            )
        await self._service.subscribe(
            session.human,
            Subscription(endpoint=endpoint, p256dh=fields.get("p256dh", ""), auth=fields.get("auth", "")),
            name=(fields.get("name", "") or session.client)[:_NAME],
            host=urlsplit(endpoint).hostname or "",
        )

    async def _remove(self, request: Request, session: Session, _fields: dict[str, str]) -> None:
        await self._service.unsubscribe(session.human, PushDeviceId(request.path_params["ident"]))

    async def _list(self, _request: Request, session: Session) -> Response:
        found = await self._service.messages(
            state=None, person=session.human, about="", after=None, limit=_SHOWN
        )
        return self._own.draw("messages.html", session, messages=[_message(each) for each in found])

    async def _open(self, request: Request, session: Session) -> Response:
        """Lead on to what it is about; whose message it is not gets the same as for none."""
        found = await self._service.confirm(MessageId(request.path_params["ident"]), person=session.human)
        to = MESSAGES if found is None else found.letter.path
        return RedirectResponse(to, status_code=303, headers=dict(HEADERS))

    async def _worker(self, _request: Request) -> Response:
        """The script that shows messages while no page is open; it may speak to us, and to nobody else."""
        headers = {
            **HEADERS,
            "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
        }
        return PlainTextResponse(
            _WORKER.read_text(encoding="utf-8"), media_type="text/javascript", headers=headers
        )

    async def _received(self, request: Request) -> Response:
        """A browser shows a message. Whoever can say its id was sent it."""
        try:
            fields = await self._own.door.read_visitor(request)
            await self._service.confirm(MessageId(fields.get("message", "")[:_NAME]))
        except RemitError as refused:
            return PlainTextResponse(refused.hint, status_code=status_of(refused))
        return Response(status_code=204)


class SlackCards:
    """Where Slack brings what was pressed on a card."""

    def __init__(self, *, cards: SlackDesk) -> None:
        self._cards = cards

    def routes(self) -> list[BaseRoute]:
        """`/channels/<name>/slack`: the address of an app's interactivity."""
        return [Route("/channels/{channel}/slack", self._pressed, methods=["POST"])]

    async def _pressed(self, request: Request) -> Response:
        """200 with a sentence for the person; Slack shows nothing of another answer."""
        try:
            body = await _read(request)
            told = await self._cards.take(
                request.path_params["channel"],
                body,
                _payload(body),
                moment=request.headers.get("x-slack-request-timestamp", ""),
                signature=request.headers.get("x-slack-signature", ""),
            )
        except RemitError as refused:
            return PlainTextResponse(refused.hint, status_code=status_of(refused), headers=dict(HEADERS))
        return PlainTextResponse(told, headers=dict(HEADERS))


async def _read(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _CARD_LIMIT:
            raise TooLarge(f"the request is larger than {_CARD_LIMIT} bytes")
    return body


def _payload(body: bytes) -> str:
    try:
        found = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=8).get("payload", [])
    except ValueError as broken:
        raise CardUnreadable("the request is no form") from broken
    if len(found) != 1:
        raise CardUnreadable("the request holds no single `payload`")
    return found[0]


def _way(channel: str, address: str) -> str:
    return f"{channel}: {show(address).text}" if address else channel


def _device(each: Device) -> DeviceLine:
    return DeviceLine(id=each.id, name=show(each.name), host=each.host, made_at=each.made_at)


def _message(each: Message) -> MessageLine:
    return MessageLine(
        id=each.id,
        title=each.letter.title,
        sentence=show(each.letter.sentence),
        state=each.state.value,
        channel=each.channel,
        stated_at=each.stated_at,
    )


def channel_pages(own: Own, reaching: Reaching) -> Sequence[BaseRoute]:
    """Everything of this room."""
    return [*ChannelPages(own=own, reaching=reaching).routes(), *SlackCards(cards=reaching.cards).routes()]
