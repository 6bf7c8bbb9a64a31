"""Verification of what an authenticator says: registration (WebAuthn §7.1) and assertion (§7.2).

The library `webauthn` reads and checks the structures; what it leaves to its caller is checked here.
"""

from dataclasses import dataclass
from typing import Any, Final

from remit.identity.errors import PasskeyRefused
from remit.identity.passkeys import ALGORITHMS, Passkey, RelyingParty
from remit.kernel.canonical import Json, JsonLimits, JsonObject, b64u, b64u_decode, parse_object
from remit.kernel.errors import RemitError

_LIMITS: Final = JsonLimits(size=16 << 10, depth=8, members=64)
_RS256: Final = -257
_RSA_BYTES: Final = 256
"""A modulus of 2048 bits."""
_TRANSPORTS: Final = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A new credential, proven to be in the hands of whoever answered."""

    credential: str
    public_key: str
    algorithm: int
    sign_count: int
    aaguid: str
    transports: tuple[str, ...]
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asserted:
    """A known credential, proven now."""

    sign_count: int
    backed_up: bool


def refusal(reason: str) -> PasskeyRefused:
    """The one refusal that is told: whoever asks learns nothing from it; `debug` goes on record."""
    return PasskeyRefused(
        "this passkey was not accepted here", debug=reason, next_step="try again, or use another passkey"
    )


def read_response(text: str) -> JsonObject:
    """Read what the page brought back (§5.1, `toJSON`), strictly and within limits."""
    try:
        return parse_object(text.encode(), limits=_LIMITS)
    except (RemitError, UnicodeEncodeError) as broken:
        raise refusal("malformed") from broken


def credential_of(response: JsonObject) -> str:
    """The id of the credential that answers."""
    found = response.get("id")
    if not isinstance(found, str):
        raise refusal("malformed")
    return found


def handle_of(response: JsonObject) -> str | None:
    """The user handle that a discoverable credential names itself by (§7.2 step 6)."""
    found = _member(response, "userHandle")
    return found if isinstance(found, str) and found else None


class PasskeyCopied(PasskeyRefused):
    """Somebody else holds a copy of the key, or did: told like every refusal, and put on record."""

    def __init__(self, reason: str) -> None:
        told = refusal(reason)
        super().__init__(told.hint, debug=reason, next_step=told.next_step)


class Prover:
    """Verifies answers for one relying party; what it raises is always the one `PasskeyRefused`."""

    def __init__(self, rp: RelyingParty) -> None:
        self._rp = rp

    def registration(self, response: JsonObject, *, challenge: bytes) -> Registered:
        """Verify a new credential (§7.1).

        1 type `webauthn.create`, this challenge, exactly our origin   2 not in a frame of another site
        3 our id's hash   4 the person was there, and was verified   5 an algorithm of ours, a key long enough
        6 the attestation statement, if there is one, holds. Raises `PasskeyRefused`.
        """
        from webauthn.helpers import decode_credential_public_key  # noqa: PLC0415 — 0.2 s that a start need not pay

        verified = self._guarded(lambda: self._verify_registration(response, challenge))
        self._not_framed(response)
        key = self._guarded(lambda: decode_credential_public_key(verified.credential_public_key))
        if int(key.alg) == _RS256 and len(key.n.lstrip(b"\0")) < _RSA_BYTES:
            raise refusal("key_short")
        return Registered(
            credential=b64u(verified.credential_id),
            public_key=b64u(verified.credential_public_key),
            algorithm=int(key.alg),
            sign_count=verified.sign_count,
            aaguid=verified.aaguid,
            transports=_transports(response),
            backup_eligible=verified.credential_device_type.value == "multi_device",
            backed_up=verified.credential_backed_up,
        )

    def assertion(self, response: JsonObject, *, challenge: bytes, passkey: Passkey) -> Asserted:
        """Verify an answer of a known credential (§7.2).

        1 type `webauthn.get`, this challenge, exactly our origin   2 not in a frame of another site
        3 our id's hash   4 the person was there, and was verified   5 the signature under the stored key
        6 the counter moved on, or neither side ever counted (§6.1.1)   7 it can still be where it could be
        before (BE never changes). Raises `PasskeyRefused`.
        """
        verified = self._guarded(lambda: self._verify_assertion(response, challenge, passkey))
        self._not_framed(response)
        self._counted(verified.new_sign_count, passkey)
        if (verified.credential_device_type.value == "multi_device") is not passkey.backup_eligible:
            raise refusal("backup_eligibility_changed")
        return Asserted(sign_count=verified.new_sign_count, backed_up=verified.credential_backed_up)

    def _verify_registration(self, response: JsonObject, challenge: bytes) -> Any:
        from webauthn import verify_registration_response  # noqa: PLC0415 — as above
        from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415 — as above

        return verify_registration_response(
            credential=response,
            expected_challenge=challenge,
            expected_rp_id=self._rp.id,
            expected_origin=self._rp.origin,
            require_user_presence=True,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(each) for each in ALGORITHMS],
        )

    def _verify_assertion(self, response: JsonObject, challenge: bytes, passkey: Passkey) -> Any:
        from webauthn import verify_authentication_response  # noqa: PLC0415 — as above

        return verify_authentication_response(
            credential=response,
            expected_challenge=challenge,
            expected_rp_id=self._rp.id,
            expected_origin=self._rp.origin,
            credential_public_key=b64u_decode(passkey.public_key),
            credential_current_sign_count=0,  # judged in step 6, after the signature
            require_user_verification=True,
        )

    def _counted(self, count: int, passkey: Passkey) -> None:
        """§6.1.1: a counter that did not move on is a copy's, unless the authenticator has none (0 and 0)."""
        if (count or passkey.sign_count) and count <= passkey.sign_count:
            raise PasskeyCopied(f"counter {count} after {passkey.sign_count}")

    def _not_framed(self, response: JsonObject) -> None:
        """§5.8.1: `crossOrigin` says that another site's page held ours; ours is framed by nobody."""
        text = _member(response, "clientDataJSON")
        client = self._guarded(lambda: parse_object(b64u_decode(str(text)), limits=_LIMITS))
        if client.get("crossOrigin", False) is not False or "topOrigin" in client:
            raise refusal("framed")

    def _guarded(self, check: Any) -> Any:
        try:
            return check()
        except PasskeyRefused:
            raise
        # SAFETY: these are a stranger's bytes; whatever a reader of them raises is the one refusal.
        except Exception as refused:
            raise refusal(f"{type(refused).__name__}: {refused}"[:200]) from refused


def _member(response: JsonObject, name: str) -> Json:
    inner = response.get("response")
    return inner.get(name) if isinstance(inner, dict) else None


def _transports(response: JsonObject) -> tuple[str, ...]:
    """Hints for the next question (§5.8.4); what is unknown is left out."""
    found = _member(response, "transports")
    named = {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()
    return tuple(sorted(named & _TRANSPORTS))
