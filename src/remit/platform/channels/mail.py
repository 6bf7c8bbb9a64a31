"""Mail by SMTP: TLS at once or by STARTTLS, the name verified, nothing sent in the clear (RFC 8314).

Plain SMTP goes to hosts that the operator registered only, as to a relay on the same machine.
"""

import asyncio
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from remit.kernel.errors import Unavailable
from remit.kernel.outbound import Destination
from remit.oversight.notices.delivery import Parcel, Receipt
from remit.oversight.notices.errors import Rejected
from remit.platform.channels.dial import Dial
from remit.platform.channels.wording import stamp, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiosmtplib import SMTP

_PORTS: Final = {"smtps": 465, "smtp": 587}
_SECONDS: Final = 10.0
_PERMANENT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Sends through the relay that the channel names. `tls` gives the authorities that are believed."""

    dial: Dial
    tls: "Callable[[], ssl.SSLContext]"
    name: str
    """What we call ourselves in EHLO: the host of our own address."""

    async def send(self, parcel: Parcel) -> Receipt:
        """250 at the end of the message: the relay answers for it from now on (RFC 5321 §4.2.5)."""
        from aiosmtplib import (  # noqa: PLC0415 — only who sends mail pays for loading it
            SMTPException,
            SMTPResponseException,
        )

        try:
            return await self._send(parcel)
        except ssl.SSLError as unverified:
            raise Rejected("the relay's certificate can't be verified") from unverified
        except SMTPResponseException as refused:
            if refused.code >= _PERMANENT:
                raise Rejected(f"status {refused.code}") from refused
            raise Unavailable(f"status {refused.code}") from refused
        except (SMTPException, OSError) as broken:
            if isinstance(broken.__cause__, ssl.SSLError):
                raise Rejected("the relay's certificate can't be verified") from broken
            raise Unavailable(_why(broken)) from broken

    async def _send(self, parcel: Parcel) -> Receipt:
        url = urlsplit(parcel.channel.url)
        relay = Destination(host=(url.hostname or "").lower(), port=url.port or _PORTS[url.scheme])
        context = await asyncio.to_thread(self.tls)
        client = await self._open(relay, url.scheme, context)
        try:
            await self._secure(client, relay, url.scheme, context)
            if parcel.channel.account:
                await client.login(parcel.channel.account, parcel.secrets.key)
            await client.sendmail(parcel.channel.sender, [parcel.address], bytes(message_of(parcel)))
        finally:
            client.close()
        return Receipt.DELIVERED

    async def _open(self, relay: Destination, scheme: str, context: ssl.SSLContext) -> "SMTP":
        from aiosmtplib import SMTP  # noqa: PLC0415 — as above

        client = SMTP(
            hostname=relay.host,
            sock=await self.dial.connect(relay),
            use_tls=scheme == "smtps",
            start_tls=False,
            tls_context=context,
            local_hostname=self.name,
            timeout=_SECONDS,
        )
        await client.connect()
        return client

    async def _secure(self, client: "SMTP", relay: Destination, scheme: str, context: ssl.SSLContext) -> None:
        """SAFETY: without STARTTLS neither password nor message leaves, whatever the other side offers."""
        if scheme == "smtps":
            return
        await client.ehlo()
        if client.supports_extension("starttls"):
            await client.starttls(server_hostname=relay.host, tls_context=context)
        elif not self.dial.is_registered(relay):
            raise Rejected("the relay offers no STARTTLS")


def message_of(parcel: Parcel) -> EmailMessage:
    """The mail: a subject of ours alone, plain text, and the same as HTML without anything to load."""
    mail = EmailMessage()
    mail["From"] = parcel.channel.sender
    mail["To"] = parcel.address
    mail["Subject"] = parcel.letter.title
    mail["Date"] = format_datetime(parcel.at)
    mail["Message-ID"] = f"<{parcel.id}@{parcel.channel.sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: nobody's assistant answers this
    mail["Remit-Message"] = parcel.id
    mail.set_content(f"{text_of(parcel)}\n\n{_FOOT}\n")
    mail.add_alternative(_html(parcel), subtype="html")
    return mail


_FOOT: Final = "Opening the link answers nothing. You sign in first, and answer on the page."
_PAPER: Final = "font:16px/1.5 sans-serif;max-width:34em;margin:2em auto;padding:0 1em"


def _html(parcel: Parcel) -> str:
    letter = parcel.letter
    until = f"<p>Until {stamp(letter.ends_at)}.</p>" if letter.ends_at else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="color-scheme" content="light dark"></head>'
        f'<body style="{_PAPER}"><h1 style="font-size:1.25em">{escape(letter.title)}</h1>'
        f"<p><bdi>{escape(letter.sentence)}</bdi></p>{until}"
        f'<p><a href="{escape(parcel.link)}">Open the page</a></p>'
        f'<p style="font-size:.85em">{escape(_FOOT)}<br>{escape(parcel.link)}</p></body></html>'
    )


def _why(broken: Exception) -> str:
    return f"mail relay: {type(broken).__name__}"
