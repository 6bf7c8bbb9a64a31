"""People and agents as clients: their keys, what they sign, and what comes back to them."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2

from remit.identity.principals import Kind, Principal
from remit.kernel.canonical import JsonObject
from remit.kernel.ids import AgentId, KeyId
from remit.kernel.jose import jwt
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.keys import KeyClass, PrivateKey, Signer
from remit.kernel.jose.profiles import TokenType
from remit.oversight.approvals.approval import Approval


class Refused(Exception):
    """An endpoint said no."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody with a registered key."""

    principal: Principal
    kid: KeyId
    key: PrivateKey
    issuer: str
    now: Callable[[], datetime]

    @property
    def id(self) -> str:
        return self.principal.id

    @property
    def agent(self) -> AgentId:
        """The agent of an instance."""
        assert self.principal.parent is not None
        return AgentId(self.principal.parent)

    def signer(self, key_class: KeyClass) -> Signer:
        return Signer(kid=self.kid, key_class=key_class, private=self.key)

    def proof(self, method: str, url: str, token: str | None = None) -> str:
        """A DPoP proof that nobody has used yet."""
        return make_proof(
            self.key,
            method=method,
            target=url,
            jti=secrets.token_urlsafe(16),
            at=self.now(),
            access_token=token,
        )

    def assertion(self) -> str:
        """Client authentication."""
        at = int(self.now().timestamp())
        who = {"iss": self.id, "sub": self.id, "aud": self.issuer, "jti": secrets.token_urlsafe(16)}
        human = self.principal.kind is Kind.HUMAN
        signer = self.signer(KeyClass.PERSON if human else KeyClass.CLIENT)
        return jwt.issue(
            {**who, "iat": at, "exp": at + 60}, as_type=TokenType.CLIENT_ASSERTION, signer=signer
        )

    def answer(self, approval: Approval, answer: str, *, digest: str = "") -> str:
        """The person's own signature over the digest of an ask."""
        at = int(self.now().timestamp())
        claims: JsonObject = {
            "iss": self.id,
            "aud": self.issuer,
            "apr": approval.id,
            "digest": digest or approval.digest,
            "answer": answer,
            "iat": at,
            "exp": at + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.issue(claims, as_type=TokenType.APPROVAL, signer=self.signer(KeyClass.PERSON))


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What came back from the gateway for one tool call."""

    status: int
    body: Mapping[str, Any]

    @property
    def result(self) -> dict[str, Any]:
        return dict(self.body.get("result") or {})

    @property
    def denial(self) -> dict[str, Any]:
        return dict((self.result.get("_meta") or {}).get("dev.remit/denial") or {})

    @property
    def ran(self) -> bool:
        """Whether the tool's own answer came back, even if it is the tool's own error."""
        return self.status == httpx2.codes.OK and bool(self.result) and not self.denial

    @property
    def code(self) -> str:
        """Why not, in one word."""
        if self.ran:
            return ""
        error = self.body.get("error")
        told = error.get("message", "") if isinstance(error, dict) else str(error or "")
        return str(self.denial.get("code") or told or self.status)


def called(reply: httpx2.Response) -> Called:
    """Read a JSON answer, or the answer at the end of an event stream."""
    text = reply.text
    if reply.headers.get("content-type", "").startswith("text/event-stream"):
        lines = [line[5:] for line in text.splitlines() if line.startswith("data:")]
        text = next((line for line in reversed(lines) if '"id"' in line), "{}")
    try:
        body = json.loads(text or "{}")
    except ValueError:
        body = {"error": text}
    return Called(status=reply.status_code, body=body)
