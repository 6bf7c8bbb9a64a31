"""What every ceremony needs: the questions it asks, the proof of an answer, and its one use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.identity import events
from remit.identity.ceremonies import LIFE, Ceremony, CeremonyBox
from remit.identity.errors import CeremonyOver, PasskeyRefused, PasskeysNeedName
from remit.identity.passkey_proofs import (
    Asserted,
    PasskeyCopied,
    Prover,
    credential_of,
    handle_of,
    read_response,
    refusal,
)
from remit.identity.passkeys import ALGORITHMS, Passkey, PasskeyState, RelyingParty, relying_party
from remit.identity.principals import Principal
from remit.identity.repository import IdentityTransaction
from remit.identity.session_service import living_human
from remit.identity.sessions import ACR_PASSKEY_UV, AMR_PASSKEY_UV, Proof, SessionRule
from remit.kernel.canonical import Json, JsonObject, b64u
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.tenancy import origin_of, path_of
from remit.kernel.uow import UnitOfWork

_TIMEOUT: Final = int(LIFE.total_seconds() * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a page shows to an authenticator: options (WebAuthn §5.4, §5.5), and a ticket to bring back."""

    ticket: str
    options: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A passkey that answered rightly; it counts once it is used, in a transaction."""

    ceremony: Ceremony
    passkey: Passkey
    asserted: Asserted


class PasskeyDesk:
    """Asks authenticators and believes their answers, for one installation; shared by the services."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[IdentityTransaction],
        clock: Clock,
        entropy: Entropy,
        tenant: TenantId,
        box: CeremonyBox,
        rule: SessionRule,
        issuer: str,
    ) -> None:
        self.uow = uow
        self.clock = clock
        self.entropy = entropy
        self.tenant = tenant
        self.box = box
        self.rule = rule
        self._issuer = issuer

    @property
    def party(self) -> RelyingParty:
        """Whom passkeys are made for here. Raises `PasskeysNeedName`."""
        return relying_party(self._issuer)

    @property
    def home(self) -> str:
        """The address below which pages with passkeys work; the issuer where none do."""
        try:
            return f"{self.party.origin}{path_of(self._issuer)}"
        except PasskeysNeedName:
            return self._issuer

    @property
    def origins(self) -> frozenset[str]:
        """Web origins under which our own pages are seen."""
        return frozenset({origin_of(self._issuer), origin_of(self.home)})

    def prover(self) -> Prover:
        """Who verifies answers."""
        return Prover(self.party)

    def request(self, challenge: bytes, passkeys: Sequence[Passkey] = ()) -> JsonObject:
        """Options for an answer (§5.5); without passkeys the authenticator offers what it holds for us."""
        allowed: list[Json] = [_descriptor(each) for each in passkeys]
        return {
            "challenge": b64u(challenge),
            "timeout": _TIMEOUT,
            "rpId": self.party.id,
            "allowCredentials": allowed,
            "userVerification": "required",
        }

    def creation(
        self, challenge: bytes, *, human: Principal, handle: str, passkeys: Sequence[Passkey]
    ) -> JsonObject:
        """Options for a new credential (§5.4): kept on the authenticator, and unlocked by the person."""
        called = human.email or human.name
        excluded: list[Json] = [_descriptor(each) for each in passkeys]
        return {
            "rp": {"id": self.party.id, "name": "Remit"},
            "user": {"id": handle, "name": called, "displayName": human.name},
            "challenge": b64u(challenge),
            "pubKeyCredParams": [{"type": "public-key", "alg": each} for each in ALGORITHMS],
            "timeout": _TIMEOUT,
            "excludeCredentials": excluded,
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": True,
                "userVerification": "required",
            },
            "attestation": "none",
        }

    async def prove(
        self, ceremony: Ceremony, text: str, *, challenge: bytes, human: PrincipalId | None = None
    ) -> Proven:
        """Verify an answer; `human` is who must have given it, None for whoever the passkey belongs to.

        1 the credential is known and active   2 it is the person's who was asked, and names itself so
        3 `Prover.assertion`. Raises `PasskeyRefused`, always alike. The caller MUST still `use` the result.
        """
        response = read_response(text)
        passkey = await self._known(response, human)
        try:
            asserted = self.prover().assertion(response, challenge=challenge, passkey=passkey)
        except PasskeyCopied as copied:
            await self._record_refusal(passkey, copied)
            raise
        return Proven(ceremony=ceremony, passkey=passkey, asserted=asserted)

    def use(self, tx: IdentityTransaction, proven: Proven, *, at: datetime) -> Principal:
        """Let an answer count, once: burn the question, keep the counter, and give who answered.

        INVARIANT: question, counter and whatever the answer does commit together or not at all.
        """
        self.burn(tx, proven.ceremony)
        used = replace(
            proven.passkey,
            sign_count=proven.asserted.sign_count,
            backed_up=proven.asserted.backed_up,
            used_at=at,
        )
        if not tx.passkeys.put(used, was=proven.passkey):
            raise refusal("changed meanwhile")
        human = living_human(tx, used.human)
        if human is None:
            raise refusal("person does not live")
        return human

    def burn(self, tx: IdentityTransaction, ceremony: Ceremony) -> None:
        """Take a question for answered. Raises `CeremonyOver` if it was."""
        if not tx.challenges.spend(ceremony.digest, keep_until=ceremony.keep_until):
            raise CeremonyOver("the page was answered before; open it again")

    def proof_of(self, passkey: Passkey, *, at: datetime) -> Proof:
        """What a proven passkey says of a sign-in: `Prover` demands verification of the person."""
        return Proof(amr=AMR_PASSKEY_UV, acr=ACR_PASSKEY_UV, at=at, means=passkey.id)

    async def _known(self, response: JsonObject, human: PrincipalId | None) -> Passkey:
        credential = credential_of(response)
        passkey = await self.uow.read(lambda tx: tx.passkeys.by_credential(credential))
        if passkey is None or passkey.state is not PasskeyState.ACTIVE:
            raise refusal("unknown or revoked")
        handle = handle_of(response)
        # §7.2 step 6: whoever was named before may leave the handle out; whoever was not must show it.
        if handle != passkey.user_handle and not (handle is None and human is not None):
            raise refusal("another handle")
        self._require_owner(passkey, human)
        return passkey

    def _require_owner(self, passkey: Passkey, human: PrincipalId | None) -> None:
        if human is not None and passkey.human != human:
            raise refusal("another person's")

    async def _record_refusal(self, passkey: Passkey, refused: PasskeyRefused) -> None:
        """Somebody holds the key and is out of step: the one refusal that its owner must hear of."""
        at = self.clock.now()

        def work(tx: IdentityTransaction) -> None:
            human = tx.principals.get(passkey.human)
            if human is not None:
                detail = (("passkey", passkey.id), ("because", refused.debug))
                events.state(
                    tx,
                    events.PASSKEY_REFUSED,
                    human,
                    by=human.id,
                    at=at,
                    entropy=self.entropy,
                    codes=(refused.code,),
                    detail=detail,
                )

        await self.uow.commit(work)


def _descriptor(passkey: Passkey) -> JsonObject:
    transports: list[Json] = [*passkey.transports]
    return {"type": "public-key", "id": passkey.credential, "transports": transports}
