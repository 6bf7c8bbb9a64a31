"""Signed, chained versions of the policy: what a node proves before it decides anything with a text.

Each version is sealed by the tenant's own key (class POLICY): number, digest of the text, digest of the seal
before, and for whom it is if it is tried on a part. What a seal does not say is in force nowhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

import msgspec

from remit.decision.policy.bundle import PolicyVersion
from remit.kernel.canonical import Digest, sha256
from remit.kernel.errors import Unavailable
from remit.kernel.ids import PrincipalId, TenantId
from remit.kernel.jose import jws
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState, Signer

TYP: Final = "remit-policy+jws"
_DISBELIEVED: Final = frozenset({KeyState.RETIRED, KeyState.COMPROMISED})


class PolicyKeys(Protocol):
    """The tenant's keys, as far as policy needs them."""

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        """The record of that id and class, whatever its state."""

    def signer(self, key_class: KeyClass) -> Signer:
        """The active key of a class."""


class SealBroken(Unavailable):
    """A version is not what was signed: nothing is decided with it, and nothing is permitted."""

    code = "policy_unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A version that is tried on a part before it is in force for all."""

    base: int
    """The version that the others stay with, and everybody after `until`."""
    percent: int
    """Of tasks, 0 to 100; callers without a task are counted each as one."""
    agents: tuple[str, ...]
    """Names of agents that it is for, whatever the percentage."""
    until: datetime
    """When it ends by itself, exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What is signed of one version."""

    tenant: TenantId
    number: int
    digest: Digest
    previous: Digest
    """SHA-256 of the seal before, as ASCII; empty for the first that was sealed."""
    by: PrincipalId
    at: datetime
    canary: Canary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPolicy:
    """A policy text with its place in the order."""

    version: PolicyVersion
    text: str
    published_by: PrincipalId
    published_at: datetime
    seal: str = ""
    """Signed; empty for a version from before versions were sealed."""


_DECODER: Final = msgspec.json.Decoder(Seal)


def sealed(
    policy: PublishedPolicy, *, tenant: TenantId, previous: str, canary: Canary | None, signer: Signer
) -> PublishedPolicy:
    """The version with its seal; `previous` is the seal of the version before, empty if it has none."""
    stated = Seal(
        tenant=tenant,
        number=policy.version.number,
        digest=policy.version.digest,
        previous=link(previous),
        by=policy.published_by,
        at=policy.published_at,
        canary=canary,
    )
    return replace(policy, seal=jws.sign_named(signer.kid, TYP, msgspec.json.encode(stated), signer.private))


def link(seal: str) -> Digest:
    """What the next seal says of this one."""
    return sha256(seal.encode()) if seal else ""


def stated(seal: str) -> Seal | None:
    """What a seal says, of which NOTHING is proven: only to know what else to read."""
    try:
        return _DECODER.decode(jws.take_apart(seal).payload)
    except (TokenRejected, msgspec.MsgspecError):
        return None


def prove(policy: PublishedPolicy, *, tenant: TenantId, keys: PolicyKeys) -> Seal:
    """Prove that a version is exactly what was signed as that version.

    1 there is a seal, of our form and type   2 by a key of ours for policies, which is believed
    3 the signature holds                     4 it is of this tenant and this number
    5 the text is the one that was signed, by whom and when the row says
    The caller MUST still compare the number with the newest that it has seen, and the chain (`follow`).
    Raises `SealBroken` with the step.
    """
    name = f"policy version `{policy.version}`"
    # (1) A version that was never sealed is only believed before the first key was made: see `adopted`.
    if not policy.seal:
        raise _broken(1, f"{name} is not signed")
    try:
        parts = jws.take_apart(policy.seal)
        header = jws.header_of(parts.protected)
    except TokenRejected as rejected:
        raise _broken(1, f"{name} has a seal that can't be read") from rejected
    if header.typ != TYP:
        raise _broken(1, f"{name} bears a signature of something else")
    # (2) The record decides the algorithm; the header may only agree.
    key = keys.find(header.kid, KeyClass.POLICY)
    if key is None or key.state in _DISBELIEVED or not key.accepts_header(header.alg):
        raise _broken(2, f"{name} is signed by a key that is not believed")
    # (3) Over the exact bytes.
    if not key.public.verify(parts.signing_input, parts.signature):
        raise _broken(3, f"{name} has a broken signature")
    try:
        said = _DECODER.decode(parts.payload)
    except msgspec.MsgspecError as unread:
        raise _broken(3, f"{name} has a seal that can't be read") from unread
    # (4) PD-26: an older version with its good old seal does not pass in a newer place.
    if (said.tenant, said.number) != (tenant, policy.version.number):
        raise _broken(4, f"{name} bears the seal of version `v{said.number}`")
    # (5) The bytes themselves, not what the row says of them.
    if said.digest != sha256(policy.text.encode(errors="surrogatepass")):
        raise _broken(5, f"{name} has another text than was signed")
    if (said.digest, said.by, said.at) != (
        policy.version.digest,
        policy.published_by,
        policy.published_at,
    ):
        raise _broken(5, f"{name} was published by another or at another time than was signed")
    return said


def follow(seals: Sequence[tuple[int, str]], *, newest: Seal, after: str = "") -> None:
    """Prove that nothing between `after` and the newest seal was changed or taken out.

    `seals` are (number, seal) from the oldest to the newest, `after` the seal that this node knew last; that
    of the newest is proven, so each digest in turn proves the one before. Raises `SealBroken`.
    """
    expected = link(after)
    for number, seal in seals:
        said = stated(seal)
        if said is None or said.number != number or said.previous != expected:
            raise _broken(6, f"the chain of policy versions is broken before `v{number}`")
        expected = link(seal)
    if not seals or seals[-1][0] != newest.number:
        raise _broken(6, f"the chain of policy versions does not end with `v{newest.number}`")


def _broken(step: int, sentence: str) -> SealBroken:
    return SealBroken(sentence, debug=f"step {step}", next_step="remit policy verify")
