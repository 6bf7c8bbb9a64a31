"""Somebody else's host with metadata documents, and an authorization server that believes it."""

import json
from collections.abc import Mapping
from typing import Any

from remit.authority.oauth.wire.client_options import DocumentClients, DocumentPolicy
from remit.authority.oauth.wire.options import OAuthOptions
from remit.kernel.errors import Unavailable
from remit.kernel.outbound import OutboundRequest, OutboundResponse
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.oauth import ISSUER, TRUST_DOMAIN, World

URL = "https://notes.example/client.json"
LISTED = DocumentClients(policy=DocumentPolicy.LISTED, agents={"notes.example": "mail-bot"})


class Host:
    """`Outbound` to a host that answers as a test says; what is not there can't be reached."""

    def __init__(self) -> None:
        self.pages: dict[str, OutboundResponse] = {}
        self.asked: list[OutboundRequest] = []

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        self.asked.append(request)
        if request.url not in self.pages:
            raise Unavailable("server can't be reached")
        return self.pages[request.url]

    def put(
        self,
        document: Mapping[str, Any] | bytes,
        *,
        url: str = URL,
        status: int = 200,
        media: str = "application/json",
        **headers: str,
    ) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        said = {"content-type": media, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.pages[url] = OutboundResponse(status=status, headers=said, body=body)


def document(**changes: Any) -> dict[str, Any]:
    """A metadata document as an MCP client has one; None takes a member away."""
    members = {
        "client_id": URL,
        "client_name": "Notes",
        "redirect_uris": ["http://127.0.0.1/callback", "https://notes.example/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


async def open_to_documents(
    uow: SqlUnitOfWork, host: Any, *, allowed: DocumentClients = LISTED, **options: Any
) -> World:
    chosen = OAuthOptions(issuer=ISSUER, trust_domain=TRUST_DOMAIN, documents=allowed, **options)
    return await World(uow, options=chosen, outbound=host).populate()
