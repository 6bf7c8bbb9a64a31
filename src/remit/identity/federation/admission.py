"""From a verified assertion to the instance that it is: planned on a view, made in one transaction (R103).

An instance of a workload is ephemeral: named after the workload, its key and its life end with the proof,
and a leased job retires it. The same workload with the same key is the same instance again.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.identity.credential_service import add_key
from remit.identity.credentials import Credential, CredentialState
from remit.identity.errors import SharedCredential
from remit.identity.federation import records
from remit.identity.federation.assertion import VerifiedAssertion
from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.repository import FederationTransaction
from remit.identity.federation.rules import match
from remit.identity.federation.trust import TrustRule, TrustState, Workload
from remit.identity.lifecycle import State
from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.registration import Registration, draft
from remit.identity.service import activate, register
from remit.kernel.canonical import canonical_json
from remit.kernel.errors import Conflict, Invalid
from remit.kernel.ids import Entropy, KeyId, PrincipalId, mint_id
from remit.kernel.jose.jwk import PublicKey

MOST_INSTANCES: Final = 256
"""Living instances of one workload: pods that share an account, each with a key of its own."""
SYSTEM: Final = PrincipalId("system")
_OTHER: Final = re.compile(r"[^a-zA-Z0-9]+")
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Which instance a workload is, made already (`fresh` is false) or about to be."""

    assertion: VerifiedAssertion
    rule: TrustRule
    agent: Principal
    instance: Principal
    credential: Credential
    public: PublicKey
    fresh: bool


def plan(
    tx: FederationTransaction,
    assertion: VerifiedAssertion,
    public: PublicKey,
    *,
    at: datetime,
    entropy: Entropy,
) -> Admission:
    """Find or plan the instance; reads alone. Raises `AssertionRejected` at step 8."""
    rule = match(assertion, tx.trust_rules.of_issuer(assertion.issuer.id))
    agent = tx.principals.get(PrincipalId(rule.agent))
    if agent is None or agent.state is not State.ACTIVE:
        raise AssertionRejected(8, "agent_not_active", debug=rule.agent)
    present = tx.workloads.of_subject(assertion.issuer.id, assertion.workload, at)
    for each in present:
        _check_stopped(tx, each)
    known = next((each for each in present if each.key == public.thumbprint and each.rule == rule.id), None)
    if known is not None:
        return _known(tx, assertion, rule, agent, known, public)
    if len(present) >= MOST_INSTANCES:
        raise AssertionRejected(8, "too_many_instances", debug=f"the limit is {MOST_INSTANCES}")
    if tx.credentials.by_thumbprint(public.thumbprint) is not None:
        raise AssertionRejected(8, SharedCredential.code)
    return _planned(tx, assertion, rule, agent, public, at, entropy)


def perform(tx: FederationTransaction, admission: Admission, *, at: datetime, entropy: Entropy) -> None:
    """Make the instance, or let it go on for longer, in the transaction that gives it a token.

    INVARIANT: issuer and rule are read here again; withdrawing either advances the epoch in its own
    transaction, so no instance comes to be after that commit. Raises `AssertionRejected` at step 8.
    """
    assertion, rule = admission.assertion, admission.rule
    issuer, present = tx.issuers.get(assertion.issuer.id), tx.trust_rules.get(rule.id)
    if issuer is None or issuer.state is not TrustState.ACTIVE:
        raise AssertionRejected(8, "issuer_withdrawn")
    if present is None or present.state is not TrustState.ACTIVE:
        raise AssertionRejected(8, "rule_withdrawn")
    if not admission.fresh:
        tx.workloads.prolong(admission.instance.id, assertion.expires_at)
        if tx.credentials.prolong(admission.credential.id, assertion.expires_at):
            tx.touch("credential", admission.credential.id)
        return
    _make(tx, admission, at, entropy)


def _make(tx: FederationTransaction, admission: Admission, at: datetime, entropy: Entropy) -> None:
    assertion, instance, key = admission.assertion, admission.instance, admission.credential
    tenant = instance.tenant
    stated = _stated(assertion, admission.agent, instance.name)
    try:
        entry = register(tx, stated, tenant, SYSTEM, at, entropy, ident=instance.id)
    except (Conflict, Invalid) as unfit:  # its agent ended meanwhile, or nobody answers for it any more
        raise AssertionRejected(8, unfit.code, debug=unfit.hint) from unfit
    # RSA keys say their algorithm; for the others it is the curve's.
    jwk = {**admission.public.jwk(), "alg": admission.public.algorithm.value}
    made = add_key(tx, entry, jwk, SYSTEM, at, entropy, not_after=assertion.expires_at, ident=key.id)
    if isinstance(made, SharedCredential):
        raise AssertionRejected(8, made.code)
    activate(tx, entry.id, SYSTEM, at, entropy)
    tx.workloads.add(
        Workload(
            instance=entry.id,
            tenant=tenant,
            issuer=assertion.issuer.id,
            rule=admission.rule.id,
            subject=assertion.workload,
            key=key.thumbprint,
            ends_at=assertion.expires_at,
            created_at=at,
        )
    )
    records.state(
        tx,
        records.WORKLOAD_ENROLLED,
        tenant=tenant,
        subject=entry.id,
        agent=admission.agent.id,
        by=entry.id,
        at=at,
        entropy=entropy,
        detail=_about(admission),
    )


def _about(admission: Admission) -> records.Detail:
    assertion = admission.assertion
    return (
        ("issuer", assertion.issuer.id),
        ("issuer_name", assertion.issuer.name),
        ("rule", admission.rule.id),
        ("workload", assertion.workload[:1024]),
        ("assertion", assertion.digest),
        ("ends_at", assertion.expires_at.isoformat()),
    )


def _check_stopped(tx: FederationTransaction, known: Workload) -> None:
    """Who was stopped is not back at once by the same proof: not before that proof would have run out."""
    entry = tx.principals.get(known.instance)
    if entry is None or entry.state is not State.ACTIVE or tx.lineage.buried(known.instance):
        raise AssertionRejected(8, "workload_stopped", debug=known.instance)


def _known(
    tx: FederationTransaction,
    assertion: VerifiedAssertion,
    rule: TrustRule,
    agent: Principal,
    known: Workload,
    public: PublicKey,
) -> Admission:
    instance = tx.principals.get(known.instance)
    credential = tx.credentials.by_thumbprint(known.key)
    if instance is None or credential is None or credential.state is not CredentialState.ACTIVE:
        raise AssertionRejected(8, "workload_stopped", debug=known.instance)
    ends_at = max(assertion.expires_at, credential.not_after or assertion.expires_at)
    return Admission(
        assertion=assertion,
        rule=rule,
        agent=agent,
        instance=instance,
        credential=replace(credential, not_after=ends_at),
        public=public,
        fresh=False,
    )


def _planned(
    tx: FederationTransaction,
    assertion: VerifiedAssertion,
    rule: TrustRule,
    agent: Principal,
    public: PublicKey,
    at: datetime,
    entropy: Entropy,
) -> Admission:
    ident = PrincipalId(mint_id(PREFIX[Kind.INSTANCE], at=at, entropy=entropy))
    entry = draft(
        _stated(assertion, agent, _name(assertion, ident)),
        ident=ident,
        tenant=agent.tenant,
        parent=tx.principals.get(agent.id),
        blueprint=None,
        at=at,
    )
    credential = Credential(
        id=KeyId(mint_id("crd", at=at, entropy=entropy)),
        tenant=agent.tenant,
        principal=ident,
        thumbprint=public.thumbprint,
        algorithm=public.algorithm,
        jwk=canonical_json(public.jwk()).decode(),
        state=CredentialState.ACTIVE,
        created_at=at,
        not_after=assertion.expires_at,
    )
    return Admission(
        assertion=assertion,
        rule=rule,
        agent=agent,
        instance=replace(entry, state=State.ACTIVE),
        credential=credential,
        public=public,
        fresh=True,
    )


def _stated(assertion: VerifiedAssertion, agent: Principal, name: str) -> Registration:
    return Registration(
        kind=Kind.INSTANCE,
        name=name,
        parent=agent.id,
        attributes=(
            ("federation_issuer", assertion.issuer.issuer),
            ("federation_workload", assertion.workload[:1024]),
        ),
    )


def _name(assertion: VerifiedAssertion, ident: PrincipalId) -> str:
    """A name that people recognise and that no two instances share: the subject's end, the id's end."""
    subject = _OTHER.sub("-", assertion.subject).strip("-")[-_SHOWN:].strip("-")
    return f"{subject or 'workload'}.{ident[-16:]}"
