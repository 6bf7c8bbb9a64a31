"""What trust across domains puts on record: the matrix, each grant that leaves, each that is redeemed."""

from datetime import datetime
from typing import Final

from remit.authority.domains.trust import DomainPerson, DomainRule, TrustedDomain
from remit.authority.events import permissions_digest
from remit.authority.oauth.repository import OAuthTransaction
from remit.kernel.ids import Entropy, TenantId
from remit.ledger import facts
from remit.ledger.record import Record

DOMAIN_TRUSTED: Final = "authority.domain.trusted"
DOMAIN_WITHDRAWN: Final = "authority.domain.withdrawn"
RULE_ADDED: Final = "authority.domain_rule.added"
RULE_WITHDRAWN: Final = "authority.domain_rule.withdrawn"
PERSON_LINKED: Final = "authority.domain_person.linked"
PERSON_UNLINKED: Final = "authority.domain_person.unlinked"
GRANT_SENT: Final = "authority.domain_grant.issued"
GRANT_TAKEN: Final = "authority.domain_grant.redeemed"
TRANSACTION_ISSUED: Final = "authority.transaction_token.issued"

Detail = tuple[tuple[str, str], ...]


def state(
    tx: OAuthTransaction,
    fact: str,
    *,
    tenant: TenantId,
    actor: str,
    at: datetime,
    entropy: Entropy,
    subject: str,
    user: str = "",
    agent: str = "",
    task: str = "",
    grant: str = "",
    detail: Detail = (),
) -> None:
    """Record a fact and put it into the outbox, both in the open transaction."""
    record = Record(
        id=facts.record_id(at, entropy),
        at=at,
        tenant=tenant,
        kind=fact,
        actor=actor,
        user=user,
        agent=agent,
        task=task,
        grant=grant,
        subject=subject,
        epoch=tx.epoch(),
        detail=detail,
    )
    facts.state(tx, record, entropy=entropy)


def about_domain(domain: TrustedDomain) -> Detail:
    """What a record says of a domain."""
    return (
        ("name", domain.name),
        ("issuer", domain.issuer),
        ("direction", domain.direction),
        ("keys_from", domain.address or domain.source),
        ("scopes", " ".join(sorted(domain.scopes))),
        ("bound", "true" if domain.bound else "false"),
        *_rights(domain),
    )


def about_rule(rule: DomainRule) -> Detail:
    """What a record says of a rule."""
    return (
        ("domain", rule.domain),
        ("who", rule.who),
        ("client", rule.client),
        ("there", rule.there),
        ("scopes", " ".join(sorted(rule.scopes))),
        ("text", rule.text),
        *_rights(rule),
    )


def about_person(person: DomainPerson) -> Detail:
    """What a record says of a link."""
    return (("domain", person.domain), ("tenant_there", person.theirs), ("subject", person.subject))


def _rights(bounded: TrustedDomain | DomainRule) -> Detail:
    return () if bounded.ceiling is None else (("permissions", permissions_digest(bounded.ceiling)),)
