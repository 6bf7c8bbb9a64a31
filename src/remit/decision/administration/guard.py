"""Nobody locks everybody out: of a change that would leave no administrator, nothing is done.

Whoever counts is alive, may publish the administrative policy and give roles, and can prove who they are now,
by a passkey or by a key of theirs.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from remit.decision.administration.actions import PREFIX, AdminAction
from remit.decision.administration.current import in_force
from remit.decision.administration.errors import NobodyLeft
from remit.decision.administration.judging import AdminPolicy, Channel, Standing
from remit.decision.administration.repository import AdministrationTransaction
from remit.identity.credentials import CredentialState
from remit.identity.lifecycle import State
from remit.identity.passkeys import PasskeyState
from remit.identity.principals import Kind, Principal
from remit.identity.sessions import ACR_PASSKEY_UV

PUBLISH: Final = AdminAction(name=f"{PREFIX}administration.publish", reads=False)
GRANT: Final = AdminAction(name=f"{PREFIX}role.grant", reads=False)
_ESSENTIAL: Final = (PUBLISH, GRANT)
_PAGE: Final = 200


def counts(tx: AdministrationTransaction, person: Principal, *, at: datetime) -> bool:
    """Whether it is somebody who administers now."""
    return person.kind is Kind.HUMAN and administers(tx, person, in_force(tx), at=at)


def require_left(tx: AdministrationTransaction, changed: Principal, *, at: datetime) -> None:
    """Raise `NobodyLeft` if, after this change of somebody who administered, nobody does."""
    policy = in_force(tx)
    if not administers(tx, changed, policy, at=at):
        require_somebody(tx, policy, at=at, besides=changed)


def require_somebody(
    tx: AdministrationTransaction, policy: AdminPolicy, *, at: datetime, besides: Principal | None = None
) -> None:
    """Raise `NobodyLeft` unless somebody, other than `besides`, administers under a policy."""
    for person in people(tx):
        if (besides is None or person.id != besides.id) and administers(tx, person, policy, at=at):
            return
    raise NobodyLeft(
        "after this nobody could administer any more",
        next_step="give somebody the role first: remit role grant",
    )


def administers(
    tx: AdministrationTransaction, person: Principal, policy: AdminPolicy, *, at: datetime
) -> bool:
    """Whether a person can change rules and roles, in some way in which they can sign in now."""
    if person.state is not State.ACTIVE or tx.lineage.buried(person.id):
        return False
    return any(
        all(policy.judge(way, action, own=False, at=at).allowed for action in _ESSENTIAL)
        for way in ways(tx, person, at=at)
    )


def ways(tx: AdministrationTransaction, person: Principal, *, at: datetime) -> Iterator[Standing]:
    """As whom a person can come: by a passkey of theirs, just used, or with a key of theirs."""
    roles = roles_of(person)
    if any(each.state is PasskeyState.ACTIVE for each in tx.passkeys.of(person.id)):
        yield Standing(
            tenant=person.tenant,
            ident=person.id,
            name=person.name,
            roles=roles,
            channel=Channel.SESSION,
            acr=ACR_PASSKEY_UV,
            signed_in_at=at,
        )
    if any(each.state is CredentialState.ACTIVE for each in tx.credentials.of(person.id)):
        yield Standing(
            tenant=person.tenant, ident=person.id, name=person.name, roles=roles, channel=Channel.TOKEN
        )


def roles_of(person: Principal) -> frozenset[str]:
    """The roles that a person holds."""
    return frozenset(dict(person.attributes).get("roles", "").split())


def people(tx: AdministrationTransaction) -> Iterator[Principal]:
    """Everybody, page by page."""
    after = ""
    while page := tx.principals.page(kind=Kind.HUMAN, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id
