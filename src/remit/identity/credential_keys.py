"""Registered keys as the JOSE front looks them up: a key is believed while its holder lives."""

from typing import Final

from remit.identity.credentials import Credential, CredentialState
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.identity.repository import Credentials, Principals
from remit.kernel.ids import KeyId, PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState

CLASSES: Final = {
    Kind.INSTANCE: frozenset({KeyClass.CLIENT, KeyClass.HOP}),
    Kind.SERVICE_ACCOUNT: frozenset({KeyClass.CLIENT}),
    Kind.HUMAN: frozenset({KeyClass.PERSON}),
}
"""What a holder's key may sign; `typ` keeps an assertion and a hop apart (RFC 8725 §3.11)."""


class CredentialKeys:
    """Looks keys up within one transaction, of one tenant."""

    def __init__(self, credentials: Credentials, principals: Principals) -> None:
        self._credentials = credentials
        self._principals = principals

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        """The record of a registered key; None unless its holder's kind may sign that class.

        The key of a holder that does not live, or whose agent or blueprint does not, is `RETIRED` (DE-10).
        """
        credential = self._credentials.get(KeyId(kid))
        holder = None if credential is None else self._principals.get(credential.principal)
        if credential is None or holder is None or key_class not in CLASSES.get(holder.kind, frozenset()):
            return None
        lives = credential.state is CredentialState.ACTIVE and is_live(holder, self._principals)
        return record_of(credential, key_class, lives=lives)


def record_of(credential: Credential, key_class: KeyClass, *, lives: bool) -> KeyRecord:
    """A registered key as a key record; the holder's id is the one `iss` that it may sign as."""
    return KeyRecord(
        tenant=credential.tenant,
        issuer=credential.principal,
        kid=credential.id,
        key_class=key_class,
        public=parse_jwk(credential.jwk, algorithm=Algorithm(credential.algorithm)),
        state=KeyState.ACTIVE if lives else KeyState.RETIRED,
        not_before=credential.created_at,
        not_after=credential.not_after,
    )


def is_live(holder: Principal, principals: Principals) -> bool:
    """Whether the holder, its agent and their blueprint are all active."""
    if holder.state is not State.ACTIVE:
        return False
    above = (holder.parent, None if holder.blueprint is None else PrincipalId(holder.blueprint))
    for ident in above:
        if ident is not None:
            parent = principals.get(ident)
            if parent is None or not is_live(parent, principals):
                return False
    return True
