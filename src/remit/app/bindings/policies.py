"""Versions of the policy around their publication: sealed at the first start with a key for them."""

from collections.abc import Mapping
from datetime import datetime

from remit.app.keys import FirstUse
from remit.decision.policy.seal import link, sealed
from remit.kernel.ids import Entropy
from remit.kernel.jose.keys import KeyClass, Signer
from remit.ledger import facts
from remit.ledger.record import Record
from remit.platform.storage.unit_of_work import SqlTransaction


def seal_older(at: datetime, entropy: Entropy) -> Mapping[KeyClass, FirstUse]:
    """Seal what was published before there was a key for it: once, in the commit that makes the first key.

    SAFETY: who could write the database before that moment is believed, as they were until then. From it on a
    version without a seal permits nothing.
    """

    def seal(tx: SqlTransaction, signer: Signer) -> None:
        previous, count = "", 0
        for number, _ in tx.policies.seals():
            found = tx.policies.get(number)
            if found is None or found.seal:
                continue
            made = sealed(found, tenant=tx.tenant, previous=previous, canary=None, signer=signer)
            tx.policies.seal(number, made.seal)
            previous, count = made.seal, count + 1
        if count:
            tx.ledger.append(
                Record(
                    id=facts.record_id(at, entropy),
                    at=at,
                    tenant=tx.tenant,
                    kind="decision.policy.sealed",
                    actor="system",
                    subject=f"{count} versions",
                    digests=(("seal", link(previous)),),
                )
            )

    return {KeyClass.POLICY: seal}
