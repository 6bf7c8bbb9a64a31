"""Attacks on key management (security, class KM), and each defence left out once."""

import copy
import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from remit.kernel.canonical import Json, JsonObject, b64u, b64u_decode
from remit.kernel.derivation import Purpose, subkey
from remit.kernel.entropy import SystemEntropy
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.ids import Entropy, KeyId, TenantId, mint_id, system_entropy
from remit.kernel.jose import jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import KeyMisused, KeyRefused, TokenRejected
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.jose.keyring import PUBLISHED, Keyring
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState, PrivateKey, Signer
from remit.kernel.jose.nonce import NonceBox
from remit.kernel.jose.profiles import TokenType, profile_of
from remit.kernel.jose.rotation import RotationRule
from remit.kernel.sealing import seal
from remit.kernel.secret import Secret
from remit.platform.storage.keystore import Keystore
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON
from support.jose import AUDIENCE, ISSUER, Keys, claims_of, key_class_of, party
from support.stores import TEST_KEK

TENANT = TenantId("default")


def reason(token: str, keys: Any, expected: TokenType) -> str:
    """Why a token is refused; empty if it is believed."""
    audience = None if expected is TokenType.HOP else AUDIENCE
    try:
        jwt.verify(token, as_type=expected, keys=keys, at=NOON, audience=audience)
    except TokenRejected as refused:
        return refused.reason
    return ""


# -- KM-05: what is published


def ring_of(kind: type[Keyring]) -> Keyring:
    parties = [party(each) for each in PUBLISHED]
    return kind.of([each.record for each in parties], {each.record.kid: each.private for each in parties})


def forged_from(published: JsonObject) -> list[str]:
    """Access tokens that somebody can sign who has read the set."""
    shown: Any = published["keys"]
    tokens = []
    for key in shown:
        if "d" in key:
            private = PrivateKey.load(Algorithm(key["alg"]), Secret(b64u_decode(key["d"])))
            signer = Signer(kid=key["kid"], key_class=KeyClass.ACCESS_TOKEN, private=private)
            tokens.append(
                jwt.issue(claims_of(TokenType.ACCESS_TOKEN), as_type=TokenType.ACCESS_TOKEN, signer=signer)
            )
    return tokens


class Telling(Keyring):
    """Publishes keys as they are stored."""

    def jwks(self, *, at: datetime) -> JsonObject:
        keys: list[Json] = [
            {**signer.private.public.jwk(), "kid": signer.kid, "alg": signer.private.algorithm.value,
             "d": b64u(signer.private.export().reveal())}
            for signer in self.signers.values()
        ]  # fmt: skip
        return {"keys": keys}


@pytest.mark.attack("KM-05")
@pytest.mark.promise("P14")
def test_nobody_signs_with_what_is_published() -> None:
    ring = ring_of(Keyring)
    assert not forged_from(ring.jwks(at=NOON))
    # Nor do we take such a key from anybody: whoever sends it has shown it already.
    for member in ("d", "p", "q", "dp", "dq", "qi", "oth", "k"):
        with pytest.raises(KeyRefused):
            parse_jwk({**party(KeyClass.CLIENT).record.public.jwk(), member: "AA"})


@pytest.mark.twin("KM-05")
def test_anybody_signs_with_a_set_that_has_private_members() -> None:
    ring = ring_of(Telling)
    believed = [
        token for token in forged_from(ring.jwks(at=NOON)) if not reason(token, ring, TokenType.ACCESS_TOKEN)
    ]
    assert believed


# -- KM-06: guessing the next name


def guesses(seen: str, at: datetime) -> set[str]:
    """What somebody tries who has seen one id, and knows the second in which the process began."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    number = sum(digits.index(each) << 5 * place for place, each in enumerate(reversed(seen[-26:])))
    near = [number + step for step in range(1, 100)]
    counted = {"".join(digits[each >> 5 * place & 31] for place in reversed(range(26))) for each in near}
    for second in range(-5, 6):
        chance = random.Random(int(at.timestamp()) + second)  # noqa: S311 — the attacker's own
        counted |= {mint_id("x", at=at, entropy=chance.randbytes)[-26:] for _ in range(100)}
    return counted


def guessed(entropy: Entropy) -> int:
    seen = mint_id("tok", at=NOON, entropy=entropy)
    tried = guesses(seen, NOON)
    return sum(mint_id("tok", at=NOON, entropy=entropy)[-26:] in tried for _ in range(50))


@pytest.mark.attack("KM-06")
def test_who_has_seen_an_id_guesses_no_other() -> None:
    assert guessed(system_entropy) == 0


def counting() -> Entropy:
    numbers = iter(range(1, 1000))

    def entropy(size: int) -> bytes:
        number = next(numbers)
        return bytes(number >> 5 * place & 31 for place in reversed(range(size)))

    return entropy


@pytest.mark.twin("KM-06")
@pytest.mark.parametrize("weak", [counting(), random.Random(int(NOON.timestamp())).randbytes])  # noqa: S311 — the flaw
def test_ids_that_are_counted_or_begin_with_the_clock_are_guessed(weak: Entropy) -> None:
    assert guessed(weak) == 50


# -- KM-07: the same randomness twice


class Pooled:
    """Fetches randomness ahead, for keys and nonces too."""

    def __init__(self) -> None:
        self._pool = os.urandom(1 << 14)

    def __call__(self, size: int) -> bytes:
        given, self._pool = self._pool[:size], self._pool[size:]
        return given


FIRST, SECOND = b"a client secret of one tenant...", b"another secret, of another one.."


def body(entropy: Entropy, plain: bytes) -> bytes:
    """The ciphertext of a secret, without what stands before and behind it."""
    sealed = seal(Secret(plain), kek=TEST_KEK, context=(b"default", b"keys"), entropy=entropy)
    return sealed[-len(plain) - 16 : -16]


def leaks(one: bytes, other: bytes) -> bool:
    """Whether the two ciphertexts tell the difference of what was sealed: one key, one nonce."""
    return bytes(a ^ b for a, b in zip(one, other, strict=True)) == bytes(
        a ^ b for a, b in zip(FIRST, SECOND, strict=True)
    )


def after_a_fork(entropy: Entropy) -> bool:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, body(entropy, SECOND))
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    return leaks(body(entropy, FIRST), told)


def after_a_snapshot(entropy: Entropy) -> bool:
    """The memory of a machine as it was, run twice."""
    restored = copy.copy(entropy)
    vars(restored).update({name: copy.copy(value) for name, value in vars(entropy).items()})
    return leaks(body(entropy, FIRST), body(restored, SECOND))


@pytest.mark.attack("KM-07")
@pytest.mark.parametrize("happens", [after_a_fork, after_a_snapshot])
def test_no_key_meets_a_nonce_twice(happens: Callable[[Entropy], bool]) -> None:
    entropy = SystemEntropy()
    mint_id("tok", at=NOON, entropy=entropy)  # so that it holds something in advance
    assert not happens(entropy)


@pytest.mark.twin("KM-07")
@pytest.mark.parametrize("happens", [after_a_fork, after_a_snapshot])
def test_randomness_that_is_held_for_keys_tells_two_secrets(happens: Callable[[Entropy], bool]) -> None:
    assert happens(Pooled())


# -- KM-08: a key of one purpose, used for another


class Classless(Keys):
    """Keys by their name alone."""

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        found = next((each for (_, known), each in self.known.items() if known == kid), None)
        return found and replace(found, key_class=key_class)


def misused(keys: type[Keys]) -> dict[tuple[KeyClass, TokenType], str]:
    """Every type of token, signed with a key of every class that is not for it: why it is refused."""
    owners = {key_class: party(key_class) for key_class in KeyClass}
    known, found = keys([each.record for each in owners.values()]), {}
    for token_type in TokenType:
        for key_class, owner in owners.items():
            if key_class not in profile_of(token_type).key_classes:
                signer = replace(owner.signer, key_class=key_class_of(token_type))  # its holder says so
                token = jwt.issue(claims_of(token_type), as_type=token_type, signer=signer)
                found[key_class, token_type] = reason(token, known, token_type)
    return found


@pytest.mark.attack("KM-08")
@pytest.mark.promise("P7")
def test_whoever_holds_a_key_of_one_class_signs_nothing_of_another() -> None:
    outcomes = misused(Keys)
    assert set(outcomes.values()) == {"key_unknown"}
    assert len(outcomes) > len(TokenType) * (len(KeyClass) - 4)
    with pytest.raises(KeyMisused):
        party(KeyClass.LEDGER).signer.require(KeyClass.ACCESS_TOKEN)


@pytest.mark.twin("KM-08")
def test_where_keys_have_no_class_each_signs_everything() -> None:
    believed = {key for key, refused in misused(Classless).items() if not refused}
    assert {(KeyClass.STATEMENT, TokenType.ACCESS_TOKEN), (KeyClass.CLIENT, TokenType.APPROVAL)} <= believed


Derive = Callable[..., Secret]
MASTER = Secret(bytes(range(32)))


def crossing(derive: Derive) -> set[tuple[Purpose, Purpose]]:
    """Which purposes accept a value that was made with the key of another."""
    boxes = {
        each: NonceBox(key=derive(MASTER, purpose=each, tenant=TENANT), tenant=TENANT) for each in Purpose
    }
    return {
        (made, taken)
        for made, box in boxes.items()
        for taken, other in boxes.items()
        if made is not taken and other.accepts(box.issue(at=NOON), at=NOON)
    }


def one_key(master: Secret, **_: Any) -> Secret:
    return master


@pytest.mark.attack("KM-08")
def test_a_value_of_one_purpose_is_none_of_another() -> None:
    assert not crossing(subkey)


@pytest.mark.twin("KM-08")
def test_with_one_key_for_all_a_value_of_one_purpose_is_one_of_each() -> None:
    assert len(crossing(one_key)) == len(Purpose) * (len(Purpose) - 1)


# -- KM-09: one key, two algorithms


def rsa_token(alg: Algorithm, private: rsa.RSAPrivateKey) -> str:
    """A client assertion by an RSA key, under that algorithm."""
    header = b64u(json.dumps({"alg": alg.value, "kid": "key_rsa", "typ": "JWT"}).encode())
    text = f"{header}.{b64u(json.dumps(claims_of(TokenType.CLIENT_ASSERTION, issuer='ins_1')).encode())}"
    pads: Mapping[Algorithm, Any] = {
        Algorithm.RS256: padding.PKCS1v15(),
        Algorithm.PS256: padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size),
    }
    return f"{text}.{b64u(private.sign(text.encode(), pads[alg], hashes.SHA256()))}"


def rsa_record(alg: Algorithm, private: rsa.RSAPrivateKey) -> KeyRecord:
    numbers = private.public_key().public_numbers()
    jwk: JsonObject = {
        "kty": "RSA", "alg": alg.value, "n": b64u(numbers.n.to_bytes(256, "big")), "e": "AQAB",
    }  # fmt: skip
    known = party(KeyClass.CLIENT, issuer="ins_1").record
    return replace(known, kid=KeyId("key_rsa"), public=parse_jwk(jwk))


class Either:
    """Keeps a key under both of its algorithms, and takes the one that the header names."""

    def __init__(self, *records: KeyRecord) -> None:
        self.rings = [Keys([each]) for each in records]

    def refuses(self, token: str) -> bool:
        return all(reason(token, each, TokenType.CLIENT_ASSERTION) for each in self.rings)


@pytest.mark.attack("KM-09")
@pytest.mark.spec("RFC 8725", "3.1")
def test_a_key_is_believed_under_its_own_algorithm_alone() -> None:
    private = rsa.generate_private_key(65537, 2048)
    for own, other in ((Algorithm.PS256, Algorithm.RS256), (Algorithm.RS256, Algorithm.PS256)):
        known = Keys([rsa_record(own, private)])
        assert reason(rsa_token(own, private), known, TokenType.CLIENT_ASSERTION) == ""
        assert reason(rsa_token(other, private), known, TokenType.CLIENT_ASSERTION) == "wrong_algorithm"
    with pytest.raises(Invalid):
        Keyring.of([rsa_record(each, private) for each in (Algorithm.PS256, Algorithm.RS256)], {})


@pytest.mark.twin("KM-09")
def test_a_key_that_is_kept_under_two_is_believed_under_the_weaker() -> None:
    private = rsa.generate_private_key(65537, 2048)
    both = Either(*(rsa_record(each, private) for each in (Algorithm.PS256, Algorithm.RS256)))
    assert not both.refuses(rsa_token(Algorithm.RS256, private))


# -- KM-11: a rotation that is killed


RULE = RotationRule(
    use_for=timedelta(days=30), publish_ahead=timedelta(hours=1), longest_life=timedelta(hours=1)
)
MOMENTS = [timedelta(0), timedelta(days=29, hours=23), timedelta(days=30), timedelta(days=30, hours=2)]
"""The first key, the next one published, put to use, and the first believed no more."""


class Killed(RemitError):
    """The process ends here."""

    code = "killed"


class MortalKeys(Keystore):
    """Dies before the write of that number."""

    left = 0

    def add(self, *args: Any, **named: Any) -> None:
        self._live_on()
        super().add(*args, **named)

    def change(self, record: KeyRecord) -> None:
        self._live_on()
        super().change(record)

    def _live_on(self) -> None:
        if self.left == 0:
            raise Killed("killed between two writes")
        self.left -= 1


def rotated(tx: SqlTransaction, writes: int, after: timedelta) -> list[KeyRecord]:
    keys = MortalKeys(tx.sql, tx.tenant)
    keys.left = writes
    named: dict[str, Any] = {"issuer": ISSUER, "algorithm": Algorithm.ED25519, "rule": RULE, "kek": TEST_KEK}
    return keys.rotate(KeyClass.ACCESS_TOKEN, entropy=system_entropy, at=NOON + after, **named)


def piecemeal(tx: SqlTransaction, writes: int, after: timedelta) -> list[KeyRecord]:
    """Each write is kept as it is made, whatever becomes of the next."""
    try:
        return rotated(tx, writes, after)
    except Killed:
        return []


async def gaps(uow: SqlUnitOfWork, work: Callable[..., list[KeyRecord]]) -> tuple[int, list[str]]:
    """How often it was killed, and what nobody could sign or believe afterwards."""
    kills = 0
    broken: list[str] = []
    for after in MOMENTS:
        for writes in range(9):
            before = await states(uow)
            try:
                if await uow.commit(lambda tx, n=writes, due=after: work(tx, n, due)):  # type: ignore[misc]  # bound defaults
                    break
            except Killed:
                kills += 1
            except RemitError as stuck:
                return kills, [*broken, stuck.code]
            broken += [f"{after}: {gap}" for gap in await unfit(uow) if before]
    return kills, broken


async def states(uow: SqlUnitOfWork) -> list[str]:
    return sorted(each.state for each in await uow.read(lambda tx: tx.keys.records()))


async def unfit(uow: SqlUnitOfWork) -> list[str]:
    """What is wrong with the keys as a start would find them."""
    try:
        ring = await uow.read(lambda tx: tx.keys.keyring(TEST_KEK))
        ring.signer(KeyClass.ACCESS_TOKEN)
    except RemitError as refused:
        return [refused.code]
    return []


@pytest.mark.attack("KM-11")
@pytest.mark.promise("P15")
async def test_a_rotation_killed_at_any_write_leaves_a_key_that_signs_and_goes_on(uow: SqlUnitOfWork) -> None:
    kills, broken = await gaps(uow, rotated)
    assert not broken
    assert kills >= 5
    assert await states(uow) == [KeyState.ACTIVE, KeyState.RETIRED]


@pytest.mark.twin("KM-11")
async def test_writes_that_are_kept_one_by_one_leave_none_or_two(sqlite_uow: SqlUnitOfWork) -> None:
    _, broken = await gaps(sqlite_uow, piecemeal)
    assert broken
