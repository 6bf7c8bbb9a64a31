"""Which version of the policy a call is decided with, while one is tried on a part (N7).

By a stable lot of the task, never anew for each call: an agent does not get the other answer by asking again.
"""

from dataclasses import replace
from datetime import datetime

from remit.authority.tokens import VerifiedSubject
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.rollout import Rollout
from remit.kernel.ids import PrincipalId


def facing(snapshot: Snapshot, subject: VerifiedSubject, at: datetime) -> Snapshot:
    """The snapshot that a call of this subject is decided on: the same facts, with its own policy version."""
    rollout = snapshot.rollout
    if rollout is None:
        return snapshot
    agent = snapshot.principals.get(PrincipalId(subject.agent))
    lot = str(subject.task or subject.agent)
    if not rollout.takes(agent=agent.name if agent else "", lot=lot, at=at):
        return snapshot
    return tried(snapshot, rollout)


def tried(snapshot: Snapshot, rollout: Rollout) -> Snapshot:
    """The same facts with the version that is tried; made once and kept beside the snapshot."""
    side = snapshot.sides.get(rollout.bundle.version)
    if side is None:
        side = snapshot.sides[rollout.bundle.version] = replace(snapshot, bundle=rollout.bundle, rollout=None)
    return side
