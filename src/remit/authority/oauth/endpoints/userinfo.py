"""The UserInfo endpoint (OpenID Connect Core §5.3): an application asks who a person is.

A protected resource like any other: one way in, one question who lives, asked in the transaction that burns
the proof. What the registration demands of a sign-in is judged here too, as of now (RFC 9470).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.authority.oauth.asking.families import Family, FamilyId
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.repository import OAuthTransaction, Standing, TransactionView
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    InsufficientAuthentication,
    InvalidToken,
    ProofRefused,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.oidc import conditions
from remit.authority.oidc.disclosure import told
from remit.authority.tokens import VerifiedSubject
from remit.kernel.canonical import JsonObject
from remit.kernel.clock import Clock
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.keys import KeyLookup
from remit.kernel.uow import UnitOfWork

_NEEDED: Final = frozenset({str(Scope.OPENID)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What came with a request."""

    authorization: str
    proofs: list[str]
    method: str
    certificate: str


class _Present:
    """`Standings` of one open transaction: it is always the present."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def current(self) -> Standing:
        """The transaction itself."""
        return self._standing

    async def catch_up(self) -> None:
        """Nothing to do."""


class UserinfoEndpoint:
    """Tells the holder of a token for `<issuer>/userinfo` what its scopes open."""

    def __init__(
        self, *, uow: UnitOfWork[OAuthTransaction], keys: KeyLookup, options: OAuthOptions, clock: Clock
    ) -> None:
        self._uow = uow
        self._keys = keys
        self._options = options
        self._clock = clock

    async def answer(self, shown: Shown) -> JsonObject:
        """The claims. Raises an `OAuthError` with the challenge of RFC 6750 §3, 9449 §7.1 or 9470 §3."""
        at = self._clock.now()
        return await self._uow.commit(lambda tx: self._answer(tx, shown, at))

    def _answer(self, tx: OAuthTransaction, shown: Shown, at: datetime) -> JsonObject:
        subject = self._verified(tx, shown, at)
        if subject.proof is not None and not tx.replay.burn(subject.tenant, subject.proof):
            raise ProofRefused("this proof was used before", reason="proof_replayed")
        family = tx.families.get(FamilyId(subject.ancestors[0])) if subject.ancestors else None
        person = None if subject.user is None else tx.principals.get(PrincipalId(subject.user))
        if family is None or person is None:
            raise InvalidToken(UNVERIFIED, reason="family_unknown")
        _check_sign_in(tx, family)
        return told(person, subject.scopes)

    def _verified(self, tx: OAuthTransaction, shown: Shown, at: datetime) -> VerifiedSubject:
        verifier = AccessTokenVerifier(
            keys=self._keys, standings=_Present(TransactionView(tx)), clock=self._clock, size=1
        )
        return verifier.verify(
            shown.authorization,
            shown.proofs,
            shown.method,
            self._options.userinfo,
            self._options.userinfo,
            at,
            scopes=_NEEDED,
            certificate=shown.certificate,
        )


def _check_sign_in(tx: OAuthTransaction, family: Family) -> None:
    registration = tx.registrations.get(family.client_id)
    requires = frozenset[str]() if registration is None else registration.requires
    missing = conditions.unmet(requires, acr=family.acr, marks=family.marks)
    if missing:
        raise InsufficientAuthentication(
            conditions.sentence(missing), acr_values=conditions.wanted_acr(missing)
        )
