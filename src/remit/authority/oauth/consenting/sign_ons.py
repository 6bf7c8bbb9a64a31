"""Applications that people sign in to: letting one in, by a yes now or an earlier one, and taking it back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from remit.authority.oauth.asking.authorization_request import Prompt
from remit.authority.oauth.asking.pending import Offer, Pending
from remit.authority.oauth.clients import redirects
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.consenting.answered import Answered, give_code, record_of
from remit.authority.oauth.consenting.endings import end_family
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oidc.sign_on import Occasion, SignOn, SignOnId, answers
from remit.kernel.errors import NotFound
from remit.kernel.ids import Entropy, PrincipalId, UserId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record

REMEMBERED: Final = "authority.authorization.remembered"
WITHDRAWN: Final = "authority.sign_on.withdrawn"
_ASKS: Final = frozenset({Prompt.CONSENT, Prompt.SELECT_ACCOUNT})


class UnknownSignOn(NotFound):
    """No such yes to an application, or another person's."""

    code = "unknown_sign_on"


def may_remember(registration: ClientRegistration, redirect_uri: str) -> bool:
    """Whether an earlier yes may count again.

    A client without a key on a person's own machine could be any program there (RFC 8252 §8.6): it is asked
    about each time.
    """
    local = redirects.is_loopback(redirect_uri) or not redirect_uri.startswith("https://")
    return not (registration.public and local)


def earlier(
    tx: OAuthTransaction, pending: Pending, offer: Offer, registration: ClientRegistration, user: UserId
) -> bool:
    """Whether the person has said yes to this very thing before, and the client does not want them asked."""
    if _ASKS & pending.request.prompt or offer.ceiling is not None:
        return False
    where = pending.request.returning.redirect_uri
    now = Occasion(redirect_uri=where, disclosure=offer.disclosure, registration=registration.digest)
    known = tx.sign_ons.standing(user, registration.client_id)
    return may_remember(registration, where) and any(answers(each, now) for each in known)


def let_in_again(tx: OAuthTransaction, answered: Answered, *, issuer: str, entropy: Entropy) -> str:
    """A code by an earlier yes, on record as that; where to send the browser."""
    tx.ledger.append(record_of(answered, REMEMBERED, task=None, effect="permit", entropy=entropy))
    return give_code(tx, answered, None, issuer=issuer, entropy=entropy)


def remember(tx: OAuthTransaction, answered: Answered, *, entropy: Entropy) -> None:
    """Keep a yes, in the place of the last one to the client at this address; it can be taken back."""
    registration, offer = answered.registration, answered.offer
    where = answered.pending.request.returning.redirect_uri
    for old in tx.sign_ons.standing(answered.user, registration.client_id):
        if old.redirect_uri == where:
            tx.sign_ons.withdraw(old, answered.at)
    tx.sign_ons.add(
        SignOn(
            id=SignOnId(mint_id("sgn", at=answered.at, entropy=entropy)),
            tenant=answered.pending.tenant,
            user=answered.user,
            client_id=registration.client_id,
            client_name=registration.name,
            redirect_uri=where,
            disclosure=offer.disclosure,
            registration=registration.digest,
            text="\n".join((f"I sign in to {registration.name}, which can:", *offer.lines)),
            given_at=answered.at,
        )
    )


class SignOnService:
    """A person's own list of applications, and the end of each."""

    def __init__(self, *, uow: UnitOfWork[OAuthTransaction], entropy: Entropy) -> None:
        self._uow = uow
        self._entropy = entropy

    async def of(self, user: UserId) -> Sequence[SignOn]:
        """The yeses that stand, newest first."""
        found = await self._uow.read(lambda tx: tx.sign_ons.of(user))
        return [each for each in found if each.stands]

    async def withdraw(self, ident: SignOnId, *, by: PrincipalId, at: datetime) -> SignOn:
        """Take one back: the person is asked again, and the client's tokens for them end now.

        Raises `UnknownSignOn`, also for another person's.
        """
        return await self._uow.commit(lambda tx: self._withdraw(tx, ident, by, at))

    def _withdraw(self, tx: OAuthTransaction, ident: SignOnId, by: PrincipalId, at: datetime) -> SignOn:
        known = tx.sign_ons.get(ident)
        if known is None or str(known.user) != str(by) or not tx.sign_ons.withdraw(known, at):
            raise UnknownSignOn(f"no application `{ident[:64]}` that you sign in to")
        for family in tx.families.live_of(known.user, known.client_id, at):
            end_family(tx, family.id, cause="withdrawn", by=by, at=at, entropy=self._entropy)
        tx.ledger.append(
            Record(
                id=facts.record_id(at, self._entropy),
                at=at,
                tenant=known.tenant,
                kind=WITHDRAWN,
                actor=by,
                user=known.user,
                subject=known.id,
                detail=(("client", known.client_id),),
            )
        )
        return known
