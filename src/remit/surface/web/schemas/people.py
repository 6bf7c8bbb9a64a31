"""People who sign in, as the API shows them: passkeys, sessions, enrolment links; never a secret but once."""

from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.identity.passkeys import Passkey, PasskeyState
from remit.identity.sessions import Session


class NewEnrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the link works, in seconds; absent means as the settings say."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] | None = None


class EnrolmentView(msgspec.Struct, frozen=True, kw_only=True):
    """A link, told once. Whoever has it makes a passkey of that person's: hand it to them alone."""

    id: str
    user: str
    url: str
    expires_at: datetime


class PasskeyView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One passkey: public facts."""

    id: str
    user: str
    name: str
    state: PasskeyState
    algorithm: int
    aaguid: str
    backed_up: bool
    created_at: datetime
    used_at: datetime | None = None

    @classmethod
    def of(cls, passkey: Passkey) -> Self:
        """From the domain."""
        return cls(
            id=passkey.id,
            user=passkey.human,
            name=passkey.name,
            state=passkey.state,
            algorithm=passkey.algorithm,
            aaguid=passkey.aaguid,
            backed_up=passkey.backed_up,
            created_at=passkey.created_at,
            used_at=passkey.used_at,
        )


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """One open session."""

    id: str
    user: str
    acr: str
    amr: list[str]
    client: str
    begun_at: datetime
    authenticated_at: datetime
    seen_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, session: Session) -> Self:
        """From the domain."""
        return cls(
            id=session.id,
            user=session.human,
            acr=session.acr,
            amr=list(session.amr),
            client=session.client,
            begun_at=session.begun_at,
            authenticated_at=session.authenticated_at,
            seen_at=session.seen_at,
            expires_at=session.expires_at,
        )


class EndedView(msgspec.Struct, frozen=True, kw_only=True):
    """How many ended."""

    ended: int
