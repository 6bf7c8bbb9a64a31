"""What can go wrong in the directory, one class per thing that a caller can do differently."""

from typing import ClassVar

from remit.kernel.errors import Conflict, Invalid, NotFound, RemitError


class UnknownPrincipal(NotFound):
    """No such principal, or none that the caller may know of."""

    code: ClassVar[str] = "unknown_principal"


class NameTaken(Conflict):
    """A living principal of that kind has that name; a retired one's name is free again, its id never."""

    code: ClassVar[str] = "name_taken"


class ActivationIncomplete(Conflict):
    """A principal lacks what none may be active without; `missing` names each field (R99)."""

    code: ClassVar[str] = "activation_incomplete"

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(f"can't become active without {', '.join(f'`{field}`' for field in missing)}")
        self.missing = missing

    @property
    def codes(self) -> tuple[str, ...]:
        """One stable code per missing field: `owner_missing`, `purpose_missing`, …"""
        return tuple(f"{field}_missing" for field in self.missing)


class OwnerMissing(Conflict):
    """The chain of owners ends nowhere, or at nobody who lives (R100)."""

    code: ClassVar[str] = "owner_unresolved"


class OwnerLoop(Conflict):
    """The chain of owners comes back to where it was."""

    code: ClassVar[str] = "owner_loop"


class OwnerUnfit(Invalid):
    """Only a human, a business unit or an application can own anything."""

    code: ClassVar[str] = "owner_unfit"


class SharedCredential(Conflict):
    """The key is, or was, another entry's: a credential has one holder for ever (R7)."""

    code: ClassVar[str] = "shared_credential"


class UnknownCredential(NotFound):
    """No such key of this principal."""

    code: ClassVar[str] = "unknown_credential"


class NoBlueprint(Invalid):
    """An agent is made from a living blueprint, never by hand (R109)."""

    code: ClassVar[str] = "no_blueprint"


class BlueprintDeviation(Conflict):
    """What was asked differs from what the blueprint fixes; `fields` names where."""

    code: ClassVar[str] = "blueprint_deviation"

    def __init__(self, hint: str, *, fields: tuple[str, ...]) -> None:
        super().__init__(hint)
        self.fields = fields


class ParentUnfit(Invalid):
    """An instance needs a living agent, a tool a living server, a key or token a living workload."""

    code: ClassVar[str] = "parent_unfit"


class Changed(Conflict):
    """Somebody else changed it in between; read it again."""

    code: ClassVar[str] = "changed_meanwhile"


class DefinitionChanged(Conflict):
    """The definition that was to be approved is no longer the one that the server sends."""

    code: ClassVar[str] = "definition_changed"


class Killed(Conflict):
    """What was killed stays dead: a kill ends an id for good (P12)."""

    code: ClassVar[str] = "principal_killed"


class UnknownSession(NotFound):
    """No such session of this person."""

    code: ClassVar[str] = "unknown_session"


class PasskeysNeedName(Conflict):
    """The issuer's host is an IP address, which no passkey can be made for (WebAuthn §5.1.3)."""

    code: ClassVar[str] = "passkeys_need_name"


class PasskeyRefused(RemitError):
    """A passkey's answer proves nothing here; why is on record, and never told to who gave it."""

    code: ClassVar[str] = "passkey_refused"
    kind: ClassVar[str] = "forbidden"


class CeremonyOver(Conflict):
    """The question that a passkey was to answer is too old, was answered, or is another page's."""

    code: ClassVar[str] = "ceremony_over"


class NotFresh(RemitError):
    """This needs a person who has just proven to be there, with a passkey that verified them."""

    code: ClassVar[str] = "fresh_sign_in_needed"
    kind: ClassVar[str] = "forbidden"


class UnknownPasskey(NotFound):
    """No such passkey of this person."""

    code: ClassVar[str] = "unknown_passkey"


class LastPasskey(Conflict):
    """A person does not remove the one passkey that they can sign in with."""

    code: ClassVar[str] = "last_passkey"


class PasskeyTaken(Conflict):
    """The authenticator's credential is registered already, or was."""

    code: ClassVar[str] = "passkey_taken"


class TooManyPasskeys(Conflict):
    """A person has as many passkeys as anybody may have."""

    code: ClassVar[str] = "too_many_passkeys"


class EnrolmentOver(RemitError):
    """The link is unknown, used, withdrawn or too old: all look alike."""

    code: ClassVar[str] = "enrolment_over"
    kind: ClassVar[str] = "gone"


class EnrolmentTooLong(Invalid):
    """An enrolment link would live longer than it may."""

    code: ClassVar[str] = "enrolment_too_long"
