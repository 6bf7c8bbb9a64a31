"""The stack that a competent team would put together: FastAPI, PyJWT, Cedar, SQLite; nothing of ours.

One request: access token and DPoP proof verified (RFC 9449 §4.3), Cedar evaluated (its policy set parsed
once, as its authors advise), then proof, decision and capability stored in one transaction, durable (WAL,
synchronous=FULL) before the answer. The token's verification is remembered, as ours is.
"""

import argparse
import base64
import hashlib
import json
import secrets
import sqlite3
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import cedarpy
import jwt
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

_WINDOW = 60
_CAPABILITY_SECONDS = 90
_SCHEMA = """
CREATE TABLE IF NOT EXISTS proof (key TEXT, jti TEXT, until INTEGER, PRIMARY KEY (key, jti)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decision (
  id TEXT PRIMARY KEY, at REAL, subject TEXT, agent TEXT, task TEXT, action TEXT, resource TEXT,
  arguments TEXT, effect TEXT, reasons TEXT);
CREATE TABLE IF NOT EXISTS capability (
  id TEXT PRIMARY KEY, decision TEXT, arguments TEXT, consumed_at REAL, expires INTEGER);
"""


class Asked(BaseModel):
    """Which tool with which arguments."""

    tool: str
    arguments: dict[str, Any]


class Answer(BaseModel):
    """What was decided."""

    effect: str
    decision: str
    capability: str | None


class Database:
    """One connection per thread, one commit per request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self.connection().executescript(_SCHEMA)

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA synchronous=FULL")
            self._local.connection = found
        return found


def build(folder: Path, *, policies: str) -> FastAPI:
    """The application; keys and the token's audience stand in `config.json` of the folder."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    issuer_key = jwt.PyJWK(config["issuer_key"])
    audience, private = config["audience"], jwt.PyJWK(config["capability_key"])
    known = cedarpy.PolicySet.from_str(policies)
    database = Database(folder / "conventional.db")
    app = FastAPI()

    @lru_cache(maxsize=10_000)
    def verified(token: str) -> dict[str, Any]:
        return jwt.decode(token, issuer_key, algorithms=["EdDSA", "ES256"], audience=audience)

    def living(token: str) -> dict[str, Any]:
        claims = verified(token)
        if claims["exp"] < time.time():
            raise HTTPException(401, "invalid_token")
        return claims

    @app.post("/authorize")
    def authorize(
        asked: Asked, authorization: Annotated[str, Header()], dpop: Annotated[str, Header()]
    ) -> Answer:
        token = authorization.removeprefix("DPoP ")
        try:
            claims = living(token)
            proof = check_proof(dpop, token=token, thumbprint=claims["cnf"]["jkt"], url=audience)
        except (jwt.PyJWTError, KeyError, ValueError) as broken:
            raise HTTPException(401, "invalid_dpop_proof") from broken
        now = time.time()
        digest = hashlib.sha256(json.dumps(asked.arguments, sort_keys=True).encode()).hexdigest()
        room = str(asked.arguments["room"])
        result = cedarpy.is_authorized(
            {
                "principal": f'Remit::Agent::"{claims["agent"]}"',
                "action": 'Remit::Action::"business/rooms.book"',
                "resource": f'Remit::Room::"{room}"',
                "context": {"purpose": claims["purpose"], "arguments": asked.arguments},
            },
            known,
            [],
        )
        effect, decision = ("permit" if result.allowed else "deny"), secrets.token_hex(16)
        capability, ident = None, secrets.token_hex(16)
        if result.allowed:
            capability = jwt.encode(
                {
                    "jti": ident, "aud": audience, "sub": claims["sub"], "action": "business/rooms.book",
                    "resource": room, "args_sha256": digest, "decision": decision,
                    "iat": int(now), "exp": int(now) + _CAPABILITY_SECONDS, "use": 1,
                },
                private, algorithm="EdDSA",
            )  # fmt: skip
        connection = database.connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(
                "INSERT INTO proof VALUES (?, ?, ?)",
                (claims["cnf"]["jkt"], proof["jti"], int(now) + _WINDOW),
            )
            connection.execute(
                "INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    decision, now, claims["sub"], claims["agent"], claims["txn"], "business/rooms.book",
                    room, digest, effect, json.dumps(result.diagnostics.reasons),
                ),
            )  # fmt: skip
            if capability:
                connection.execute(
                    "INSERT INTO capability VALUES (?, ?, ?, ?, ?)",
                    (ident, decision, digest, now, int(now) + _CAPABILITY_SECONDS),
                )
            connection.execute("COMMIT")
        except sqlite3.IntegrityError as replayed:
            connection.execute("ROLLBACK")
            raise HTTPException(401, "invalid_dpop_proof") from replayed
        return Answer(effect=effect, decision=decision, capability=capability)

    return app


def check_proof(proof: str, *, token: str, thumbprint: str, url: str) -> dict[str, Any]:
    """RFC 9449 §4.3 with PyJWT."""
    header = jwt.get_unverified_header(proof)
    if header.get("typ") != "dpop+jwt" or header.get("alg") not in {"ES256", "EdDSA"}:
        raise ValueError("header")
    jwk = header["jwk"]
    claims: dict[str, Any] = jwt.decode(proof, jwt.PyJWK(jwk), algorithms=[header["alg"]])
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y") if name in jwk}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    ath = _b64u(hashlib.sha256(token.encode()).digest())
    if (
        claims["htm"] != "POST"
        or claims["htu"] != url
        or claims["ath"] != ath
        or abs(time.time() - claims["iat"]) > _WINDOW
        or _b64u(hashlib.sha256(canonical).digest()) != thumbprint
        or not claims["jti"]
    ):
        raise ValueError("claims")
    return claims


def _b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--policies", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    uvicorn.run(
        build(chosen.folder, policies=chosen.policies.read_text(encoding="utf-8")),
        host="127.0.0.1", port=chosen.port, log_level="warning", access_log=False,
    )  # fmt: skip
