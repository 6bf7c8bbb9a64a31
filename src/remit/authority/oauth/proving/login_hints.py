"""Who is meant by a client that asks behind the scenes (CIBA Core §7.1): exactly one hint, one person.

A name could be guessed, so a name that nobody has is asked like any other, and nobody answers (§13 leaves
`unknown_user_id` to whoever can afford it). An id can't be guessed: that one which is nobody's is told.
"""

from datetime import datetime
from typing import Final

from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.errors import InvalidRequest, UnknownUser
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.oidc import id_token
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.canonical import sha256
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyLookup

NAMES: Final = ("login_hint", "id_token_hint", "login_hint_token")
LIMIT: Final = 8 << 10
NOBODY: Final = "hint:"
_ID: Final = "usr_"


def person_of(
    tx: OAuthTransaction, parameters: Parameters, *, client_id: str, keys: KeyLookup, at: datetime
) -> str:
    """The id of who is asked, or `hint:` with a digest for a name that nobody has.

    Raises `InvalidRequest` unless there is one good hint, `UnknownUser` for an id that is nobody's.
    """
    given = [name for name in NAMES if parameters.get(name)]
    if len(given) != 1:
        raise InvalidRequest(f"exactly one of {', '.join(NAMES)} is needed", reason="hint_count")
    hint = parameters.get(given[0])
    if len(hint) > LIMIT:
        raise InvalidRequest(f"`{given[0]}` is longer than {LIMIT} characters", reason="hint_too_long")
    if given[0] == "login_hint_token":
        raise InvalidRequest("nobody's `login_hint_token` is taken here", reason="hint_token")
    if given[0] == "id_token_hint":
        hint = _hinted(hint, client_id=client_id, keys=keys, at=at)
    return _person(tx, hint)


def _person(tx: OAuthTransaction, hint: str) -> str:
    by_id = hint.startswith(_ID)
    found = tx.principals.get(PrincipalId(hint)) if by_id else tx.principals.named(Kind.HUMAN, hint)
    if found is not None and _can_answer(tx, found):
        return found.id
    if by_id:
        raise UnknownUser("nobody who could be asked has this id")
    return NOBODY + sha256(hint.encode())


def _can_answer(tx: OAuthTransaction, person: Principal) -> bool:
    alive = person.state is State.ACTIVE and not tx.lineage.buried(person.id)
    return person.kind is Kind.HUMAN and alive


def _hinted(text: str, *, client_id: str, keys: KeyLookup, at: datetime) -> str:
    try:
        return id_token.read(text, keys=keys, audience=client_id, at=at, expired=True).subject
    except TokenRejected as rejected:
        raise InvalidRequest(
            "`id_token_hint` is no ID token that this client had from here",
            reason="hint_rejected",
            debug=rejected.debug,
        ) from rejected
