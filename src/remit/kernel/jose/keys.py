"""Key records: who owns a key, what it may sign, and until when it is believed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final, Protocol, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from nacl.bindings import crypto_sign_seed_keypair

from remit.kernel.canonical import b64u
from remit.kernel.ids import Entropy, KeyId, TenantId
from remit.kernel.jose import algorithms
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import KeyMisused, KeyRefused
from remit.kernel.jose.jwk import PublicKey, parse_jwk, public_from_members
from remit.kernel.secret import Secret


class KeyClass(StrEnum):
    """What a key is for. One key, one class: what one class signed never passes as another."""

    ACCESS_TOKEN = "access_token"  # noqa: S105 - a name, not a secret
    ENVELOPE = "envelope"
    CAPABILITY = "capability"
    LEDGER = "ledger"
    RECEIPT = "receipt"
    APPROVAL_LINK = "approval_link"
    POLICY = "policy"
    """Versions of the policy, which every node proves before it decides with them."""
    STATEMENT = "statement"
    """What the authorization server says of tokens: introspection answers and status lists."""
    ID_TOKEN = "id_token"  # noqa: S105 - a name, not a secret
    """What relying parties of OpenID Connect verify: ID tokens and logout tokens, told apart by `typ`."""
    ID_TOKEN_RSA = "id_token_rsa"  # noqa: S105 - a name, not a secret
    """The same for relying parties that know only RS256; there is no such key before one of them comes."""
    DOMAIN_GRANT = "domain_grant"
    """Grants that the authorization servers of other domains redeem; none is ever redeemed here."""
    TRANSACTION = "transaction"
    """Transaction tokens for services of this trust domain; no token of access, and no envelope."""
    RELYING_PARTY = "relying_party"
    """By which we prove ourselves at the providers that people come from (`private_key_jwt`)."""
    SAML_REQUEST = "saml_request"
    """By which SAML providers know our requests; its certificate is in our metadata, not in `/jwks`."""
    SAML_ENCRYPTION = "saml_encryption"
    """To which SAML providers encrypt; it opens what they sent, and signs nothing but its own certificate."""
    JWT_SVID = "jwt_svid"
    """Our own JWT-SVIDs: not in `/jwks`, but in the SPIFFE bundle."""
    HOP = "hop"
    """A key of an agent instance that signs delegation hops."""
    CLIENT = "client"
    """A key by which an instance authenticates at the token endpoint (`private_key_jwt`)."""
    PERSON = "person"
    """A device key of a human."""
    DPOP = "dpop"
    """A key that is only ever known from its own proofs."""


class KeyState(StrEnum):
    """Where a key is in its life; it only moves downward in this list."""

    PENDING = "pending"
    ACTIVE = "active"
    VERIFY_ONLY = "verify_only"
    RETIRED = "retired"
    COMPROMISED = "compromised"


_BELIEVED: Final = frozenset({KeyState.ACTIVE, KeyState.VERIFY_ONLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What we know of one public key. INVARIANT: `kid` is random and never reused.

    The record, not the token, says which tenant and issuer the key speaks for, and with which algorithm.
    `issuer` is the only `iss` that the key may sign as. `not_before` is the first use, `not_after` the end
    of belief (exclusive; None: open). `eddsa_alias` lets this peer write `EdDSA` for `Ed25519`.
    """

    tenant: TenantId
    issuer: str
    kid: KeyId
    key_class: KeyClass
    public: PublicKey
    state: KeyState
    not_before: datetime
    not_after: datetime | None = None
    eddsa_alias: bool = False

    @property
    def algorithm(self) -> Algorithm:
        """The one algorithm of this key."""
        return self.public.algorithm

    def accepts_header(self, name: str) -> bool:
        """Whether a header's `alg` is this key's (RFC 8725 §3.1): equality, never a choice."""
        if name == self.public.algorithm:
            return True
        return self.eddsa_alias and name == algorithms.EDDSA and self.algorithm is Algorithm.ED25519

    def verifies(self, at: datetime) -> bool:
        """Whether a signature by this key is believed at that moment.

        A pending key counts from `not_before` on: another node may have made it active a moment ago.
        """
        if self.not_after is not None and at >= self.not_after:
            return False
        if self.state in _BELIEVED:
            return True
        return self.state is KeyState.PENDING and at >= self.not_before


class KeyLookup(Protocol):
    """Finds key records of one tenant; whoever builds it has chosen the tenant from configuration."""

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        """Give the record of that id *and* class, whatever its state; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """The secret half of a key that we made; shows nothing but its public half."""

    public: PublicKey
    _secret: Secret = field(repr=False, compare=False)
    _sign: Callable[[bytes], bytes] = field(repr=False, compare=False)

    @classmethod
    def generate(cls, algorithm: Algorithm, entropy: Entropy) -> Self:
        """Make a key out of 32 bytes (Ed25519) or of 64 bits more than the order has (FIPS 186-5 §A.2.1).

        An RSA key's primes come from OpenSSL's own source: they can't be made out of a few given bytes.
        """
        if algorithm is Algorithm.ED25519:
            return cls.load(algorithm, Secret(entropy(32)))
        if algorithm is Algorithm.RS256:
            return cls._of_rsa(rsa.generate_private_key(public_exponent=65537, key_size=_RSA_SIZE))
        order = _order(algorithm)
        size = algorithms.coordinate_size(algorithm)
        scalar = int.from_bytes(entropy(size + 8), "big") % (order - 1) + 1
        return cls.load(algorithm, Secret(scalar.to_bytes(size, "big")))

    @classmethod
    def load(cls, algorithm: Algorithm, secret: Secret) -> Self:
        """Read what `export` gave: a seed (Ed25519), a scalar of full width (ECDSA), or PKCS #8 (RS256)."""
        if algorithm is Algorithm.ED25519:
            return cls._load_ed25519(secret)
        if algorithm is Algorithm.RS256:
            return cls._load_rsa(secret)
        order, size = _order(algorithm), algorithms.coordinate_size(algorithm)
        scalar = int.from_bytes(secret.reveal(), "big")
        if len(secret.reveal()) != size or not 0 < scalar < order:
            raise KeyRefused(
                f"private key does not fit `{algorithm}`: a scalar of {size} octets below the order"
            )
        return cls._load_ecdsa(algorithm, secret, ec.derive_private_key(scalar, _GROUPS[algorithm][1]))

    @classmethod
    def _load_ed25519(cls, seed: Secret) -> Self:
        if len(seed.reveal()) != 32:  # noqa: PLR2004 - RFC 8032 §5.1.5: the seed is 32 octets
            raise KeyRefused(f"private key has {len(seed.reveal())} octets, an Ed25519 seed has 32")
        point, expanded = crypto_sign_seed_keypair(seed.reveal())
        return cls(
            public=public_from_members(
                Algorithm.ED25519,
                {"crv": "Ed25519", "kty": "OKP", "x": b64u(point)},
                algorithms.check_ed25519(point),
            ),
            _secret=seed,
            _sign=partial(algorithms.sign_ed25519, expanded),
        )

    @classmethod
    def _load_ecdsa(cls, algorithm: Algorithm, scalar: Secret, key: ec.EllipticCurvePrivateKey) -> Self:
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        size = algorithms.coordinate_size(algorithm)
        curve = _GROUPS[algorithm][0]
        return cls(
            public=public_from_members(
                algorithm,
                {"crv": curve, "kty": "EC", "x": b64u(point[:size]), "y": b64u(point[size:])},
                algorithms.check_ecdsa(key.public_key(), algorithm),
            ),
            _secret=scalar,
            _sign=partial(algorithms.sign_ecdsa, key, algorithm),
        )

    @classmethod
    def _load_rsa(cls, secret: Secret) -> Self:
        try:
            key = load_der_private_key(secret.reveal(), password=None)
        except (ValueError, TypeError) as broken:
            raise KeyRefused("private key is no PKCS #8 of `RS256`") from broken
        if not isinstance(key, rsa.RSAPrivateKey):
            raise KeyRefused("private key is of another kind than `RS256`")
        return cls._of_rsa(key)

    @classmethod
    def _of_rsa(cls, key: rsa.RSAPrivateKey) -> Self:
        numbers = key.public_key().public_numbers()
        members = {name: _uint(getattr(numbers, name)) for name in ("n", "e")}
        return cls(
            # The same door as for peers: what we would not verify of them, we don't sign with.
            public=parse_jwk({"kty": "RSA", **members}, algorithm=Algorithm.RS256),
            _secret=Secret(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
            _sign=partial(algorithms.sign_rsa, key),
        )

    @property
    def algorithm(self) -> Algorithm:
        """The one algorithm of this key."""
        return self.public.algorithm

    def sign(self, message: bytes) -> bytes:
        """Sign these bytes."""
        return self._sign(message)

    def export(self) -> Secret:
        """Give the raw secret, to be sealed, or to certify the key by itself; for nothing else."""
        return self._secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key together with the name and the class under which verifiers know it."""

    kid: KeyId
    key_class: KeyClass
    private: PrivateKey

    def require(self, key_class: KeyClass) -> None:
        """Refuse to sign for another class (KM-08)."""
        if self.key_class is not key_class:
            raise KeyMisused(f"key of class `{self.key_class}` can't sign for `{key_class}`")


_RSA_SIZE: Final = 2048
"""Bits (SP 800-57 part 1 §5.6.2: enough until 2030); it lives for weeks, and every peer takes it."""
_GROUPS: Final[dict[Algorithm, tuple[str, ec.EllipticCurve]]] = {
    Algorithm.ES256: ("P-256", ec.SECP256R1()),
    Algorithm.ES384: ("P-384", ec.SECP384R1()),
}


def _uint(number: int) -> str:
    """Base64urlUInt, of as few octets as it has (RFC 7518 §2)."""
    return b64u(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _order(algorithm: Algorithm) -> int:
    """Order of the curve's base point."""
    if algorithm not in _GROUPS:
        raise KeyRefused(f"`{algorithm}` keys are verified, never made here")
    return _ORDERS[algorithm]


_ORDERS: Final = {  # SP 800-186 §3.2.1.3, §3.2.1.4
    Algorithm.ES256: int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16),
    Algorithm.ES384: int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
    ),
}
