"""Which scopes a client must ask for, so that what it tries is within its next token."""

from remit.authority.oauth.wire.action_scopes import named_in, scope_of
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.rights import Ceiling
from remit.authority.tokens import VerifiedSubject
from remit.decision.facts.snapshot import Snapshots
from remit.kernel.ids import PrincipalId


class SnapshotScopes:
    """`Scoping`: by the standing ceilings of agent and blueprint, as of this node's newest snapshot."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def to_ask(self, subject: VerifiedSubject, action: str) -> tuple[str, ...]:
        """All that the token has and what it lacks; nothing where asking could not help.

        INVARIANT: nothing is named that the token has already, or that its agent can't be given: a client
        that asks for what this says is told the same at most once (MC-30).
        """
        held = named_in(subject.scopes)
        needed = scope_of(action)
        if subject.signed_in_at is None or Scope.MCP in subject.scopes or not held or needed in held:
            return ()
        if not all(_allows(bound, action) for bound in self._bounds(subject)):
            return ()
        return tuple(sorted(held | {needed}))

    def _bounds(self, subject: VerifiedSubject) -> tuple[Ceiling | None, ...]:
        snapshot = self._snapshots.current()
        agent = snapshot.principals.get(PrincipalId(subject.agent))
        own = snapshot.ceilings.get(PrincipalId(subject.agent))
        if agent is None or agent.blueprint is None:
            return (own,)
        return own, snapshot.ceilings.get(PrincipalId(agent.blueprint))


def _allows(bound: Ceiling | None, action: str) -> bool:
    return bound is not None and any(right.action == action for right in bound.rights)
