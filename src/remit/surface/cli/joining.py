"""A workload becomes an instance: its platform's assertion, a key made here, one request to the server."""

import json
import os
import secrets
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2

from remit.kernel.canonical import b64u_decode
from remit.kernel.jose import dpop
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from remit.platform.settings.operator import read_operator
from remit.surface.cli.client import Place
from remit.surface.cli.devicekey import NewKey, make_key
from remit.surface.cli.failures import Misused, Refused, Unreachable

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_SPIFFE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
_TIMEOUT: Final = 30.0
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What came of it; the key is in its file, and proves the instance until the assertion ends."""

    instance: str
    spiffe_id: str
    token: str
    ends_at: datetime


def join(assertion: str, *, svid: bool, key: Path) -> Joined:
    """Send the assertion once and keep the key; nothing is retried (an assertion is used once).

    A key that is there already is shown again: then it is the same instance, for longer.
    """
    place = Place.find(os.environ)
    issuer, made = place.server.issuer, _key(key)
    proof = dpop.make_proof(
        made.private,
        method="POST",
        target=f"{issuer}/token",
        jti=secrets.token_urlsafe(18),
        at=datetime.now(UTC),
    )
    answer = _post(f"{place.server.url}/token", _form(assertion, issuer, svid=svid), proof)
    token = str(answer["access_token"])
    claims = _claims(token)
    made.write(key, principal=claims["client_id"], kid=claims["dev.remit"]["kid"])
    return Joined(
        instance=claims["client_id"],
        spiffe_id=claims["sub"],
        token=token,
        ends_at=datetime.fromtimestamp(_claims(assertion)["exp"], UTC),
    )


def read_text(place: str) -> str:
    """Read an assertion from a file or from stdin; it never stands on a command line."""
    try:
        text = sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise Misused(f"`{place}` cannot be read", next_step="name another file") from broken
    if not text.strip():
        raise Misused("no assertion was given", next_step="name a file, or `-` for stdin")
    return text.strip()


def _key(path: Path) -> NewKey:
    if not path.exists():
        return make_key()
    kept = read_operator(path)
    return NewKey(private=PrivateKey.load(Algorithm(kept.algorithm), kept.private))


def _form(assertion: str, issuer: str, *, svid: bool) -> dict[str, str]:
    if not svid:
        return {"grant_type": JWT_BEARER, "assertion": assertion, "resource": f"{issuer}/api"}
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": JWT_SPIFFE,
        "client_assertion": assertion,
        "resource": f"{issuer}/api",
    }


def _post(url: str, form: dict[str, str], proof: str) -> dict[str, Any]:
    try:
        with httpx2.Client(timeout=_TIMEOUT, trust_env=False, follow_redirects=False) as http:
            response = http.post(url, data=form, headers={"dpop": proof})
    except httpx2.HTTPError as failed:
        raise Unreachable(f"the server at `{url}` cannot be reached", next_step="check REMIT_URL") from failed
    body: dict[str, Any] = json.loads(response.content or b"{}")
    if response.status_code != _OK:
        raise Refused(
            str(body.get("error_description") or body.get("error") or "refused"),
            problem_code=str(body.get("error") or ""),
            status=response.status_code,
            next_step="an administrator sees why: remit issuer try FILE",
        )
    return body


def _claims(token: str) -> dict[str, Any]:
    """The payload, to show and to file by; whoever takes the token verifies it."""
    found: dict[str, Any] = json.loads(b64u_decode(token.split(".")[1]))
    return found
