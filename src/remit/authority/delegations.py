"""Delegations on record: every envelope that the server has seen and verified, hop by hop."""

from dataclasses import dataclass
from datetime import datetime

from remit.authority.envelope import Delegation, Making
from remit.authority.rights import Ceiling
from remit.authority.verify import VerifiedEnvelope
from remit.kernel.canonical import Digest
from remit.kernel.ids import AgentId, EnvelopeId, InstanceId, TaskId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHop:
    """One hop of a recorded envelope; `prefix` is the digest of the text up to and with it."""

    by: InstanceId
    to: AgentId
    kind: Delegation
    ceiling: Ceiling
    expires_at: datetime
    prefix: Digest
    made: Making = Making.SIGNED
    """How; of what was recorded before this was told, that its giver signed it, in whichever form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEnvelope:
    """An envelope that was verified when it was recorded; `digest` is what tokens name as `env`.

    `parents` are the ids of the shorter ones that it extends, the root first: a kill of any reaches it.
    """

    id: EnvelopeId
    tenant: TenantId
    task: TaskId
    digest: Digest
    root: Digest
    """Digest of the root alone."""
    first: AgentId
    holder: AgentId
    hops: tuple[RecordedHop, ...]
    parents: tuple[EnvelopeId, ...]
    ceiling: Ceiling
    expires_at: datetime
    recorded_at: datetime

    @property
    def names(self) -> frozenset[str]:
        """Every id and digest by which a kill may name it, or one that it extends."""
        return frozenset({self.id, self.digest, self.root, *self.parents, *(hop.prefix for hop in self.hops)})


def record_of(
    verified: VerifiedEnvelope, *, ident: EnvelopeId, parents: tuple[EnvelopeId, ...], at: datetime
) -> RecordedEnvelope:
    """What is kept of a verified envelope."""
    return RecordedEnvelope(
        id=ident,
        tenant=verified.tenant,
        task=verified.task,
        digest=verified.digest,
        root=verified.digests[0],
        first=verified.root.may_act,
        holder=verified.holder,
        hops=tuple(
            RecordedHop(
                by=hop.issuer,
                to=hop.next,
                kind=hop.kind,
                ceiling=hop.ceiling,
                expires_at=hop.expires_at,
                prefix=prefix,
                made=hop.made,
            )
            for hop, prefix in zip(verified.hops, verified.digests[1:], strict=True)
        ),
        parents=parents,
        ceiling=verified.ceiling,
        expires_at=verified.expires_at,
        recorded_at=at,
    )
