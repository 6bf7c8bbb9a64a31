"""Two requests that tell if a provider knows us: a code that is none, and a question without a person."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from urllib.parse import urlsplit

from remit.identity.upstream.discovery import LIMITS
from remit.identity.upstream.leaving import Aim, Leaving, LeavingBox
from remit.identity.upstream.provider import IdentityProvider
from remit.kernel.canonical import parse_object
from remit.kernel.errors import RemitError
from remit.kernel.outbound import OutboundResponse
from remit.kernel.secret import Secret

NO_CODE: Final = "remit-doctor-no-code"
"""Stands where a code would: no provider gave it, so none redeems it."""
_CREATED: Final = 201
_LONGEST: Final = 64


class Speaks(Protocol):
    """`speaker.Speaker`: the requests of a sign-in, with what came back, whatever it is."""

    async def try_code(
        self, provider: IdentityProvider, secret: Secret | None, leaving: Leaving, code: str, *, at: datetime
    ) -> OutboundResponse:
        """Send a code to the token endpoint."""

    async def try_request(
        self, provider: IdentityProvider, secret: Secret | None, leaving: Leaving, state: str, *, at: datetime
    ) -> OutboundResponse:
        """Push our request, or show it to the authorization endpoint with `prompt=none`."""

    def back(self, provider: IdentityProvider) -> str:
        """Our redirect URI there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a provider said. `returned`: it sent us on to our own redirect URI; `pushed`: it took a push."""

    status: int
    error: str = ""
    returned: bool = False
    pushed: bool = False
    unreached: str = ""

    def said(self) -> str:
        """To say it in a sentence."""
        return self.unreached or f"status {self.status}{f' (`{self.error}`)' if self.error else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks as a sign-in does, with a request that no browser holds: whatever comes of it lets nobody in."""

    speaker: Speaks
    box: LeavingBox

    def back(self, provider: IdentityProvider) -> str:
        """Our redirect URI there."""
        return self.speaker.back(provider)

    async def redeem_nothing(
        self, provider: IdentityProvider, secret: Secret | None, *, at: datetime
    ) -> Answered:
        """Redeem a code that is none."""
        leaving, _ = self._leaving(provider, at)
        try:
            return _heard(await self.speaker.try_code(provider, secret, leaving, NO_CODE, at=at), "")
        except RemitError as unreached:
            return Answered(status=0, unreached=unreached.hint)

    async def ask_quietly(
        self, provider: IdentityProvider, secret: Secret | None, *, at: datetime
    ) -> Answered:
        """Ask for somebody who is not there."""
        leaving, state = self._leaving(provider, at)
        try:
            reply = await self.speaker.try_request(provider, secret, leaving, state, at=at)
        except RemitError as unreached:
            return Answered(status=0, unreached=unreached.hint)
        return _heard(reply, self.back(provider))

    def _leaving(self, provider: IdentityProvider, at: datetime) -> tuple[Leaving, str]:
        nobody = {"visit": "examination", "onward": ""}
        return self.box.leave(provider, aim=Aim.SIGN_IN, max_age=timedelta(hours=1), at=at, **nobody)


def _heard(reply: OutboundResponse, back: str) -> Answered:
    return Answered(
        status=reply.status,
        error=_error(reply),
        returned=bool(back) and _place(reply.headers.get("location", "")) == back,
        pushed=reply.status == _CREATED,
    )


def _place(url: str) -> str:
    try:
        return urlsplit(url)._replace(query="", fragment="").geturl()
    except ValueError:
        return ""


def _error(reply: OutboundResponse) -> str:
    """The error code of an answer (RFC 6749 §5.2); empty if it has none that could be shown."""
    try:
        found = parse_object(reply.body, limits=LIMITS).get("error")
    except RemitError:
        return ""  # a page, or nothing: then the status is all that is said
    return found if isinstance(found, str) and found.isprintable() and len(found) <= _LONGEST else ""
