"""Slack: a card by incoming webhook, buttons for low risk alone, and what Slack signs when one is pressed."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from remit.kernel.canonical import same_bytes
from remit.kernel.outbound import Outbound
from remit.oversight.notices.delivery import Parcel, Receipt
from remit.oversight.notices.errors import Rejected
from remit.platform.channels.exit import post
from remit.platform.channels.wording import stamp, text_of

WINDOW: Final = timedelta(minutes=5)
"""How old a signed request may be (Slack, verifying requests)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """Posts a card to the place that the incoming webhook was made for."""

    outbound: Outbound

    async def send(self, parcel: Parcel) -> Receipt:
        """`ok` is a receipt: the card is in the room, whoever reads it."""
        body = msgspec.json.encode(card_of(parcel))
        told = await post(
            self.outbound, parcel.secrets.url, body, {"content-type": "application/json"}, gone=True
        )
        if told.strip() not in {b"ok", b""}:
            raise Rejected("Slack did not answer `ok`")
        return Receipt.DELIVERED


def card_of(parcel: Parcel) -> dict[str, Any]:
    """Block Kit; text of others stands in `plain_text`, which Slack never reads as markup."""
    letter = parcel.letter
    until = f" Until {stamp(letter.ends_at)}." if letter.ends_at else ""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(letter.title)},
        *([{"type": "section", "text": _mention(parcel.address)}] if parcel.address else []),
        {"type": "section", "text": _plain(letter.sentence + until)},
        {"type": "actions", "elements": [*_buttons(parcel), _open(parcel)]},
    ]
    return {"text": text_of(parcel).split("\n", 1)[0], "blocks": blocks, "unfurl_links": False}


def _buttons(parcel: Parcel) -> list[dict[str, Any]]:
    asked = parcel.answerable
    if asked is None or not parcel.address:
        return []  # nobody in particular is asked in a room
    value = f"{parcel.id} {asked.digest}"
    return [
        {
            "type": "button", "action_id": "approve", "style": "primary",
            "text": _plain("Approve"), "value": value,
        },
        {"type": "button", "action_id": "deny", "style": "danger", "text": _plain("Deny"), "value": value},
    ]  # fmt: skip


def _open(parcel: Parcel) -> dict[str, Any]:
    return {"type": "button", "action_id": "open", "text": _plain("Open the page"), "url": parcel.link}


def _mention(member: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": f"<@{member}>"}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def is_signed(body: bytes, *, moment: str, signature: str, key: str, at: datetime) -> bool:
    """Whether Slack itself sent this within `WINDOW`: `v0`, HMAC-SHA256 over version, time and body."""
    if not key or not moment.isascii() or not moment.isdigit() or len(moment) > 12:  # noqa: PLR2004 — digits of any sensible time
        return False
    if abs(at.timestamp() - int(moment)) > WINDOW.total_seconds():
        return False
    mac = hmac.new(key.encode(), b"v0:" + moment.encode() + b":" + body, hashlib.sha256).hexdigest()
    return same_bytes(signature.encode("ascii", "replace"), f"v0={mac}".encode())
