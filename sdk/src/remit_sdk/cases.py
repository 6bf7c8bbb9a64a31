"""Asking a person from inside a task: the answer is their own words, and grants nothing."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from remit_sdk import wire
from remit_sdk.errors import RemitError
from remit_sdk.identity import Identity

_OK = 200
_ROUND = 20
_OPEN = "open"


@dataclass(frozen=True)
class Told:
    """What came back. `words` is empty unless `state` is `answered`."""

    case: str
    state: str
    """`open`, `answered`, `expired` or `withdrawn`: silence is no answer."""
    words: str
    by: str
    provenance: str
    """`user_intent` for the user's own words, `trusted_source` for somebody who answers for the agent."""


class Case:
    """One question; the same `key` again is the same one, after a restart too."""

    def __init__(self, identity: Identity, found: Mapping[str, Any], *, now: Callable[[], float]) -> None:
        self._identity = identity
        self._found = dict(found)
        self._now = now
        self.id = str(found["id"])

    @classmethod
    def open(
        cls,
        identity: Identity,
        task: str,
        question: str,
        *,
        to: str = "",
        key: str = "",
        envelope: str = "",
        now: Callable[[], float] = time.monotonic,
    ) -> "Case":
        """Ask. Raises `RemitError`."""
        url = f"{identity.issuer}/api/v1/tasks/{quote(task, safe='')}/cases"
        body = {"question": question, "to": to, "key": key or f"case-{secrets.token_hex(12)}"}
        found = _send(identity, "POST", url, body | ({"envelope": envelope} if envelope else {}))
        return cls(identity, found, now=now)

    def wait(self, seconds: float) -> Told:
        """Wait for the answer, at most that long; gives the case as it stands then."""
        until = self._now() + seconds
        url = f"{self._identity.issuer}/api/v1/cases/{quote(self.id, safe='')}"
        while self._found.get("state") == _OPEN and (left := until - self._now()) > 0:
            self._found = _send(
                self._identity, "GET", url, None, query=f"?wait={max(1, min(_ROUND, int(left)))}"
            )
        return self.told()

    def told(self) -> Told:
        """The case as it was last seen."""
        found = self._found
        return Told(
            case=self.id,
            state=str(found.get("state", "")),
            words=str(found.get("answer", "")),
            by=str(found.get("answered_by", "")),
            provenance=str(found.get("provenance") or ""),
        )


def _send(
    identity: Identity, method: str, url: str, body: Mapping[str, Any] | None, *, query: str = ""
) -> dict[str, Any]:
    token = identity.own_token()
    headers = {
        "authorization": f"DPoP {token}",
        "dpop": identity.proof_of(method, url, token=token),
        **({} if body is None else {"content-type": "application/json"}),
    }
    sent = None if body is None else json.dumps(body).encode()
    answer = wire.send(method, url + query, headers, sent, timeout=60.0)
    found = wire.object_of(answer)
    if answer.status != _OK:
        said = str(found.get("detail") or found.get("title") or f"the server answered {answer.status}")
        raise RemitError(
            said, code=str(found.get("code") or answer.status), next_step=str(found.get("next") or "")
        )
    return found
