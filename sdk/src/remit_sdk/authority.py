"""On whose behalf: a task that was handed over by its envelope, or a person who is asked (CIBA)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from remit_sdk.errors import NotAllowed, Refused
from remit_sdk.identity import Identity

CIBA = "urn:openid:params:grant-type:ciba"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TXN_TOKEN = "urn:ietf:params:oauth:token-type:txn_token"  # noqa: S105 — a name
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 — a name
_SLOWER = 5


class Authority(Protocol):
    """Gives a token for one server, and the next one before it ends."""

    def fetch(self, resource: str) -> dict[str, Any]:
        """The token endpoint's answer. Raises `Refused`."""


@dataclass
class HandedOver:
    """A task whose envelope somebody gave to this agent; the token is by exchange (RFC 8693)."""

    identity: Identity
    envelope: str = field(repr=False)

    def fetch(self, resource: str) -> dict[str, Any]:
        """Exchange it, with the agent's own token as the actor's."""
        return self.identity.token(
            {
                "grant_type": EXCHANGE,
                "subject_token": self.envelope,
                "subject_token_type": TXN_TOKEN,
                "actor_token": self.identity.own_token(),
                "actor_token_type": ACCESS_TOKEN,
                "resource": resource,
            }
        )


@dataclass
class Asked:
    """A person who is asked once; what they allow is renewed until it ends."""

    identity: Identity
    person: str
    message: str = ""
    details: str = ""
    sleep: Callable[[float], None] = time.sleep
    _renewal: str = field(init=False, default="", repr=False)

    def fetch(self, resource: str) -> dict[str, Any]:
        """Renew what was allowed; ask if nothing was yet. Raises `NotAllowed`."""
        if self._renewal:
            renewed = {"grant_type": "refresh_token", "refresh_token": self._renewal}
            return self._kept(self.identity.token(renewed))
        return self._kept(self._wait(self.identity.ask(self._form(resource))))

    def _form(self, resource: str) -> dict[str, str]:
        form = {"scope": "openid", "login_hint": self.person, "resource": resource}
        if self.message:
            form["binding_message"] = self.message
        if self.details:
            form["authorization_details"] = self.details
        return form

    def _wait(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Poll as slowly as the server wants (CIBA Core §11); it ends when the request does."""
        form = {"grant_type": CIBA, "auth_req_id": str(asked["auth_req_id"])}
        pause = float(asked.get("interval", _SLOWER))
        while True:
            self.sleep(pause)
            try:
                return self.identity.token(form)
            except Refused as refused:
                if refused.code == "slow_down":
                    pause += _SLOWER
                elif refused.code in _ENDS:
                    raise NotAllowed(
                        _ENDS[refused.code], code=refused.code, status=refused.status
                    ) from refused
                elif refused.code != "authorization_pending":
                    raise

    def _kept(self, body: dict[str, Any]) -> dict[str, Any]:
        self._renewal = str(body.get("refresh_token") or self._renewal)
        return body


_ENDS = {"access_denied": "the person said no", "expired_token": "nobody answered in time"}
