"""An agent as anybody could write one: its own key, its own token, one task token per tool server.

It never sees the user's token. What it holds for a task is the envelope; with it and its own token it asks
for a token for one server (RFC 8693), bound to its key (RFC 9449).
"""

import hashlib
import time
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from remit_demo.keys import OwnKey, fresh

_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
_ENVELOPE: Final = "urn:ietf:params:oauth:token-type:txn_token"
_EARLY: Final = 30
"""Seconds before its end at which a token is taken for over."""


class Refused(Exception):
    """An endpoint said no: its OAuth error (RFC 6749 §5.2) and description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and the moment it ends, in seconds of the local clock."""

    text: str
    ends: float


class ProofOfPossession(httpx2.Auth):
    """Puts token, proof and envelope on each request; a proof is never used twice."""

    requires_request_body = True

    def __init__(self, key: OwnKey, token: str, envelope: str = "") -> None:
        self._key = key
        self._token = token
        self._envelope = envelope

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Sign one proof for exactly this method and address."""
        request.headers["Authorization"] = f"DPoP {self._token}"
        request.headers["DPoP"] = self._key.proof(
            method=request.method, url=str(request.url), token=self._token
        )
        if self._envelope:
            request.headers["Remit-Envelope"] = self._envelope
        yield request


@dataclass(slots=True)
class Agent:
    """One running instance of an agent."""

    name: str
    key: OwnKey
    issuer: str
    http: httpx2.AsyncClient
    _own: Token | None = field(default=None)

    async def own_token(self) -> str:
        """The agent's own token (RFC 6749 §4.4), proven by its key; nobody's behalf."""
        if self._own is None or self._own.ends < time.time() + _EARLY:
            self._own = await self._ask(
                {"grant_type": "client_credentials", "resource": f"{self.issuer}/api"}
            )
        return self._own.text

    async def task_token(self, envelope: str, server: str, details: str = "") -> str:
        """A token to act on the task's behalf at one server; the server builds the chain."""
        form = {
            "grant_type": _EXCHANGE,
            "subject_token": envelope,
            "subject_token_type": _ENVELOPE,
            "actor_token": await self.own_token(),
            "actor_token_type": _ACCESS,
            "resource": f"{self.issuer}/mcp/{server}",
        }
        if details:
            form["authorization_details"] = details
        return (await self._ask(form)).text

    @asynccontextmanager
    async def tools(self, server: str, *, envelope: str, mode: str = "auto") -> AsyncIterator[Client]:
        """An ordinary MCP client of the gateway."""
        token = await self.task_token(envelope, server)
        auth = ProofOfPossession(self.key, token, envelope)
        timeout = httpx2.Timeout(60.0)
        async with httpx2.AsyncClient(auth=auth, timeout=timeout, trust_env=False) as http:
            transport = streamable_http_client(f"{self.issuer}/mcp/{server}", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    def forget(self) -> None:
        """Throw the own token away, so that the next use asks for a new one."""
        self._own = None

    def delegate(
        self,
        envelope: str,
        *,
        to: str,
        rights: list[dict[str, Any]],
        task: str,
        purpose: str,
        seconds: int,
    ) -> str:
        """Add one hop for another agent: narrower rights, bound to the exact bytes so far."""
        now = int(time.time())
        ceiling = {
            "rights": [_signed_form(right) for right in rights],
            "window": {"start": now, "end": now + seconds},
            "caps": {"calls": 5},
            "depth": 0,
            "purpose": purpose,
        }
        hop = {
            "iss": self.key.principal,
            "prev": hashlib.sha256(envelope.encode()).hexdigest(),
            "next": to,
            "kind": "attenuate",
            "ceiling": ceiling,
            "txn": task,
            "depth": envelope.count("~") + 1,
            "iat": now,
            "exp": now + seconds,
            "jti": fresh(),
        }
        return f"{envelope}~{self.key.sign(hop, typ='remit-env+jwt', kid=self.key.kid)}"

    async def _ask(self, form: dict[str, str]) -> Token:
        url = f"{self.issuer}/token"
        form = {
            **form,
            "client_id": self.key.principal,
            "client_assertion_type": _ASSERTION,
            "client_assertion": self.key.assertion(issuer=self.issuer),
        }
        proof = self.key.proof(method="POST", url=url)
        answer = await self.http.post(url, data=form, headers={"DPoP": proof})
        body = answer.json()
        if answer.status_code != httpx2.codes.OK:
            raise Refused(body.get("error", "unknown"), body.get("error_description", ""))
        return Token(body["access_token"], time.time() + body["expires_in"])


def _signed_form(right: dict[str, Any]) -> dict[str, Any]:
    """A right as an envelope states it: names in order, "any" is said aloud."""
    return {
        "action": right["action"],
        "resource_type": right["resource_type"],
        "resources": "any" if right.get("any") else sorted(right["resources"]),
        "constraints": right["constraints"],
    }
