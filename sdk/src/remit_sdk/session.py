"""Calls to one server, each with the token of the task and a fresh proof (MCP 2026-07-28)."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from remit_sdk import wire
from remit_sdk.authority import Authority
from remit_sdk.cases import Case
from remit_sdk.errors import Denied, RemitError, Unreachable
from remit_sdk.identity import Identity, claims_of
from remit_sdk.usage import Usage

VERSION = "2026-07-28"
_EARLY = 30
_OK = 200
_UNAUTHORIZED = 401
_LONGEST_CALL = 300.0
_DENIAL = "dev.remit/denial"


class Session:
    """One task at one server. Safe to use from several threads; tokens are renewed before they end."""

    def __init__(
        self,
        identity: Identity,
        authority: Authority,
        *,
        server: str,
        envelope: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._identity = identity
        self._authority = authority
        self._envelope = envelope
        self._now = now
        self._lock = threading.Lock()
        self._token, self._ends_at = "", 0.0
        self._ids = itertools.count(1)
        self.resource = f"{identity.issuer}/mcp/{server}"

    def __enter__(self) -> "Session":  # noqa: PYI034 — `Self` came with Python 3.11
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget the token; what was allowed ends with its task."""
        self._token = ""

    @property
    def instance(self) -> str:
        """The instance that acts."""
        return self._identity.instance

    @property
    def task(self) -> str:
        """The task that it acts in."""
        return str(claims_of(self.token()).get("txn", ""))

    def token(self) -> str:
        """The present token; a new one if that is about to end."""
        with self._lock:
            if not self._token or self._now() > self._ends_at - _EARLY:
                body = self._authority.fetch(self.resource)
                self._token = str(body["access_token"])
                self._ends_at = self._now() + float(body.get("expires_in", 0))
            return self._token

    def headers(self, method: str, url: str) -> dict[str, str]:
        """What one request to this server must carry: for whoever speaks HTTP themselves. Use them once."""
        token = self.token()
        proof = self._identity.proof_of(method, url, token=token)
        found = {"authorization": f"DPoP {token}", "dpop": proof}
        return found | ({"remit-envelope": self._envelope} if self._envelope else {})

    def tools(self) -> list[dict[str, Any]]:
        """The tools that could be called, as this server describes them."""
        return list(self._send("tools/list", {}).get("tools", []))

    def call(self, tool: str, /, **arguments: Any) -> Any:
        """Call a tool: its structured result, or its text.

        Raises `Denied`; `RemitError` if the tool itself failed.
        """
        result = self._send("tools/call", {"name": tool, "arguments": arguments}, name=tool)
        text = _text(result)
        denial = (result.get("_meta") or {}).get(_DENIAL)
        if denial is not None:
            raise Denied(text or "denied", denial)
        if result.get("isError"):
            raise RemitError(text or f"`{tool}` failed", code="tool_failed")
        return result.get("structuredContent", text)

    def using(self, *, key: str = "", **amounts: int) -> Usage:
        """Hold what the program is about to use of a model, outside of tools: `using(tokens=4000)`.

        The amounts count against the task's budget and all that it stands on.
        """
        claims = claims_of(self.token())
        handed_on = "act" in (claims.get("act") or {})
        envelope = str((claims.get("dev.remit") or {}).get("env", "")) if handed_on else ""
        return Usage(self._identity, self.task, key=key, envelope=envelope, amounts=amounts)

    def escalate(self, question: str, *, to: str = "", key: str = "", wait: float = 0.0) -> Case:
        """Ask a person inside this task: `escalate("which of the two?").wait(600).words`.

        Their words are known in the task as what they said; they grant no right and are no approval. With
        `wait`, returns once it is over or so many seconds have passed. The same `key` is the same case.
        """
        claims = claims_of(self.token())
        handed_on = "act" in (claims.get("act") or {})
        envelope = str((claims.get("dev.remit") or {}).get("env", "")) if handed_on else ""
        case = Case.open(self._identity, self.task, question, to=to, key=key, envelope=envelope)
        if wait:
            case.wait(wait)
        return case

    def _send(self, method: str, params: Mapping[str, Any], *, name: str = "") -> dict[str, Any]:
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        body = {
            "jsonrpc": "2.0",
            "id": next(self._ids),
            "method": method,
            "params": {**params, "_meta": meta},
        }
        headers = {
            **self.headers("POST", self.resource),
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": method,
            **({"mcp-name": name} if name else {}),
        }
        answer = wire.send("POST", self.resource, headers, json.dumps(body).encode(), timeout=_LONGEST_CALL)
        return self._result(answer)

    def _result(self, answer: wire.Answer) -> dict[str, Any]:
        message = _message(answer)
        if answer.status == _UNAUTHORIZED:
            # What this token stood on has ended, or it is not believed: the next call fetches anew.
            self._token = ""
        error = message.get("error")
        if isinstance(error, dict):
            data = error.get("data")
            said = str(error.get("message", "refused"))
            if isinstance(data, dict) and _DENIAL in data:
                raise Denied(said, data[_DENIAL])
            raise RemitError(
                said, code=str(data.get("code") if isinstance(data, dict) else error.get("code"))
            )
        if answer.status != _OK or not isinstance(message.get("result"), dict):
            said = str(
                message.get("error_description") or message.get("detail") or message.get("title") or ""
            )
            code = str(error or message.get("code") or f"http_{answer.status}")
            raise RemitError(said or f"the server answered {answer.status}", code=code)
        return dict(message["result"])


def _message(answer: wire.Answer) -> dict[str, Any]:
    """The one message of an answer, be it JSON or a stream of events."""
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        return wire.object_of(answer) if answer.body else {}
    for event in answer.body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
        if lines:
            found = wire.object_of(wire.Answer(answer.status, answer.headers, b"\n".join(lines)))
            if "id" in found and "method" not in found:
                return found
    raise Unreachable("the stream ended without an answer", code="answer_missing")


def _text(result: Mapping[str, Any]) -> str:
    parts = [each.get("text", "") for each in result.get("content", []) if each.get("type") == "text"]
    return "\n".join(parts)
