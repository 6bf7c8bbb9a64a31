"""Sign-in desks that lack one defence each; a test passes them to `People` to see its attack get through."""

from typing import Any

from remit.identity.ceremonies import Ceremony, CeremonyBox
from remit.identity.passkey_desk import PasskeyDesk
from remit.identity.passkey_proofs import Prover
from remit.identity.passkeys import Passkey
from remit.identity.repository import IdentityTransaction
from remit.kernel.canonical import JsonObject, b64u_decode
from remit.kernel.ids import PrincipalId


class RemembersNothing(PasskeyDesk):
    """CO-12: a question may be answered twice."""

    def burn(self, tx: IdentityTransaction, ceremony: Ceremony) -> None:
        """Forget it."""


class AnybodysPasskey(PasskeyDesk):
    """CO-12: whoever's passkey answers, it is taken for the person's who was asked."""

    def _require_owner(self, passkey: Passkey, human: PrincipalId | None) -> None:
        """Ask nobody."""


class Uncounted(Prover):
    """CO-12: copies count."""

    def _counted(self, count: int, passkey: Passkey) -> None:
        """Ignore the counter."""


class Framed(Prover):
    """CO-12: another site may hold our page."""

    def _not_framed(self, response: JsonObject) -> None:
        """Look at no frame."""


class Lenient(Prover):
    """CO-12: the library asked for less."""

    less: dict[str, Any]

    def _verify_assertion(self, response: JsonObject, challenge: bytes, passkey: Passkey) -> Any:
        from webauthn import verify_authentication_response

        asked: dict[str, Any] = {
            "credential": response,
            "expected_challenge": challenge,
            "expected_rp_id": self._rp.id,
            "expected_origin": self._rp.origin,
            "credential_public_key": b64u_decode(passkey.public_key),
            "credential_current_sign_count": 0,
            "require_user_verification": True,
        }
        return verify_authentication_response(**{**asked, **self.less})


def lenient(**less: Any) -> type[PasskeyDesk]:
    """A desk whose prover asks the library for less."""
    return with_prover(type("Less", (Lenient,), {"less": less}))


def with_prover(kind: type[Prover]) -> type[PasskeyDesk]:
    """A desk with another prover."""

    class Desk(PasskeyDesk):
        def prover(self) -> Prover:
            return kind(self.party)

    return Desk


class AnyTicket(CeremonyBox):
    """CO-12: a ticket of another page or client is as good."""

    def take(self, ticket: str, act: object, *, bound_to: str, at: object) -> Ceremony:
        found = self._read(ticket)
        assert found is not None
        return found
