"""What stands above an agent's action: every principal whose end must end it."""

from collections.abc import Callable, Iterable

from remit.authority.tasks import Lineage, Task
from remit.identity.errors import OwnerLoop, OwnerMissing, OwnerUnfit
from remit.identity.ownership import accountable
from remit.identity.principals import Principal
from remit.kernel.ids import EnvelopeId, PrincipalId, TenantId, UserId

Find = Callable[[PrincipalId], Principal | None]


def line_of(ident: PrincipalId, find: Find) -> frozenset[PrincipalId]:
    """A principal with its agent, their blueprints and the owners up to the human who answers.

    Where a deputy answers, the one stood in for is left out. Whatever can't be resolved stays in by its
    id, so that `alive` finds it unknown, and dead.
    """
    entry = find(ident)
    if entry is None:
        return frozenset({ident})
    found = {ident}
    if entry.parent is not None:
        found |= line_of(entry.parent, find)
    if entry.blueprint is not None:
        found.add(PrincipalId(entry.blueprint))
    return frozenset(found) | _owners(entry, find)


def lineage_of(
    chain: Iterable[PrincipalId],
    find: Find,
    *,
    tenant: TenantId,
    task: Task | None,
    user: UserId | None = None,
    envelope: EnvelopeId | None = None,
    others: Iterable[str] = (),
) -> Lineage:
    """The lineage of an action by a chain of instances or agents, first one first.

    `user` is whom it names where no task says so: whose end reaches the action all the same.
    """
    members = tuple(chain)
    return Lineage(
        tenant=tenant,
        user=user if task is None else task.user,
        task=None if task is None else task.id,
        grant=None if task is None else task.grant,
        chain=members,
        principals=frozenset().union(*(line_of(member, find) for member in members)),
        envelope=envelope,
        others=frozenset(others),
        companions=() if task is None else task.companions,
    )


def _owners(entry: Principal, find: Find) -> frozenset[PrincipalId]:
    try:
        ownership = accountable(entry, find)
    except (OwnerMissing, OwnerLoop, OwnerUnfit):
        # Nobody answers: an id that names nothing, so that `alive` says unknown, and dead.
        return _reachable(entry, find) | {PrincipalId(f"owner-of-{entry.id}")}
    absent = frozenset(ownership.chain[-2:-1]) if ownership.by_deputy else frozenset()
    return frozenset(ownership.chain) - absent


def _reachable(entry: Principal, find: Find) -> frozenset[PrincipalId]:
    """The owners as far as they can be followed, so that the one who is dead is named."""
    found: set[PrincipalId] = set()
    present: Principal | None = entry
    while present is not None and present.owner is not None and present.owner not in found:
        found.add(present.owner)
        present = find(present.owner)
    return frozenset(found)
