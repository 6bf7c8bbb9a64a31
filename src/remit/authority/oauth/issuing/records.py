"""Ledger records of tokens: identities, permissions, time, and the task or resource (R34)."""

import re
from datetime import datetime
from typing import Final

from remit.authority.oauth.proving.client_auth import Authenticated
from remit.authority.oauth.proving.requests import Outgoing
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire.errors import OAuthError
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.oauth.wire.rar import details_of
from remit.authority.oauth.wire.scopes import render
from remit.authority.tasks import Task
from remit.kernel.canonical import canonical_json, sha256
from remit.kernel.ids import Entropy
from remit.ledger import facts
from remit.ledger.record import Record

ISSUED: Final = "authority.token.issued"
REFUSED: Final = "authority.token.refused"
REVOKED: Final = "authority.token.revoked"
_ACTIONS_SHOWN: Final = 32
_RESOURCE: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}/(api|mcp/[a-z0-9][a-z0-9-]{0,62})")


def issued(
    token: AccessToken, *, task: Task | None, owner: str, grant_type: str, epoch: int, entropy: Entropy
) -> Record:
    """That a token went out: to whom, for whom, through whom, with which rights, until when."""
    return Record(
        id=facts.record_id(token.issued_at, entropy),
        at=token.issued_at,
        tenant=token.tenant,
        kind=ISSUED,
        actor=token.client,
        user=token.user or "",
        owner=owner,
        agent=token.agent or "",
        task=token.task or "",
        purpose="" if task is None else task.purpose,
        mode="" if task is None else task.mode,
        initiative="" if task is None else task.initiative,
        chain=token.instances,
        envelope=token.envelopes[-1] if token.envelopes else "",
        grant="" if task is None or task.grant is None else task.grant,
        resource=token.audience,
        subject=token.id,
        epoch=epoch,
        digests=_digests(token),
        detail=(
            ("grant_type", grant_type),
            ("scope", render(token.scopes)),
            ("actions", _actions(token)),
            ("expires_at", token.expires_at.isoformat()),
            ("key", token.key),
            ("credential", token.credential),
            ("exchanged_from", " ".join(token.ancestors)),
            *((("with", " ".join(token.companions)),) if token.companions else ()),
        ),
    )


def handed_out(token: AccessToken, outgoing: Outgoing, *, at: datetime, entropy: Entropy) -> Record:
    """That a JWT left which opens nothing here: for whom, on which ground, and what it is."""
    return Record(
        id=facts.record_id(at, entropy),
        at=at,
        tenant=token.tenant,
        kind=outgoing.kind,
        actor=token.client,
        user=token.user or "",
        agent=token.agent or "",
        task=token.task or "",
        chain=token.instances,
        envelope=token.envelopes[-1] if token.envelopes else "",
        subject=token.client,
        digests=(("claims", sha256(canonical_json(outgoing.claims))),),
        detail=(*outgoing.detail, ("exchanged_from", " ".join(token.ancestors))),
    )


def refused(
    error: OAuthError, *, who: Authenticated, parameters: Parameters, at: datetime, entropy: Entropy
) -> Record:
    """That a client which had proven itself got no token, and why.

    What it sent is kept by digest, but for the one resource that it asked for, where that is an address.
    """
    asked = "\x00".join(f"{name}={value}" for name, values in parameters.values.items() for value in values)
    return Record(
        id=facts.record_id(at, entropy),
        at=at,
        tenant=who.client.tenant,
        kind=REFUSED,
        actor=who.client.id,
        owner=who.client.owner or "",
        agent=who.client.agent or "",
        resource=_asked(parameters),
        effect="deny",
        codes=(str(error.error), error.reason),
        digests=(("request", sha256(asked.encode())),),
        detail=(("credential", who.credential),),
    )


def revoked(token: AccessToken, *, by: str, epoch: int, at: datetime, entropy: Entropy) -> Record:
    """That a token was taken back, with all that stands on it."""
    return Record(
        id=facts.record_id(at, entropy),
        at=at,
        tenant=token.tenant,
        kind=REVOKED,
        actor=by,
        user=token.user or "",
        agent=token.agent or "",
        task=token.task or "",
        chain=token.instances,
        resource=token.audience,
        subject=token.id,
        epoch=epoch,
        detail=(("scope", render(token.scopes)),),
    )


def _asked(parameters: Parameters) -> str:
    """SAFETY: only what has the form of a resource of ours; any other text stays behind its digest."""
    asked = parameters.values.get("resource", ())
    return asked[0] if len(asked) == 1 and _RESOURCE.fullmatch(asked[0]) else ""


def _digests(token: AccessToken) -> tuple[tuple[str, str], ...]:
    found = [] if token.envelope is None else [("envelope", token.envelope)]
    if token.ceiling is not None:
        found.append(("rights", sha256(canonical_json(details_of(token.ceiling)))))
    return tuple(found)


def _actions(token: AccessToken) -> str:
    """Which actions the token allows at most, by name; the digest covers the rest."""
    if token.ceiling is None:
        return ""
    return " ".join(sorted({right.action for right in token.ceiling.rights})[:_ACTIONS_SHOWN])
