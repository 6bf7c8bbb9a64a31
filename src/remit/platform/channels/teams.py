"""Microsoft Teams: an Adaptive Card by a workflow's webhook; it leads to the page and answers nothing."""

from dataclasses import dataclass
from typing import Any

import msgspec

from remit.kernel.outbound import Outbound
from remit.oversight.notices.delivery import Parcel, Receipt
from remit.platform.channels.exit import post
from remit.platform.channels.wording import stamp

_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Teams:
    """Posts a card to the place that the workflow posts to."""

    outbound: Outbound

    async def send(self, parcel: Parcel) -> Receipt:
        """2xx: the workflow took it."""
        body = msgspec.json.encode(card_of(parcel))
        await post(self.outbound, parcel.secrets.url, body, {"content-type": "application/json"}, gone=True)
        return Receipt.DELIVERED


def card_of(parcel: Parcel) -> dict[str, Any]:
    """Adaptive Cards 1.4. `RichTextBlock` runs are never read as Markdown, as those of `TextBlock` are."""
    letter = parcel.letter
    until = [_runs(f"Until {stamp(letter.ends_at)}.")] if letter.ends_at else []
    card = {
        "$schema": _SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": letter.title, "weight": "Bolder", "size": "Medium", "wrap": True},
            _runs(letter.sentence),
            *until,
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Open the page", "url": parcel.link}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None}
    return {"type": "message", "attachments": [{**attachment, "content": card}]}


def _runs(text: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text}]}
