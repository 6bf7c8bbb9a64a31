"""Minting and reading capabilities: the quick ways say what the plain ones say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.authority.capability import Capability, mint, verify_capability
from remit.authority.errors import CapabilityRejected
from remit.authority.lifetimes import CAPABILITY_CEILING
from remit.kernel.canonical import Json, JsonObject, canonical_json
from remit.kernel.ids import CapabilityId, DecisionId, InstanceId, TaskId
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.profiles import TokenType
from support.capabilities import ORDER, RING, SERVER, minted
from support.clock import NOON
from support.jose import ISSUER, entropy_of

SIGNER = RING.signer(KeyClass.CAPABILITY)
VALID: JsonObject = msgspec.json.decode(jws.take_apart(minted().token).payload)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("mapping")
    return value


def slow_read(token: str, *, at: datetime) -> Capability:
    """Read member by member, each by its own rule."""
    try:
        verified = jwt.verify(token, as_type=TokenType.CAPABILITY, keys=RING, at=at, audience=SERVER)
    except TokenRejected as rejected:
        raise CapabilityRejected(1, rejected.reason) from rejected
    members: dict[str, Any] = dict(verified.claims.members)
    try:
        resource, bound = mapping(members["resource"]), mapping(members.get("cnf", {"jkt": ""}))
        task, envelope = members.get("txn"), members.get("env")
        found = Capability(
            id=CapabilityId(text(members["jti"])),
            tenant=verified.record.tenant,
            issuer=text(members["iss"]),
            audience=text(members["aud"]),
            subject=text(members["sub"]),
            instance=InstanceId(text(members["client_id"])),
            action=text(members["action"]),
            resource_type=text(resource["type"]),
            resource=text(resource["id"]),
            arguments=text(members["args_sha256"]),
            tool=text(members["tool_sha256"]),
            decision=DecisionId(text(members["decision"])),
            task=None if task is None else TaskId(text(task)),
            envelope=None if envelope is None else text(envelope),
            key=text(bound["jkt"]),
            issued_at=datetime.fromtimestamp(members["iat"], UTC),
            expires_at=datetime.fromtimestamp(members["exp"], UTC),
        )
    except (KeyError, TypeError, ValueError) as broken:
        raise CapabilityRejected(2, "malformed") from broken
    lives = found.expires_at - found.issued_at
    if type(members.get("use")) is bool or members.get("use") != 1 or lives > CAPABILITY_CEILING:
        raise CapabilityRejected(3, "not_single_use")
    return found


def outcome(read: Any, token: str, at: datetime) -> Capability | tuple[int, str]:
    try:
        return read(token, at)  # type: ignore[no-any-return]  # either of the two readers
    except CapabilityRejected as rejected:
        return rejected.step, rejected.reason


odd = st.sampled_from([None, True, False, 0, 1, 1.0, 2, "", "x", [], ["x"], {}, {"jkt": 1}, {"jkt": "k"}])
odd_resources = st.sampled_from([{"type": "Room"}, {"type": "Room", "id": 1}, {"type": None, "id": "4"}])
times = st.integers(-100, 100).map(lambda after: int(NOON.timestamp()) + after)


@pytest.mark.req("R40")
@given(
    st.dictionaries(st.sampled_from(sorted(VALID)), odd | odd_resources | times, max_size=2),
    st.sets(st.sampled_from(sorted(VALID)), max_size=1),
    st.sampled_from([NOON, NOON + timedelta(seconds=89), NOON + timedelta(seconds=90, microseconds=1)]),
)
def test_a_capability_is_read_as_its_plain_reader_reads_it(
    changes: dict[str, Json], dropped: set[str], at: datetime
) -> None:
    claims = {name: value for name, value in (VALID | changes).items() if name not in dropped}
    header: dict[str, Json] = {"kid": SIGNER.kid, "typ": TokenType.CAPABILITY.value}
    token = jws.sign(header, canonical_json(claims), SIGNER.private)
    quick = outcome(
        lambda shown, now: verify_capability(shown, keys=RING, audience=SERVER, at=now), token, at
    )
    assert quick == outcome(lambda shown, now: slow_read(shown, at=now), token, at)


@pytest.mark.req("R40")
@given(st.integers(0, 10**12), st.integers(0, 999_999), st.integers(1, 10**9))
def test_what_is_minted_lives_from_the_whole_second_and_no_longer_than_it_may(
    after: int, fraction: int, lifetime: int
) -> None:
    at = datetime.fromtimestamp(10**9 + after % 10**9, UTC).replace(microsecond=fraction)
    span = timedelta(microseconds=lifetime)
    made = mint(ORDER, issuer=ISSUER, signer=SIGNER, lifetime=span, at=at, entropy=entropy_of(1))
    claims = msgspec.json.decode(jws.take_apart(made.token).payload)
    issued_at = at.replace(microsecond=0)
    expires_at = issued_at + min(span, CAPABILITY_CEILING)
    assert (made.capability.issued_at, made.capability.expires_at) == (issued_at, expires_at)
    assert (claims["iat"], claims["exp"]) == (int(issued_at.timestamp()), int(expires_at.timestamp()))


@given(st.text(max_size=20), st.text(max_size=20), st.binary(max_size=50))
def test_a_named_header_is_written_as_any_other(kid: str, typ: str, payload: bytes) -> None:
    for _ in range(2):
        assert jws.sign_named(kid, typ, payload, SIGNER.private) == jws.sign(
            {"kid": kid, "typ": typ}, payload, SIGNER.private
        )
