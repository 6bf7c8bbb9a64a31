"""Who was never here before: entered into the directory on a provider's word, without any right (R159)."""

from datetime import datetime
from typing import Final

from remit.identity.errors import NameTaken
from remit.identity.principals import Kind, Principal
from remit.identity.registration import Registration
from remit.identity.service import activate, register
from remit.identity.upstream import records
from remit.identity.upstream.arrival import Arrival
from remit.identity.upstream.errors import ArrivalRefused
from remit.identity.upstream.linked import LinkedBy, LinkedIdentity, LinkId, LinkState
from remit.identity.upstream.provider import IdentityProvider
from remit.identity.upstream.repository import UpstreamTransaction
from remit.kernel.ids import Entropy, PrincipalId, mint_id

NAME_LIMIT: Final = 120


def admit(
    tx: UpstreamTransaction, provider: IdentityProvider, arrival: Arrival, *, at: datetime, entropy: Entropy
) -> LinkedIdentity:
    """Make a person and their link inside an open transaction; they have no role and own nothing.

    INVARIANT: nobody is found by name or address: who shares one with somebody is somebody else (AS-12).
    The caller MUST have seen that (issuer, subject) was never linked; raises `ArrivalRefused` if it was.
    """
    human = _entered(tx, provider, arrival, at=at, entropy=entropy)
    link = LinkedIdentity(
        id=LinkId(mint_id("lnk", at=at, entropy=entropy)),
        tenant=provider.tenant,
        provider=provider.id,
        language=provider.language,
        issuer=arrival.issuer,
        subject=arrival.subject,
        human=human.id,
        state=LinkState.ACTIVE,
        by=LinkedBy.CREATED,
        linked_by=PrincipalId(provider.id),
        linked_at=at,
    )
    if not tx.linked_identities.add(link):
        raise ArrivalRefused(3, "linked_meanwhile")
    records.about_link(tx, records.LINKED, link, human, by=link.linked_by, at=at, entropy=entropy)
    return link


def _entered(
    tx: UpstreamTransaction, provider: IdentityProvider, arrival: Arrival, *, at: datetime, entropy: Entropy
) -> Principal:
    by = PrincipalId(provider.id)
    name = display_name(arrival)
    if tx.principals.named(Kind.HUMAN, name) is not None:
        name = f"{name} ({provider.name}, {entropy(4).hex()})"
    stated = Registration(kind=Kind.HUMAN, name=name, email=arrival.email or None)
    try:
        drafted = register(tx, stated, provider.tenant, by, at, entropy)
    except NameTaken as taken:
        raise ArrivalRefused(3, "name_taken", debug=taken.hint) from taken
    return activate(tx, drafted.id, by, at, entropy)


def display_name(arrival: Arrival) -> str:
    """What to call somebody: their name, else their address, else what the provider calls them."""
    for found in (arrival.name, arrival.email, arrival.subject):
        shown = "".join(each for each in found if each.isprintable()).strip()[:NAME_LIMIT]
        if shown:
            return shown
    return "somebody"
