"""What a program uses of models by itself: held before, told afterwards."""

import json
import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote

from remit_sdk import wire
from remit_sdk.errors import Denied, RemitError
from remit_sdk.identity import Identity

_OK = 200


class Usage:
    """Amounts that are held for one piece of work, under a key of its own.

    Meters are `tokens`, `compute_ms`, `rows`, `recipients`, `bytes`, in whole units. Leaving the block
    without `told` leaves them as they were held: nobody knows what was used.
    """

    def __init__(
        self, identity: Identity, task: str, *, key: str, envelope: str, amounts: Mapping[str, int]
    ) -> None:
        self._identity = identity
        self._url = f"{identity.issuer}/api/v1/tasks/{quote(task, safe='')}/usage"
        self._envelope = envelope
        self._amounts = dict(amounts)
        self.key = key or f"use-{secrets.token_hex(12)}"
        """Say the same one again to repeat a request, or to go on once a person has said yes."""
        self.decision = ""

    def __enter__(self) -> "Usage":  # noqa: PYI034 — `Self` came with Python 3.11
        """Hold them. Raises `Denied`; then nothing is held."""
        body = {"key": self.key, "reserve": self._amounts}
        found = self._send(self._url, body | ({"envelope": self._envelope} if self._envelope else {}))
        if found.get("effect") != "permit":
            denial = found.get("denial") or {}
            raise Denied(str(denial.get("message") or "denied"), denial)
        self.decision = str(found["decision"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing more: what was not told stays held."""

    def told(self, **used: int) -> None:
        """Say what was used, once: the rest is given back, what ran over is charged."""
        self._send(f"{self._url}/{quote(self.key, safe='')}/outcome", {"used": used})

    def _send(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        token = self._identity.own_token()
        headers = {
            "authorization": f"DPoP {token}",
            "dpop": self._identity.proof_of("POST", url, token=token),
            "content-type": "application/json",
        }
        answer = wire.send("POST", url, headers, json.dumps(body).encode())
        found = wire.object_of(answer)
        if answer.status != _OK:
            said = str(found.get("detail") or found.get("title") or f"the server answered {answer.status}")
            raise RemitError(
                said, code=str(found.get("code") or answer.status), next_step=str(found.get("next") or "")
            )
        return found
