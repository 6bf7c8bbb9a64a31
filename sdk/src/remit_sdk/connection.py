"""From nothing to a session: find the runtime's proof, then take a task or ask a person."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from remit_sdk.authority import Asked, Authority, HandedOver
from remit_sdk.errors import RemitError
from remit_sdk.identity import Identity
from remit_sdk.runtime import Proof, find
from remit_sdk.session import Session


def connect(
    issuer: str = "",
    *,
    server: str,
    ask: str = "",
    message: str = "",
    details: Sequence[Mapping[str, Any]] = (),
    envelope: str = "",
    proof: Proof | None = None,
    environ: Mapping[str, str] | None = None,
) -> Session:
    """Open a session at one server, for one task.

    `issuer` is the address of the installation (else `REMIT_URL`). Say either `envelope`, a task that was
    handed to this agent, or `ask`, the person to ask: their id or their name; `message` is shown to them in
    quotes (64 characters), `details` narrows what is asked (RFC 9396). Waits up to five minutes for the
    person. Raises `NoProof` if nothing here proves who the agent is, `NotAllowed` if the person did not
    say yes, `Refused` for all else that the server says against it.
    """
    found = os.environ if environ is None else environ
    address = (issuer or found.get("REMIT_URL", "")).rstrip("/")
    if not address:
        raise RemitError("no address of an installation", code="no_issuer", next_step="set REMIT_URL")
    if bool(ask) is bool(envelope):
        raise RemitError("say either `ask` or `envelope`", code="no_task")
    identity = Identity(address, proof or find(found, audience=address))
    authority: Authority = HandedOver(identity, envelope)
    if ask:
        authority = Asked(identity, ask, message, json.dumps(list(details)) if details else "")
    session = Session(identity, authority, server=server, envelope=envelope)
    session.token()
    return session
