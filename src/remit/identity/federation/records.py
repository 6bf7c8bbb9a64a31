"""What federation puts on record: whom we trust, by which rules, and who proved to be what."""

from datetime import datetime
from typing import Final

from remit.identity.federation.repository import FederationTransaction
from remit.identity.federation.trust import TrustedIssuer, TrustRule
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.ledger import facts
from remit.ledger.record import Record

ISSUER_TRUSTED: Final = "identity.issuer.trusted"
ISSUER_WITHDRAWN: Final = "identity.issuer.withdrawn"
KEYS_CHANGED: Final = "identity.issuer.keys_changed"
RULE_ADDED: Final = "identity.trust_rule.added"
RULE_WITHDRAWN: Final = "identity.trust_rule.withdrawn"
WORKLOAD_ENROLLED: Final = "identity.workload.enrolled"
SVID_ISSUED: Final = "identity.svid.issued"

Detail = tuple[tuple[str, str], ...]


def state(
    tx: FederationTransaction,
    fact: str,
    *,
    tenant: TenantId,
    subject: str,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    agent: str = "",
    detail: Detail = (),
) -> None:
    """Record a fact and put it into the outbox, both in the open transaction."""
    record = Record(
        id=facts.record_id(at, entropy),
        at=at,
        tenant=tenant,
        kind=fact,
        actor=by,
        agent=agent,
        subject=subject,
        epoch=tx.epoch(),
        detail=detail,
    )
    facts.state(tx, record, entropy=entropy)


def about_issuer(issuer: TrustedIssuer) -> Detail:
    """What a record says of an issuer."""
    return (
        ("name", issuer.name),
        ("profile", issuer.profile),
        ("issuer", issuer.issuer),
        ("audience", issuer.audience),
        ("keys_from", issuer.address or issuer.source),
        ("longest_seconds", str(int(issuer.longest.total_seconds()))),
        ("repeatable", "true" if issuer.repeatable else "false"),
    )


def about_rule(rule: TrustRule) -> Detail:
    """What a record says of a rule."""
    return (
        ("issuer", rule.issuer),
        *((f"claim {condition.claim}", condition.pattern) for condition in rule.conditions),
    )
