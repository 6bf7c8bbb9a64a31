"""Desks and key stores of foreign issuers that lack one defence each, for `Federated`."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.requests import TokenRequest
from remit.authority.oauth.wire.errors import InvalidGrant
from remit.authority.oauth.workloads import Admitted, WorkloadDesk
from remit.identity.federation.admission import plan
from remit.identity.federation.assertion import VerifiedAssertion, verify_assertion
from remit.identity.federation.conditions import Condition
from remit.identity.federation.errors import KeysUnfit
from remit.identity.federation.refresh import KeyRefresher
from remit.identity.federation.service import issuer_of
from remit.identity.federation.trust import KeySet, TrustedIssuer
from remit.kernel.canonical import b64u_decode
from remit.kernel.jose.dpop import shown_key
from remit.platform.jwks import GuardedKeys
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.blindness import VeiledWork


class AnyWay(WorkloadDesk):
    """AS-05: an assertion that verifies is one, by whichever way it comes."""

    def admit(self, tx: Any, request: TokenRequest) -> Admitted | None:
        text = request.parameters.get("assertion") or request.parameters.get("client_assertion")
        found = self._verify(tx, text, request.at)
        public = shown_key(request.proofs[0])
        admission = plan(tx, found, public, at=request.at, entropy=self._entropy)
        who = self._client(admission, InvalidGrant)
        return Admitted(who=who, admission=admission, refused=InvalidGrant, entropy=self._entropy)

    def _verify(self, tx: Any, text: str, at: datetime) -> VerifiedAssertion:
        issuer = issuer_of(tx, text)
        return verify_assertion(text, issuer=issuer, keys=tx.issuer_keys.get(issuer.id), at=at)


class AnyAudience(AnyWay):
    """AS-09: a token that was made for the cluster itself, or for anybody, is for us too."""

    def _verify(self, tx: Any, text: str, at: datetime) -> VerifiedAssertion:
        issuer = issuer_of(tx, text)
        meant = json.loads(b64u_decode(text.split(".")[1]))["aud"]
        keys = tx.issuer_keys.get(issuer.id)
        return verify_assertion(text, issuer=replace(issuer, audience=meant), keys=keys, at=at)


def desk(kind: type[WorkloadDesk]) -> Callable[..., OAuth]:
    """Builds a server with that desk, for `Federated(build=…)`."""

    def build(**parts: Any) -> OAuth:
        whole = OAuth.build(**parts)
        names = ("options", "entropy")
        whole.token._workloads = kind(keys=parts["issuer_keys"], **{name: parts[name] for name in names})
        return whole

    return build


class _Part:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Namesakes(_Part):
    """AS-09: rules that know accounts by their names, which a new account may have again."""

    def of_issuer(self, ident: Any) -> Any:
        return [replace(rule, conditions=_named(rule.conditions)) for rule in self._inner.of_issuer(ident)]


def _named(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    return tuple(each for each in conditions if not each.claim.endswith(".uid"))


class OneRing(_Part):
    """AS-09: the keys of all issuers are one set, of whichever issuer somebody asks."""

    def __init__(self, tx: SqlTransaction) -> None:
        super().__init__(tx.issuer_keys)
        self._issuers = tx.issuers

    def get(self, ident: Any) -> Any:
        sets = [self._inner.get(each.id) for each in self._issuers.all()]
        found = self._inner.get(ident)
        keys = tuple(key for each in sets if each is not None for key in each.keys)
        return None if found is None else replace(found, keys=keys)


def namesakes(uow: SqlUnitOfWork) -> SqlUnitOfWork:
    """Units of work over such rules."""
    return VeiledWork(uow, trust_rules=lambda tx: Namesakes(tx.trust_rules))


def one_ring(uow: SqlUnitOfWork) -> SqlUnitOfWork:
    """Units of work over such keys."""
    return VeiledWork(uow, issuer_keys=OneRing)


class Replacing(KeyRefresher):
    """JW-23: what an issuer says now is all there is, even where it can't be read."""

    async def _store(self, issuer: TrustedIssuer, raw: bytes, at: datetime) -> KeySet:
        try:
            return await super()._store(issuer, raw, at)
        except KeysUnfit:
            nothing = KeySet(issuer=issuer.id, keys=(), authorities=(), seen_at=at, refresh_at=at)
            await self._uow.commit(lambda tx: tx.issuer_keys.put(nothing))
            return nothing


class Endless(GuardedKeys):
    """JW-23: a set is as large as its issuer likes."""

    largest = 1 << 30
