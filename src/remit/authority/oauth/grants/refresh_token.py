"""Refresh tokens (RFC 6749 §6, OAuth 2.1 §4.3, RFC 9700 §4.14): used once, each gives the next.

1 the client is registered for them   2 the token is known   3 `families.judge`: whose is it, does its family
live, was it used, and if so was the answer lost or was it stolen   4 the person's session was not ended, and
everything that the token stands on is alive   5 scope, resource and rights only narrow   6 it is used where
the new token is issued, and judged there once more
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.authority.oauth.asking.families import (
    Family,
    Judgement,
    Presenter,
    RefreshToken,
    Verdict,
    judge,
    within,
)
from remit.authority.oauth.clients.registration import LIMITS, REFRESH, ClientRegistration, SessionLimits
from remit.authority.oauth.consenting.endings import Compromised
from remit.authority.oauth.issuing.client_sessions import SessionMint
from remit.authority.oauth.issuing.redeeming import registered_for
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.errors import InvalidGrant
from remit.authority.oidc import conditions
from remit.kernel.secret import Secret

NO_GOOD: Final = "the refresh token is not good"


class RefreshTokenGrant:
    """Earns a client another token of what a person allowed it, within what it had."""

    type: Final = REFRESH

    def __init__(self, *, mint: SessionMint, successors: Secret) -> None:
        self._mint = mint
        self._successors = successors

    def draft(self, asking: Asking) -> Draft:
        """Judge the refresh token on the view that was read."""
        registration = registered_for(REFRESH, asking)
        text = asking.request.parameters.need("refresh_token")
        spend = SpendRefresh(
            text=text,
            presenter=Presenter(
                client_id=registration.client_id,
                authenticated=not asking.who.public,
                key="" if asking.proof is None else asking.proof.key,
            ),
            successors=self._successors,
            limits=registration.limits,
        )
        family = spend.judged(asking.tx, at=asking.request.at).family
        self._check_client(family, registration)
        _check_sign_in(asking.tx, family, registration)
        # OpenID Connect Core §12.2: the same person and the same sign-in, without the nonce of the first.
        told = self._mint.id_token(asking, family, nonce="")
        return Draft(token=self._mint.token(asking, family), spend=spend, id_token=told)

    def _check_client(self, family: Family, registration: ClientRegistration) -> None:
        """A client that describes itself otherwise than when a person said yes must ask anew (OA-24)."""
        if not registration.is_as(family.registration):
            raise Compromised(NO_GOOD, family=family.id, reason="client_changed")


def _check_sign_in(tx: OAuthTransaction, family: Family, registration: ClientRegistration) -> None:
    """What the registration demands now of the sign-in, as the session has it now (R21).

    A session that was confirmed since counts as it is; one that is not kept any more as it was.
    """
    session = tx.sessions.get(family.session)
    acr, marks = (family.acr, family.marks) if session is None else (session.acr, session.marks)
    missing = conditions.unmet(registration.requires, acr=acr, marks=marks)
    if missing:
        raise InvalidGrant(conditions.sentence(missing), reason=f"unmet_{min(missing)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A refresh token that is worth something."""

    token: RefreshToken
    family: Family
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRefresh:
    """Uses up a refresh token where its successor is given."""

    text: str
    presenter: Presenter
    successors: Secret
    limits: SessionLimits = LIMITS

    def judged(self, tx: OAuthTransaction, *, at: datetime) -> _Found:
        """What it is worth in this view, or `InvalidGrant`; theft is `Compromised`."""
        known = opaque.is_one(opaque.REFRESH, self.text)
        token = tx.families.token(opaque.digest_of(self.text)) if known else None
        family = None if token is None else tx.families.get(token.family)
        if token is None or family is None:
            raise InvalidGrant(NO_GOOD, reason="refresh_unknown")
        successor = tx.families.token(token.successor) if token.successor else None
        judgement = judge(token, within(family, self.limits), successor, self.presenter, at=at)
        self._check(judgement, family)
        return _Found(token=token, family=family, verdict=judgement.verdict)

    def apply(self, tx: OAuthTransaction, *, at: datetime) -> str:
        """Judge it in the transaction that issues.

        INVARIANT: one conditional update decides which use is the first; there never are two leaves (RT-02).
        """
        found = self.judged(tx, at=at)
        text = opaque.successor_of(self.text, self.successors)
        ident = opaque.digest_of(text)
        if found.verdict is Verdict.REPEAT:
            if ident != found.token.successor:
                # The key that made the successor is another now: it can't be said again, and nothing is lost
                # but this session's comfort.
                raise InvalidGrant(NO_GOOD, reason="refresh_not_repeatable")
            return text
        family, token = found.family, found.token
        moved = replace(family, number=family.number + 1, used_at=at)
        used = replace(token, used_at=at, successor=ident)
        if not tx.families.use(used, at) or not tx.families.move(moved, was=family.number):
            raise InvalidGrant(NO_GOOD, reason="refresh_raced")
        tx.families.add_token(
            RefreshToken(id=ident, tenant=family.tenant, family=family.id, number=moved.number, issued_at=at)
        )
        return text

    def _check(self, judgement: Judgement, family: Family) -> None:
        if judgement.verdict is Verdict.REFUSE:
            raise InvalidGrant(NO_GOOD, reason=judgement.reason)
        if judgement.verdict is Verdict.THEFT:
            raise Compromised(NO_GOOD, family=family.id, reason=judgement.reason)
