"""Taking an identity out of the world: state, keys, tokens, tombstones, epoch and record in one unit (R97).

Synchronous, for use inside any open transaction: a kill or the end of a task ends identities too.
"""

from dataclasses import replace
from datetime import datetime

from remit.identity import events
from remit.identity.credentials import CredentialState
from remit.identity.errors import Changed
from remit.identity.lifecycle import State, advance
from remit.identity.passkeys import Passkey, PasskeyState
from remit.identity.principals import Kind, Principal
from remit.identity.repository import IdentityTransaction
from remit.identity.session_service import end_all
from remit.kernel.ids import Entropy, PrincipalId


def retire(
    tx: IdentityTransaction,
    principal: Principal,
    *,
    by: PrincipalId,
    because: str,
    at: datetime,
    entropy: Entropy,
) -> Principal:
    """Retire for ever, with everything that lives only below it; ids are never used again (P12).

    INVARIANT: state, tombstones, revoked keys and tokens, epoch and record commit together or not at all.
    """
    epoch = tx.advance_epoch(f"retired:{principal.id}")
    return _retire(tx, principal, by=by, because=because, epoch=epoch, at=at, entropy=entropy)


def suspend(
    tx: IdentityTransaction,
    principal: Principal,
    *,
    by: PrincipalId,
    because: str,
    at: datetime,
    entropy: Entropy,
) -> Principal:
    """Stop until somebody resumes it. Its tokens and sessions are dead for good, its keys are not."""
    epoch = tx.advance_epoch(f"suspended:{principal.id}")
    changed = _move(tx, principal, State.SUSPENDED, at)
    _end_tokens(tx, changed, cause="suspended", epoch=epoch, at=at)
    if changed.kind is Kind.HUMAN:
        end_all(tx, changed.id, by=by, because="suspended", at=at, entropy=entropy)
    events.state(
        tx, events.SUSPENDED, changed, by=by, at=at, entropy=entropy, detail=_because(because, epoch)
    )
    return changed


def revoke_keys(
    tx: IdentityTransaction, principal: Principal, *, cause: str, epoch: int, at: datetime
) -> int:
    """Revoke every key of an entry and bury its id, so that nothing it signed or was bound to counts."""
    count = 0
    for credential in tx.credentials.of(principal.id):
        if credential.state is CredentialState.ACTIVE and tx.credentials.revoke(credential.id):
            bury_key(tx, credential.id, credential.thumbprint, cause=cause, epoch=epoch, at=at)
            count += 1
    return count


def revoke_passkey(
    tx: IdentityTransaction,
    passkey: Passkey,
    *,
    by: PrincipalId,
    because: str,
    at: datetime,
    entropy: Entropy,
) -> Passkey:
    """Revoke a passkey for good and put it on record; raises `Changed` if it was used at this very moment."""
    revoked = replace(passkey, state=PasskeyState.REVOKED)
    if not tx.passkeys.put(revoked, was=passkey):
        raise Changed(f"`{passkey.id}` was changed by somebody else")
    epoch = tx.advance_epoch(f"revoked:{passkey.id}")
    human = tx.principals.get(passkey.human)
    if human is not None:
        detail = (("passkey", passkey.id), *_because(because, epoch))
        events.state(tx, events.PASSKEY_REVOKED, human, by=by, at=at, entropy=entropy, detail=detail)
    return revoked


def bury_key(
    tx: IdentityTransaction, ident: str, thumbprint: str, *, cause: str, epoch: int, at: datetime
) -> None:
    """Bury a key by id (what it signs names that) and by thumbprint (what is bound to it names that)."""
    for kind, name in (("credential", ident), ("key", thumbprint)):
        tx.lineage.bury(kind, name, cause=cause, epoch=epoch, at=at)
        tx.touch("tombstone", name)
    tx.touch("credential", ident)


def _retire(
    tx: IdentityTransaction,
    principal: Principal,
    *,
    by: PrincipalId,
    because: str,
    epoch: int,
    at: datetime,
    entropy: Entropy,
) -> Principal:
    for child in tx.principals.children(principal.id):
        _retire(tx, child, by=by, because=f"parent {principal.id}", epoch=epoch, at=at, entropy=entropy)
    changed = _move(tx, principal, State.RETIRED, at)
    keys = revoke_keys(tx, changed, cause="retired", epoch=epoch, at=at)
    _end_tokens(tx, changed, cause="retired", epoch=epoch, at=at)
    if changed.kind is Kind.HUMAN:
        end_all(tx, changed.id, by=by, because="retired", at=at, entropy=entropy)
        for passkey in tx.passkeys.of(changed.id):
            if passkey.state is PasskeyState.ACTIVE:
                revoke_passkey(tx, passkey, by=by, because="retired", at=at, entropy=entropy)
    tx.lineage.bury(changed.kind, changed.id, cause="retired", epoch=epoch, at=at)
    tx.touch("tombstone", changed.id)
    detail = (*_because(because, epoch), ("keys", str(keys)))
    events.state(tx, events.RETIRED, changed, by=by, at=at, entropy=entropy, detail=detail)
    return changed


def _move(tx: IdentityTransaction, principal: Principal, wanted: State, at: datetime) -> Principal:
    changed = replace(principal, state=advance(principal.state, wanted), changed_at=at)
    if not tx.principals.save(changed, was=principal.state):
        raise Changed(f"`{principal.id}` was changed by somebody else")
    tx.touch("principal", principal.id)
    return changed


def _end_tokens(
    tx: IdentityTransaction, principal: Principal, *, cause: str, epoch: int, at: datetime
) -> None:
    below = tx.principals.made_from(principal.id) if principal.kind is Kind.BLUEPRINT else ()
    for holder in (principal, *below):
        for token in tx.tokens.revoke_of_principal(holder.id, at):
            tx.lineage.bury("token", token, cause=cause, epoch=epoch, at=at)
            tx.touch("tombstone", token)


def _because(because: str, epoch: int) -> tuple[tuple[str, str], ...]:
    return (("because", because), ("epoch", str(epoch)))
