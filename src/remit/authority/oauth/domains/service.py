"""Use cases of an administrator: trusting a domain, writing rules, linking people, taking any of it back.

Whatever is taken back ends at once what came of it here: one epoch, one tombstone, its tasks. A grant that
we signed and sent is believed by the other domain until it runs out, five minutes at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.authority.attenuation import normal
from remit.authority.domains.errors import (
    DomainAlike,
    DomainUnfit,
    SubjectLinked,
    UnknownDomain,
    UnknownDomainRule,
)
from remit.authority.domains.trust import (
    EVERYBODY,
    TEAM,
    Direction,
    DomainId,
    DomainPerson,
    DomainRule,
    DomainRuleId,
    DomainRun,
    TrustedDomain,
)
from remit.authority.oauth.domains import records
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.rights import Ceiling
from remit.authority.task_service import end_task
from remit.authority.tasks import TaskState
from remit.identity.federation.keysets import read_keys
from remit.identity.federation.registering import Ours, check_transport, look
from remit.identity.federation.trust import KeySource, TrustState
from remit.identity.principals import Kind
from remit.identity.spiffe import check_name
from remit.kernel.ids import Entropy, PrincipalId, TenantId, UserId, mint_id
from remit.kernel.uow import UnitOfWork

PEOPLE_SHOWN: Final = 500
SUBJECT_LIMIT: Final = 255
"""Characters of `sub` at most (OpenID Connect Core §2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedDomain:
    """A domain as an administrator states it. Inbound it has keys, pinned or at an address."""

    name: str
    issuer: str
    direction: Direction
    address: str = ""
    keys: bytes = b""
    scopes: frozenset[str] = frozenset()
    ceiling: Ceiling | None = None
    bound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedRule:
    """A rule as an administrator states it."""

    who: str
    client: str
    text: str
    there: str = ""
    scopes: frozenset[str] = frozenset()
    ceiling: Ceiling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDomain:
    """One domain with everything that hangs on it."""

    domain: TrustedDomain
    rules: Sequence[DomainRule]
    people: Sequence[DomainPerson]


class DomainService:
    """Keeps the trust matrix."""

    def __init__(
        self, *, uow: UnitOfWork[OAuthTransaction], entropy: Entropy, tenant: TenantId, ours: Ours
    ) -> None:
        self._uow = uow
        self._entropy = entropy
        self._tenant = tenant
        self._ours = ours

    async def trust(self, stated: StatedDomain, *, by: PrincipalId, at: datetime) -> TrustedDomain:
        """Trust a domain in one direction. Raises `DomainUnfit`, `DomainAlike`, `KeysUnfit`."""
        check_transport(stated.issuer, plain_loopback=self._ours.plain_loopback)
        domain = TrustedDomain(
            id=DomainId(mint_id("dom", at=at, entropy=self._entropy)),
            tenant=self._tenant,
            name=check_name(stated.name),
            issuer=stated.issuer,
            direction=stated.direction,
            source=self._source(stated),
            address=stated.address,
            scopes=stated.scopes,
            ceiling=None if stated.ceiling is None else normal(stated.ceiling),
            bound=stated.bound,
            state=TrustState.ACTIVE,
            created_by=by,
            created_at=at,
        )

        def work(tx: OAuthTransaction) -> TrustedDomain:
            _check_alike(domain, tx.domains.all(), self._ours)
            if not tx.domains.add(domain):
                raise DomainAlike(f"a domain is trusted as `{domain.name}` already")
            if stated.keys:
                signing = domain.signing(self._ours.issuer)
                tx.issuer_keys.put(read_keys(stated.keys, signing.kind, issuer=signing.id, at=at))
            self._state(tx, records.DOMAIN_TRUSTED, domain.id, by, at, records.about_domain(domain))
            return domain

        return await self._uow.commit(work)

    async def withdraw(self, ident: str, *, by: PrincipalId, because: str, at: datetime) -> TrustedDomain:
        """Trust a domain no longer: its rules, its tasks and their tokens end in this commit."""

        def work(tx: OAuthTransaction) -> TrustedDomain:
            domain = replace(living(tx, ident), state=TrustState.WITHDRAWN, withdrawn_at=at)
            tx.domains.withdraw(domain)
            epoch = tx.advance_epoch(f"domain {domain.id} withdrawn")
            for rule in tx.domains.rules(domain.id):
                self._withdraw_rule(tx, rule, by=by, because=because, epoch=epoch, at=at)
            tx.lineage.bury("domain", domain.id, cause="domain_withdrawn", epoch=epoch, at=at)
            tx.touch("tombstone", domain.id)
            said = (*records.about_domain(domain), ("because", because))
            self._state(tx, records.DOMAIN_WITHDRAWN, domain.id, by, at, said)
            return domain

        return await self._uow.commit(work)

    async def allow(self, ident: str, stated: StatedRule, *, by: PrincipalId, at: datetime) -> DomainRule:
        """Write a rule. Raises `DomainUnfit` for one that names nobody, no client of ours, or nothing."""

        def work(tx: OAuthTransaction) -> DomainRule:
            domain = living(tx, ident)
            _check_rule(tx, domain, stated)
            rule = DomainRule(
                id=DomainRuleId(mint_id("dru", at=at, entropy=self._entropy)),
                tenant=self._tenant,
                domain=domain.id,
                who=stated.who,
                client=stated.client,
                there=stated.there,
                scopes=stated.scopes,
                ceiling=None if stated.ceiling is None else normal(stated.ceiling),
                text=stated.text.strip(),
                state=TrustState.ACTIVE,
                created_by=by,
                created_at=at,
            )
            tx.domains.add_rule(rule)
            self._state(tx, records.RULE_ADDED, rule.id, by, at, records.about_rule(rule))
            return rule

        return await self._uow.commit(work)

    async def disallow(self, ident: str, *, by: PrincipalId, because: str, at: datetime) -> DomainRule:
        """Take a rule back: every task that began by it ends in this commit."""

        def work(tx: OAuthTransaction) -> DomainRule:
            rule = tx.domains.rule(DomainRuleId(ident))
            if rule is None or rule.state is not TrustState.ACTIVE:
                raise UnknownDomainRule(f"no rule `{ident[:64]}` is in force", next_step="remit domain list")
            epoch = tx.advance_epoch(f"domain rule {rule.id} withdrawn")
            return self._withdraw_rule(tx, rule, by=by, because=because, epoch=epoch, at=at)

        return await self._uow.commit(work)

    async def link(
        self, ident: str, subject: str, user: UserId, *, theirs: str = "", by: PrincipalId, at: datetime
    ) -> DomainPerson:
        """Say who a subject of a domain is here. Raises `SubjectLinked` if that is said already."""

        def work(tx: OAuthTransaction) -> DomainPerson:
            domain = living(tx, ident)
            person = DomainPerson(
                tenant=self._tenant,
                domain=domain.id,
                theirs=theirs,
                subject=subject,
                user=user,
                linked_by=by,
                linked_at=at,
            )
            _check_person(tx, domain, person)
            if not tx.domains.link(person):
                raise SubjectLinked(
                    f"`{subject[:64]}` of `{domain.name}` is linked already",
                    next_step=f"remit domain unlink {domain.name} {subject[:64]}",
                )
            self._about(tx, records.PERSON_LINKED, person, by, at)
            return person

        return await self._uow.commit(work)

    async def unlink(
        self, ident: str, subject: str, *, theirs: str = "", by: PrincipalId, at: datetime
    ) -> DomainPerson:
        """Forget who a subject is: the tasks that began in that name end in this commit."""

        def work(tx: OAuthTransaction) -> DomainPerson:
            domain = living(tx, ident)
            person = tx.domains.person(domain.id, theirs, subject)
            if person is None or not tx.domains.unlink(person):
                raise DomainUnfit(f"`{subject[:64]}` of `{domain.name}` is linked to nobody")
            tx.advance_epoch(f"subject of domain {domain.id} unlinked")
            for run in tx.domains.open_runs(domain.id, at):
                if run.user == person.user:
                    self._end(tx, run, because="subject_unlinked", by=by, at=at)
            self._about(tx, records.PERSON_UNLINKED, person, by, at)
            return person

        return await self._uow.commit(work)

    async def all(self) -> Sequence[TrustedDomain]:
        """Every domain that is, or was, trusted."""
        return await self._uow.read(lambda tx: tx.domains.all())

    async def get(self, ident: str) -> ShownDomain:
        """One domain by id or name, with its rules in force and its people."""

        def work(tx: OAuthTransaction) -> ShownDomain:
            domain = found(tx, ident)
            return ShownDomain(
                domain=domain,
                rules=tx.domains.rules(domain.id),
                people=tx.domains.people(domain.id, PEOPLE_SHOWN),
            )

        return await self._uow.read(work)

    def _source(self, stated: StatedDomain) -> KeySource:
        if stated.direction is Direction.OUTBOUND:
            if stated.keys or stated.address:
                raise DomainUnfit("an outbound domain signs nothing for us: leave its keys out")
            return KeySource.PINNED
        if bool(stated.keys) == bool(stated.address):
            raise DomainUnfit("an inbound domain has keys, either pinned or at an address")
        if stated.keys:
            return KeySource.PINNED
        check_transport(stated.address, plain_loopback=self._ours.plain_loopback)
        return KeySource.ADDRESS

    def _withdraw_rule(
        self,
        tx: OAuthTransaction,
        rule: DomainRule,
        *,
        by: PrincipalId,
        because: str,
        epoch: int,
        at: datetime,
    ) -> DomainRule:
        changed = replace(rule, state=TrustState.WITHDRAWN, withdrawn_at=at)
        tx.domains.withdraw_rule(changed)
        for run in tx.domains.open_runs(rule.domain, at):
            if run.rule == rule.id:
                self._end(tx, run, because="domain_rule_withdrawn", by=by, at=at)
        tx.lineage.bury("domain_rule", rule.id, cause="domain_rule_withdrawn", epoch=epoch, at=at)
        tx.touch("tombstone", rule.id)
        said = (*records.about_rule(changed), ("because", because))
        self._state(tx, records.RULE_WITHDRAWN, rule.id, by, at, said)
        return changed

    def _end(
        self, tx: OAuthTransaction, run: DomainRun, *, because: str, by: PrincipalId, at: datetime
    ) -> None:
        task = tx.tasks.get(run.task)
        if task is not None and task.state is TaskState.RUNNING:
            end_task(tx, run.task, TaskState.ENDED, by=by, because=because, at=at, entropy=self._entropy)

    def _about(
        self, tx: OAuthTransaction, fact: str, person: DomainPerson, by: PrincipalId, at: datetime
    ) -> None:
        self._state(tx, fact, person.domain, by, at, records.about_person(person), user=person.user)

    def _state(
        self,
        tx: OAuthTransaction,
        fact: str,
        subject: str,
        by: PrincipalId,
        at: datetime,
        detail: records.Detail,
        *,
        user: str = "",
    ) -> None:
        records.state(
            tx,
            fact,
            tenant=self._tenant,
            actor=by,
            at=at,
            entropy=self._entropy,
            subject=subject,
            user=user,
            detail=detail,
        )


def found(tx: OAuthTransaction, ident: str) -> TrustedDomain:
    """One domain by id, or by the name of one that counts. Raises `UnknownDomain`."""
    for domain in tx.domains.all():
        if domain.id == ident or (domain.name == ident and domain.live):
            return domain
    raise UnknownDomain(f"no domain `{ident[:64]}` is trusted here", next_step="remit domain list")


def living(tx: OAuthTransaction, ident: str) -> TrustedDomain:
    """One domain that counts. Raises `UnknownDomain`."""
    domain = found(tx, ident)
    if not domain.live:
        raise UnknownDomain(f"`{domain.name}` is not trusted any more", next_step="remit domain list")
    return domain


def _check_alike(domain: TrustedDomain, known: Sequence[TrustedDomain], ours: Ours) -> None:
    """We redeem nothing of our own, and no second domain looks like a first."""
    if look(domain.issuer) == look(ours.issuer):
        raise DomainAlike("this is our own issuer: grants between domains go to another one")
    for each in known:
        if each.live and each.direction is domain.direction and look(each.issuer) == look(domain.issuer):
            raise DomainAlike(
                f"`{domain.issuer}` looks like `{each.issuer}`, which is trusted as `{each.name}`",
                next_step=f"remit domain show {each.name}",
            )


def _check_rule(tx: OAuthTransaction, domain: TrustedDomain, stated: StatedRule) -> None:
    _check_who(tx, stated.who)
    registration = tx.registrations.get(stated.client)
    entry = tx.principals.get(PrincipalId(stated.client) if registration is None else registration.principal)
    if entry is None or entry.kind not in {Kind.AGENT, Kind.INSTANCE, Kind.APPLICATION}:
        raise DomainUnfit(f"`{stated.client[:64]}` is no agent and no client here")
    if not stated.text.strip():
        raise DomainUnfit("a rule says why: people read it where they would have read a consent page")
    if domain.direction is Direction.INBOUND:
        if entry.kind is Kind.APPLICATION or stated.ceiling is None or stated.there:
            raise DomainUnfit("an inbound rule gives rights to an agent's client, within a `ceiling`")
        if not stated.ceiling.rights or not stated.ceiling.purpose:
            raise DomainUnfit("the ceiling of an inbound rule names rights and a purpose")
    elif not stated.there or not (stated.scopes or stated.ceiling):
        raise DomainUnfit("an outbound rule names the client's id `there`, and scopes or a ceiling")


def _check_who(tx: OAuthTransaction, who: str) -> None:
    if who == EVERYBODY or (who.startswith(TEAM) and who != TEAM):
        return
    entry = tx.principals.get(PrincipalId(who))
    if entry is None or entry.kind is not Kind.HUMAN:
        raise DomainUnfit(f"`{who[:64]}` is no person, no `{TEAM}<name>` and not `{EVERYBODY}`")


def _check_person(tx: OAuthTransaction, domain: TrustedDomain, person: DomainPerson) -> None:
    texts = (person.subject, person.theirs)
    if not person.subject or any(len(each) > SUBJECT_LIMIT or not each.isprintable() for each in texts):
        raise DomainUnfit(f"a subject is printable text of 1 to {SUBJECT_LIMIT} characters")
    if domain.direction is not Direction.INBOUND:
        raise DomainUnfit("people are linked where a domain's grants come in")
    entry = tx.principals.get(PrincipalId(person.user))
    if entry is None or entry.kind is not Kind.HUMAN:
        raise DomainUnfit(f"no person `{person.user[:64]}`")
