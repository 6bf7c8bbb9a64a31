"""What is in force now, read with the transaction that asks, compiled once per version."""

from typing import Final

from remit.decision.administration.judging import AdminPolicy
from remit.decision.administration.repository import ReadsRoles, RoleTexts
from remit.decision.administration.texts import compiled, shipped
from remit.kernel.canonical import Digest
from remit.kernel.errors import Unavailable

_KEPT: Final = 64


class RolesUnreadable(Unavailable):
    """The administrative policy in force can't be read by this release: nobody administers until it can."""

    code = "roles_unreadable"


_known: dict[Digest, AdminPolicy] = {}
"""Pure: a text and what it compiles to, the same for all tenants."""


def in_force(tx: ReadsRoles) -> AdminPolicy:
    """The version that this transaction sees."""
    return of(tx.administration)


def of(texts: RoleTexts) -> AdminPolicy:
    """The newest version; what is shipped where nobody has published another."""
    head = texts.head()
    if head is None:
        return shipped()
    number, digest = head
    found = _known.get(digest)
    if found is not None and found.number == number:
        return found
    version = texts.get(number)
    if version is None or version.digest != digest:
        raise RolesUnreadable("the administrative policy is not whole", next_step="remit doctor")
    if len(_known) >= _KEPT:
        _known.clear()
    found = _known[digest] = compiled(version.text, number=number)
    return found
