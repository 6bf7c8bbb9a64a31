"""Verifiers of envelopes that lack one check each."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from remit.authority.envelope import SEPARATOR, Envelope, Hop, read_hop
from remit.authority.verify import EnvelopeVerifier, VerifiedEnvelope
from remit.kernel.canonical import b64u_decode
from remit.kernel.jose import jws
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyClass, KeyLookup, KeyRecord
from remit.kernel.jose.profiles import TokenType
from remit.kernel.tenancy import DEFAULT_TENANT
from support.jose import ISSUER


class BlindToOrder(EnvelopeVerifier):
    """DE-04: a hop may stand anywhere, and twice."""

    def _check_previous(self, envelope: Envelope, position: int, hop: Hop) -> None:
        return

    def _check_signer(self, parent: object, hop: Hop, position: int) -> None:
        return

    def _check_place(self, root: object, hop: Hop, position: int) -> None:
        return

    def _check_narrowing(self, parent: object, hop: Hop, position: int) -> None:
        return

    def _check_loop(self, root: object, before: object, hop: Hop, position: int) -> None:
        return


class Unbounded(EnvelopeVerifier):
    """DE-06: neither size nor depth is looked at."""

    def verify(self, text: str, *, at: datetime) -> VerifiedEnvelope:
        envelope = Envelope(tuple(text.split(SEPARATOR)))
        token, root = self._root(envelope.parts[0], at)
        hops: list[Hop] = []
        for position in range(1, len(envelope.parts)):
            hops.append(self._hop(envelope, position, token, root, hops, at))
        return VerifiedEnvelope(
            tenant=token.record.tenant, digest=envelope.digest, root=root, hops=tuple(hops), digests=()
        )

    def _check_narrowing(self, parent: object, hop: Hop, position: int) -> None:
        return


class BlindToType(EnvelopeVerifier):
    """DE-14: whatever the right key signed is a hop."""

    def _hop(
        self, envelope: Envelope, position: int, root_token: Any, root: Any, before: list[Hop], at: datetime
    ) -> Hop:
        parts = jws.take_apart(envelope.parts[position])
        record = self._delegates.find(jws.read_header(parts.protected).kid, KeyClass.HOP)
        if record is None or not record.public.verify(parts.signing_input, parts.signature):
            raise TokenRejected(5, "bad_signature")
        hop = read_hop(json.loads(parts.payload))
        parent = before[-1] if before else root
        self._check_previous(envelope, position, hop)
        self._check_signer(parent, hop, position)
        self._check_place(root, hop, position)
        self._check_narrowing(parent, hop, position)
        self._check_loop(root, before, hop, position)
        return hop


class AnyKeyRecords(EnvelopeVerifier):
    """A recorded hop may come from any key that is known: only its header says what it is."""

    def _keys_of(self, kind: TokenType) -> KeyLookup:
        return Relabelled(self._delegates) if kind is TokenType.RECORDED_HOP else super()._keys_of(kind)


class Relabelled:
    """Keys of agents that pass for ours."""

    def __init__(self, keys: KeyLookup) -> None:
        self._keys = keys

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        found = self._keys.find(kid, KeyClass.HOP)
        return None if found is None else replace(found, key_class=key_class, issuer=ISSUER)


class OneTenant:
    """DE-13: keys without an owner: each is taken for one of ours."""

    def __init__(self, keys: KeyLookup) -> None:
        self._keys = keys

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        found = self._keys.find(kid, key_class)
        return None if found is None else replace(found, tenant=DEFAULT_TENANT)


def hop_in(text: str) -> Hop:
    """The last hop of an envelope, unverified."""
    return read_hop(json.loads(b64u_decode(text.rsplit(SEPARATOR, maxsplit=1)[-1].split(".")[1])))
