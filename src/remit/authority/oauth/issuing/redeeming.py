"""What redeeming a person's yes comes to, however its client fetches it: spent once, and a family begun."""

from dataclasses import dataclass
from datetime import datetime

from remit.authority.oauth.asking.codes import NO_GOOD, AuthorizationCode
from remit.authority.oauth.asking.families import CONCURRENCY, Family, RefreshToken
from remit.authority.oauth.clients.registration import REFRESH, ClientRegistration
from remit.authority.oauth.consenting.endings import Compromised, end_family
from remit.authority.oauth.enrolling.instances import terms_of
from remit.authority.oauth.proving.requests import Asking
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.errors import InvalidGrant, UnauthorizedClient
from remit.kernel.ids import Entropy, PrincipalId


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendCode:
    """Uses up a code and begins its family, where its first token is issued."""

    code: AuthorizationCode
    family: Family
    registration: ClientRegistration
    entropy: Entropy

    def apply(self, tx: OAuthTransaction, *, at: datetime) -> str:
        """INVARIANT: one conditional update decides between all who redeem it (OA-08)."""
        if not tx.codes.spend(self.code, at):
            raise replayed(self.code)
        self._make_room(tx, at)
        tx.families.add(self.family)
        if REFRESH not in self.registration.grant_types:
            return ""
        text = opaque.make(opaque.REFRESH, self.entropy)
        tx.families.add_token(
            RefreshToken(
                id=opaque.digest_of(text),
                tenant=self.family.tenant,
                family=self.family.id,
                number=0,
                issued_at=at,
            )
        )
        return text

    def _make_room(self, tx: OAuthTransaction, at: datetime) -> None:
        """The oldest sessions of this person with this client end, as many as are too many."""
        live = tx.families.live_of(self.family.user, self.family.client_id, at)
        for old in live[: max(0, len(live) + 1 - self.registration.limits.concurrency)]:
            by = PrincipalId(self.family.user)
            end_family(tx, old.id, cause=CONCURRENCY, by=by, at=at, entropy=self.entropy)


def registered_for(grant: str, asking: Asking) -> ClientRegistration:
    """The client's registration, or what an instance is without one, if it is for this grant."""
    registration = terms_of(asking.who.client)
    if registration is None or not registration.live or grant not in registration.grant_types:
        raise UnauthorizedClient(
            "this client is not registered for that grant", reason="grant_not_registered"
        )
    return registration


def replayed(code: AuthorizationCode) -> Compromised:
    """RFC 6749 §4.1.2: what came of a code that comes twice can't be trusted."""
    return Compromised(NO_GOOD, family=code.family, reason="code_replayed")


def family_of(code: AuthorizationCode, registration: ClientRegistration, asking: Asking) -> Family:
    """What a person's yes gave, to be begun by its first token, for the client that they saw (OA-24)."""
    if not registration.is_as(code.registration):
        raise InvalidGrant(NO_GOOD, reason="client_changed")
    limits, at = registration.limits, asking.request.at
    proof = asking.proof
    return Family(
        id=code.family,
        tenant=code.tenant,
        client_id=code.client_id,
        principal=asking.who.client.id,
        user=code.sign_in.user,
        session=code.sign_in.session,
        task=code.task,
        resource=code.resource,
        scopes=code.scopes,
        # RFC 9449 §5: a public client's are bound to its key; who authenticates is bound by that.
        key=proof.key if proof is not None and registration.public else "",
        acr=code.sign_in.acr,
        amr=code.sign_in.amr,
        marks=code.sign_in.marks,
        signed_in_at=code.sign_in.at,
        started_at=at,
        used_at=at,
        ends_at=code.issued_at + limits.lifetime,
        idle=limits.idle,
        refresh_count=limits.refresh_count,
        disclosure=code.disclosure,
        registration=code.registration,
    )
