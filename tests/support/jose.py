"""Keys, records and valid tokens for tests: made from a number, so that a failure repeats."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from remit.kernel.canonical import Json, JsonObject
from remit.kernel.ids import Entropy, KeyId, TenantId
from remit.kernel.jose import jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState, PrivateKey, Signer
from remit.kernel.jose.profiles import TokenType, profile_of
from support.clock import NOON

ISSUER = "https://remit.example"
AUDIENCE = "https://remit.example/mcp/business"
TENANT = TenantId("default")


def entropy_of(seed: int | str) -> Entropy:
    """Give bytes that depend on `seed` and on how often they were asked for."""
    count = 0

    def entropy(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed}/{count}".encode()).digest(size)

    return entropy


def private_key(seed: int | str = 1, algorithm: Algorithm = Algorithm.ED25519) -> PrivateKey:
    """Make a key that is the same in every run."""
    return PrivateKey.generate(algorithm, entropy_of(f"{algorithm}/{seed}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody who signs: private half, what the verifier knows, and the two as a signer."""

    private: PrivateKey
    record: KeyRecord

    @property
    def signer(self) -> Signer:
        return Signer(kid=self.record.kid, key_class=self.record.key_class, private=self.private)


def party(
    key_class: KeyClass,
    *,
    issuer: str = ISSUER,
    tenant: TenantId = TENANT,
    algorithm: Algorithm = Algorithm.ED25519,
    state: KeyState = KeyState.ACTIVE,
    not_after: datetime | None = None,
    eddsa_alias: bool = False,
) -> Party:
    """Make a party whose kid and key follow from class, issuer, tenant and algorithm."""
    private = private_key(f"{key_class}/{issuer}/{tenant}", algorithm)
    record = KeyRecord(
        tenant=tenant,
        issuer=issuer,
        kid=KeyId(f"key_{private.public.thumbprint[:12]}"),
        key_class=key_class,
        public=private.public,
        state=state,
        not_before=NOON - timedelta(days=1),
        not_after=not_after,
        eddsa_alias=eddsa_alias,
    )
    return Party(private=private, record=record)


class Keys:
    """A `KeyLookup` over records in memory."""

    def __init__(self, records: Iterable[KeyRecord]) -> None:
        self.known = {(record.key_class, str(record.kid)): record for record in records}

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        return self.known.get((key_class, kid))


def claims_of(
    token_type: TokenType, *, issuer: str = ISSUER, at: datetime = NOON, **changes: Json
) -> JsonObject:
    """Give claims that are valid for the class for the next minute; a change to None leaves a claim out."""
    valid: JsonObject = {
        "iss": issuer,
        "sub": "spiffe://remit.example/agent/calendar-bot/ins_1",
        "aud": AUDIENCE,
        "client_id": "ins_1",
        "jti": "tok_0001",
        "txn": "tsk_0001",
        "prev": "0" * 64,
        "next": "agt_mail",
        "iat": int(at.timestamp()),
        "exp": int(at.timestamp()) + 60,
    }
    named = profile_of(token_type).named | {"iat"}
    claims = {name: valid.get(name, f"some-{name}") for name in sorted(named)} | changes
    return {name: value for name, value in claims.items() if value is not None}


def key_class_of(token_type: TokenType) -> KeyClass:
    """Give the class of key that signs such tokens."""
    return profile_of(token_type).key_classes[0]


def valid_token(token_type: TokenType, by: Party, *, at: datetime = NOON, **changes: Json) -> str:
    """Sign a valid token of the class."""
    claims = claims_of(token_type, issuer=by.record.issuer, at=at, **changes)
    return jwt.issue(claims, as_type=token_type, signer=by.signer)
