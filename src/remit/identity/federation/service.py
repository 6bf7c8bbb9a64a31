"""Use cases of trust: naming an issuer, writing rules over its workloads, withdrawing either."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from remit.identity import endings
from remit.identity.errors import ParentUnfit
from remit.identity.federation import records
from remit.identity.federation.assertion import Form, Peeked, VerifiedAssertion, peek, verify_assertion
from remit.identity.federation.conditions import Condition
from remit.identity.federation.errors import (
    AssertionRejected,
    IssuerAlike,
    IssuerUnfit,
    KeysUnfit,
    UnknownIssuer,
    UnknownRule,
)
from remit.identity.federation.keysets import check_successor, read_keys
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.registering import Ours, StatedIssuer, draw_up
from remit.identity.federation.repository import FederationTransaction
from remit.identity.federation.rules import check_rule, match
from remit.identity.federation.trust import (
    IssuerId,
    KeySet,
    KeySource,
    RuleId,
    TrustedIssuer,
    TrustRule,
    TrustState,
    Workload,
)
from remit.identity.lifecycle import State
from remit.identity.principals import Kind
from remit.identity.service import known as known_principal
from remit.kernel.ids import AgentId, Entropy, PrincipalId, TenantId, mint_id
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What would come of an assertion: the rule it fulfils, or the step and reason at which it stops."""

    assertion: VerifiedAssertion | None
    rule: TrustRule | None
    step: int = 0
    reason: str = ""
    debug: str = ""


class FederationService:
    """An administrator's side of federation."""

    def __init__(
        self, *, uow: UnitOfWork[FederationTransaction], entropy: Entropy, tenant: TenantId, ours: Ours
    ) -> None:
        self._uow = uow
        self._entropy = entropy
        self._tenant = tenant
        self._ours = ours

    async def trust(self, stated: StatedIssuer, *, by: PrincipalId, at: datetime) -> TrustedIssuer:
        """Trust an issuer. Raises `IssuerUnfit`, `IssuerAlike`, or `KeysUnfit` for a pinned set."""

        def work(tx: FederationTransaction) -> TrustedIssuer:
            issuer = draw_up(
                stated,
                ident=IssuerId(mint_id("iss", at=at, entropy=self._entropy)),
                tenant=self._tenant,
                by=by,
                at=at,
                ours=self._ours,
                known=tx.issuers.all(),
            )
            if not tx.issuers.add(issuer):
                raise IssuerAlike(f"an issuer is trusted as `{issuer.name}` already")
            if stated.keys:
                tx.issuer_keys.put(_read(stated.keys, issuer, at))
            self._state(tx, records.ISSUER_TRUSTED, issuer, by, at)
            return issuer

        return await self._uow.commit(work)

    async def pin(self, ident: str, raw: bytes, *, by: PrincipalId, at: datetime) -> KeySet:
        """Replace pinned keys. Raises `KeysUnfit` for a bundle older than the present one."""

        def work(tx: FederationTransaction) -> KeySet:
            issuer = living(tx, ident)
            if issuer.source is not KeySource.PINNED:
                raise IssuerUnfit(f"keys of `{issuer.name}` are fetched, not pinned")
            new = _read(raw, issuer, at)
            check_successor(new, tx.issuer_keys.get(issuer.id))
            if not tx.issuer_keys.put(new):
                raise KeysUnfit("a newer bundle was stored meanwhile")
            # What a key signed that is gone now is believed no longer: that takes authority away.
            tx.advance_epoch(f"keys of issuer {issuer.id}")
            self._state(tx, records.KEYS_CHANGED, issuer, by, at)
            return new

        return await self._uow.commit(work)

    async def distrust(self, ident: str, *, by: PrincipalId, because: str, at: datetime) -> TrustedIssuer:
        """Trust an issuer no longer: its rules and every workload that came by them end in this commit."""

        def work(tx: FederationTransaction) -> TrustedIssuer:
            present = living(tx, ident)
            issuer = replace(present, state=TrustState.WITHDRAWN, withdrawn_at=at)
            tx.issuers.withdraw(issuer)
            tx.advance_epoch(f"issuer {issuer.id} distrusted")
            for rule in tx.trust_rules.of_issuer(issuer.id):
                self._withdraw(tx, rule, by=by, because=because, at=at)
            self._state(tx, records.ISSUER_WITHDRAWN, issuer, by, at, because=because)
            return issuer

        return await self._uow.commit(work)

    async def add_rule(
        self,
        ident: str,
        agent: PrincipalId,
        conditions: Sequence[Condition],
        *,
        by: PrincipalId,
        at: datetime,
    ) -> TrustRule:
        """Say which workloads of an issuer are an agent. Raises `RuleProvesNothing` or `RuleUnfit`."""

        def work(tx: FederationTransaction) -> TrustRule:
            issuer = living(tx, ident)
            entry = known_principal(tx, agent)
            if entry.kind is not Kind.AGENT or entry.state is State.RETIRED:
                raise ParentUnfit(f"`{entry.name}` is no living agent")
            check_rule(conditions, issuer)
            rule = TrustRule(
                id=RuleId(mint_id("rul", at=at, entropy=self._entropy)),
                tenant=self._tenant,
                issuer=issuer.id,
                agent=AgentId(entry.id),
                conditions=tuple(sorted(conditions, key=lambda each: each.claim)),
                state=TrustState.ACTIVE,
                created_by=by,
                created_at=at,
            )
            tx.trust_rules.add(rule)
            self._state_rule(tx, records.RULE_ADDED, rule, by, at)
            return rule

        return await self._uow.commit(work)

    async def withdraw_rule(self, ident: RuleId, *, by: PrincipalId, because: str, at: datetime) -> TrustRule:
        """Take a rule back: every workload that stands on it ends in this commit."""

        def work(tx: FederationTransaction) -> TrustRule:
            rule = tx.trust_rules.get(ident)
            if rule is None or rule.state is not TrustState.ACTIVE:
                raise UnknownRule(f"no rule `{ident[:64]}` is in force", next_step="remit issuer list")
            tx.advance_epoch(f"rule {ident} withdrawn")
            return self._withdraw(tx, rule, by=by, because=because, at=at)

        return await self._uow.commit(work)

    async def all(self) -> Sequence[TrustedIssuer]:
        """Every issuer that is, or was, trusted."""
        return await self._uow.read(lambda tx: tx.issuers.all())

    async def get(self, ident: str) -> tuple[TrustedIssuer, KeySet | None, Sequence[TrustRule]]:
        """One issuer by id or name, with its keys as last seen and its rules in force."""

        def work(tx: FederationTransaction) -> tuple[TrustedIssuer, KeySet | None, Sequence[TrustRule]]:
            issuer = found(tx, ident)
            return issuer, tx.issuer_keys.get(issuer.id), tx.trust_rules.of_issuer(issuer.id)

        return await self._uow.read(work)

    async def attempt(self, text: str, *, at: datetime, form: Form = Form.JWT) -> Tried:
        """Say what would come of an assertion, with the step at which it stops; nothing is used up."""

        def work(tx: FederationTransaction) -> Tried:
            try:
                assertion = verify_in(tx, text, at=at, form=form)
            except AssertionRejected as stopped:
                return Tried(
                    assertion=None, rule=None, step=stopped.step, reason=stopped.reason, debug=stopped.debug
                )
            try:
                rule = match(assertion, tx.trust_rules.of_issuer(assertion.issuer.id))
            except AssertionRejected as stopped:
                return Tried(
                    assertion=assertion,
                    rule=None,
                    step=stopped.step,
                    reason=stopped.reason,
                    debug=stopped.debug,
                )
            return Tried(assertion=assertion, rule=rule)

        return await self._uow.read(work)

    async def end_due(self, *, by: PrincipalId, at: datetime, limit: int) -> int:
        """Retire instances whose proof has run out (R103); how many."""

        def work(tx: FederationTransaction) -> int:
            due = tx.workloads.due(at, limit)
            for workload in due:
                end_workload(tx, workload, by=by, because="proof ended", at=at, entropy=self._entropy)
            return len(due)

        return await self._uow.commit(work)

    def _withdraw(
        self, tx: FederationTransaction, rule: TrustRule, *, by: PrincipalId, because: str, at: datetime
    ) -> TrustRule:
        changed = replace(rule, state=TrustState.WITHDRAWN, withdrawn_at=at)
        tx.trust_rules.withdraw(changed)
        for workload in tx.workloads.of_rule(rule.id, at):
            end_workload(tx, workload, by=by, because="rule withdrawn", at=at, entropy=self._entropy)
        self._state_rule(tx, records.RULE_WITHDRAWN, changed, by, at, because=because)
        return changed

    def _state(
        self,
        tx: FederationTransaction,
        fact: str,
        issuer: TrustedIssuer,
        by: PrincipalId,
        at: datetime,
        because: str = "",
    ) -> None:
        detail = (*records.about_issuer(issuer), *((("because", because),) if because else ()))
        records.state(
            tx,
            fact,
            tenant=self._tenant,
            subject=issuer.id,
            by=by,
            at=at,
            entropy=self._entropy,
            detail=detail,
        )

    def _state_rule(
        self,
        tx: FederationTransaction,
        fact: str,
        rule: TrustRule,
        by: PrincipalId,
        at: datetime,
        because: str = "",
    ) -> None:
        detail = (*records.about_rule(rule), *((("because", because),) if because else ()))
        records.state(
            tx,
            fact,
            tenant=self._tenant,
            subject=rule.id,
            agent=rule.agent,
            by=by,
            at=at,
            entropy=self._entropy,
            detail=detail,
        )


def found(tx: FederationTransaction, ident: str) -> TrustedIssuer:
    """One issuer by id, or by the name of one that counts. Raises `UnknownIssuer`."""
    for issuer in tx.issuers.all():
        if issuer.id == ident or (issuer.name == ident and issuer.state is TrustState.ACTIVE):
            return issuer
    raise UnknownIssuer(f"no issuer `{ident[:64]}` is trusted here", next_step="remit issuer list")


def living(tx: FederationTransaction, ident: str) -> TrustedIssuer:
    """One issuer that counts. Raises `UnknownIssuer`."""
    issuer = found(tx, ident)
    if issuer.state is not TrustState.ACTIVE:
        raise UnknownIssuer(f"`{issuer.name}` is not trusted any more", next_step="remit issuer list")
    return issuer


def _read(raw: bytes, issuer: TrustedIssuer, at: datetime) -> KeySet:
    return read_keys(raw, issuer.kind, issuer=issuer.id, at=at, entity=issuer.issuer)


def issuer_of(tx: FederationTransaction, text: str, form: Form = Form.JWT) -> TrustedIssuer:
    """Whose keys an assertion is to be verified with; by `iss`, or by the trust domain of a SPIFFE `sub`.

    SAFETY: what it says only chooses among what an administrator named; it is then verified as exactly that.
    """
    said = peek(text) if form is Form.JWT else _peek_saml(text)
    subject = said.subject.split("/")
    domain = "/".join(subject[:3]) if said.subject.startswith("spiffe://") else ""
    issuer = (tx.issuers.trusted(domain) if domain else None) or (
        tx.issuers.trusted(said.issuer) if said.issuer else None
    )
    if issuer is None or (form is Form.SAML) != (issuer.profile is ProfileName.SAML):
        raise AssertionRejected(3, "issuer_unknown", debug=said.issuer or said.subject)
    return issuer


def _peek_saml(text: str) -> Peeked:
    from remit.identity.federation.saml.workloads import peek_saml  # noqa: PLC0415 — an XML reader that few need

    return peek_saml(text)


def verify_in(
    tx: FederationTransaction, text: str, *, at: datetime, form: Form = Form.JWT
) -> VerifiedAssertion:
    """Verify an assertion on one view of trust. Raises `AssertionRejected`."""
    issuer = issuer_of(tx, text, form)
    keys = tx.issuer_keys.get(issuer.id)
    if keys is None:
        raise AssertionRejected(3, "keys_missing", debug=issuer.name)
    if form is Form.SAML:
        from remit.identity.federation.saml.workloads import verify_saml  # noqa: PLC0415 — as above

        return verify_saml(text, issuer=issuer, keys=keys, at=at)
    return verify_assertion(text, issuer=issuer, keys=keys, at=at)


def end_workload(
    tx: FederationTransaction,
    workload: Workload,
    *,
    by: PrincipalId,
    because: str,
    at: datetime,
    entropy: Entropy,
) -> None:
    """Retire a workload's instance, with its key and its tokens, and note that it ended."""
    entry = tx.principals.get(workload.instance)
    if entry is not None and entry.state is not State.RETIRED:
        endings.retire(tx, entry, by=by, because=because, at=at, entropy=entropy)
    tx.workloads.end(workload.instance, at)
