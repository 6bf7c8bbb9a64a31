"""Publishing policy, bound to what a tenant stands on."""

from remit.app.ground import Ground
from remit.decision.policy_service import PolicyService


def policy_service(ground: Ground) -> PolicyService:
    """The policy texts of one tenant."""
    return PolicyService(
        uow=ground.work,
        snapshots=ground.snapshots,
        entropy=ground.entropy,
        tenant=ground.tenant,
        keys=ground.keys,
    )
