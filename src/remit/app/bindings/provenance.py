"""Who watches where the values of calls came from, as the installation wants it."""

from remit.decision.answer.response import Mode
from remit.decision.provenance.watch import Watch
from remit.decision.stages.provenance import Weighing
from remit.kernel.derivation import Purpose
from remit.kernel.ids import TenantId
from remit.kernel.sealing import Kek
from remit.platform.settings.options import GatewayChoices, Provenance


def watch_of(chosen: GatewayChoices, *, kek: Kek, tenant: TenantId) -> Watch | None:
    """The watch of a tenant, under a key of its own; None where it is off."""
    if chosen.provenance is Provenance.OFF:
        return None
    key = kek.subkey(purpose=Purpose.PROVENANCE, tenant=tenant)
    return Watch(key=key, trusted=frozenset(chosen.trusted_servers), domains=frozenset(chosen.mail_domains))


def weighing_of(chosen: GatewayChoices) -> Weighing:
    """How far its findings weigh, and who is asked."""
    off = chosen.provenance is Provenance.OFF
    mode = Mode.ENFORCE if off else Mode(chosen.provenance.value)
    return Weighing(mode=mode, approvers=chosen.provenance_approvers)
