"""A client that is a document at an https URL (draft-ietf-oauth-client-id-metadata-document).

What stands there is said by whoever owns the host, and by nobody else; it comes by the one guarded way out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.authority.oauth.clients.keys import read_jwks_text
from remit.authority.oauth.clients.metadata import StatedClient, read_metadata
from remit.authority.oauth.clients.uris import UnfitUri, check_document
from remit.authority.oauth.wire.errors import InvalidClient, OAuthError
from remit.kernel.canonical import JsonLimits, parse_object
from remit.kernel.errors import Invalid, RemitError, TooLarge
from remit.kernel.outbound import Outbound, OutboundRefused, OutboundRequest, OutboundResponse

DOCUMENT_BYTES: Final = 5 << 10
JWKS_BYTES: Final = 64 << 10
SECONDS: Final = 3.0
SHORTEST: Final = timedelta(seconds=60)
LONGEST: Final = timedelta(hours=24)
UNSTATED: Final = timedelta(minutes=5)
"""How long a document counts whose server says nothing of it."""
_LIMITS: Final = JsonLimits(size=DOCUMENT_BYTES, depth=8, members=256, string=4 << 10)
_MEDIA: Final = re.compile(r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json", re.IGNORECASE)
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=([0-9]{1,9})(?:$|[,\s;])", re.IGNORECASE)
_OK: Final = 200


class DocumentRefused(InvalidClient):
    """The client's metadata document can't be had, or does not hold; nobody is redirected anywhere."""

    code = "client_document_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedDocument:
    """A document that holds together, and until when it need not be fetched again."""

    stated: StatedClient
    fresh_until: datetime


class NoWayOut:
    """`Outbound` of an installation that fetches nothing."""

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        """Refuse, whatever it is."""
        raise OutboundRefused(f"nothing is fetched from here; `{request.method}` was asked for")


class Documents:
    """Fetches metadata documents and key sets: one GET each, no redirect, bounded bytes and time.

    1 the URL is one of a document   2 it answers 200 with JSON   3 `client_id` in it is the URL, byte for
    byte   4 the metadata hold, without a shared secret   5 keys behind an address are fetched too
    """

    def __init__(self, *, outbound: Outbound) -> None:
        self._outbound = outbound

    async def fetch(self, client_id: str, *, at: datetime) -> FetchedDocument:
        """Run the steps. Raises `DocumentRefused`; what failed is never remembered."""
        try:
            check_document(client_id)
        except UnfitUri as unfit:
            raise DocumentRefused(unfit.hint, reason="document_url") from unfit
        answer = await self._get(client_id, largest=DOCUMENT_BYTES)
        stated = read_document(client_id, answer)
        if stated.jwks_uri is not None:
            stated = replace(stated, jwks=await self.keys(stated.jwks_uri))
        return FetchedDocument(stated=stated, fresh_until=at + freshness(answer.headers))

    async def keys(self, uri: str) -> str:
        """A key set by its address, as canonical text. Raises `DocumentRefused`."""
        answer = await self._get(uri, largest=JWKS_BYTES)
        try:
            return read_jwks_text(answer.body)
        except RemitError as refused:
            raise DocumentRefused(refused.hint, reason="document_keys") from refused

    async def _get(self, url: str, *, largest: int) -> OutboundResponse:
        request = OutboundRequest(
            method="GET",
            url=url,
            headers={"Accept": "application/json"},
            largest_answer=largest,
            timeout=SECONDS,
        )
        try:
            answer = await self._outbound.send(request)
        except RemitError as failed:
            # One sentence for all: what our network looks like is nobody's to probe.
            raise DocumentRefused(
                "the client's document can't be fetched", reason="document_unreachable", debug=failed.hint
            ) from failed
        if answer.status != _OK or not _MEDIA.fullmatch(_media(answer.headers)):
            raise DocumentRefused(
                "the client's document can't be fetched", reason="document_status", debug=str(answer.status)
            )
        return answer


def read_document(client_id: str, answer: OutboundResponse) -> StatedClient:
    """Read a document that came from that URL. Raises `DocumentRefused`."""
    try:
        document = parse_object(answer.body, limits=_LIMITS)
    except (Invalid, TooLarge) as malformed:
        raise DocumentRefused("the client's document is not JSON", reason="document_json") from malformed
    if document.get("client_id") != client_id:
        raise DocumentRefused("`client_id` in the document is not its address", reason="document_id")
    try:
        return read_metadata(document, lenient=True)
    except OAuthError as refused:
        raise DocumentRefused(
            f"the client's document: {refused.hint}", reason="document_metadata"
        ) from refused


def freshness(headers: Mapping[str, str]) -> timedelta:
    """How long an answer counts (RFC 9111 §5.2.2.1), within 60 s and 24 h."""
    control = headers.get("cache-control", "")
    found = _MAX_AGE.search(control)
    stated = timedelta(seconds=int(found.group(1))) if found else UNSTATED
    if "no-store" in control.lower() or "no-cache" in control.lower():
        stated = SHORTEST
    return min(max(stated, SHORTEST), LONGEST)


def _media(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip()
