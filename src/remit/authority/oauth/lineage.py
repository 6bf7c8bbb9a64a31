"""Everything above a token that could be stopped, gathered from one view for `authority.alive`."""

from collections.abc import Iterator
from datetime import datetime

from remit.authority.alive import Alive, Dead, alive
from remit.authority.oauth.access import AccessToken
from remit.authority.oauth.clients import Client
from remit.authority.oauth.repository import Standing
from remit.authority.tasks import Lineage
from remit.identity.errors import OwnerLoop, OwnerMissing, OwnerUnfit
from remit.identity.ownership import accountable
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import KeyId, PrincipalId


def why_dead(view: Standing, token: AccessToken, *, generation: int, at: datetime) -> str:
    """A stable reason code why a token is dead, or an empty string: the one question of N2.

    Every endpoint, grant and verifier asks here; a token of an older clock generation is dead (P16).
    """
    if at >= token.expires_at:
        return "token_expired"
    if token.generation != generation:
        return "clock_generation"
    match alive(view, lineage_of(view, token), at):
        case Dead() as dead:
            return dead.reason
        case Alive():
            return ""


def lineage_of(view: Standing, token: AccessToken) -> Lineage:
    """The lineage of a token: client, every member of its chain, user, task, consent, envelopes, keys."""
    task = None if token.task is None else view.task(token.task)
    chain = tuple(PrincipalId(member) for member in token.instances) or (token.client,)
    members = {token.client, *chain}
    entries = [entry for member in members for entry in line_of(view, member)]
    owners = {PrincipalId(entry.owner) for entry in entries if entry.owner is not None}
    return Lineage(
        tenant=token.tenant,
        user=token.user,
        task=token.task,
        grant=None if task is None else task.grant,
        chain=chain,
        principals=frozenset(members.union(*(_standing_on(view, entry) for entry in entries))),
        envelope=token.envelopes[-1] if token.envelopes else None,
        others=frozenset({token.id, token.credential, *token.ancestors, *token.envelopes, *owners}),
    )


def client_dead(view: Standing, client: Client, *, credential: KeyId, at: datetime) -> str:
    """A stable reason code why a client may not even ask, or an empty string."""
    entries = [entry for member in client.line for entry in line_of(view, member)]
    lineage = Lineage(
        tenant=client.tenant,
        user=None,
        task=None,
        grant=None,
        chain=(client.id,),
        principals=frozenset(client.line).union(*(_standing_on(view, entry) for entry in entries)),
        envelope=None,
        others=frozenset({str(credential)}),
    )
    match alive(view, lineage, at):
        case Dead() as dead:
            return dead.reason
        case Alive():
            return ""


def line_of(view: Standing, principal: PrincipalId) -> tuple[Principal, ...]:
    """A principal, and the agent it is an instance of."""
    found = view.principal(principal)
    if found is None:
        return ()
    parent = None if found.parent is None else view.principal(found.parent)
    return (found,) if parent is None else (found, parent)


def _standing_on(view: Standing, entry: Principal) -> Iterator[PrincipalId]:
    """Who else must live for an entry to act: its agent, its blueprint, and whoever answers for it.

    An owner who left is replaced by a deputy, who then must live; the owner's own tombstone still counts,
    as it is among the lineage's `others`.
    """
    yield entry.id
    if entry.parent is not None:
        yield entry.parent
    if entry.blueprint is not None:
        yield PrincipalId(entry.blueprint)
    if entry.kind is Kind.HUMAN or (entry.owner is None and entry.parent is not None):
        return
    try:
        answering = accountable(entry, view.principal)
    except (OwnerMissing, OwnerLoop, OwnerUnfit):
        # Nobody answers for it: an id that no directory holds makes the lineage dead, whoever asks.
        yield entry.owner or PrincipalId("")
    else:
        yield from (step for step in answering.chain if step != answering.human.id)
        yield answering.human.id
