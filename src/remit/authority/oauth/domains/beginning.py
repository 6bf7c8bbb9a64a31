"""The task that a grant of another domain begins (ADR 0030), in the transaction that issues its first token.

An administrator's rule stands where a person's yes would: the consent is written down in the person's name,
with the rule's words and its author, so that the person finds it among their own and can take it back. What a
person took back is not written anew for as long as it would have stood.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.authority import events
from remit.authority.attenuation import covers, meet, normal
from remit.authority.consent import Grant, GrantState
from remit.authority.domains.trust import SESSION, DomainRule, DomainRun, TrustedDomain
from remit.authority.errors import (
    BeyondConsent,
    EmptyAuthority,
    NoConsent,
    NotAlive,
    NotYours,
    SegmentCrossed,
)
from remit.authority.intent import seal_goal
from remit.authority.oauth.clients.client import Client
from remit.authority.oauth.domains import records
from remit.authority.oauth.domains.grant import DomainGrant
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire.errors import UNVERIFIED, InvalidGrant, TemporarilyUnavailable
from remit.authority.rights import Ceiling, Window
from remit.authority.task_service import StartTask, TaskService
from remit.authority.tasks import Initiative, Mode, Task
from remit.kernel.canonical import canonical_json
from remit.kernel.ids import AgentId, Entropy, EnvelopeId, GrantId, UserId, mint_id
from remit.ledger.record import Content

_REFUSALS: Final = (BeyondConsent, EmptyAuthority, NoConsent, NotAlive, NotYours, SegmentCrossed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What it takes to begin tasks."""

    tasks: TaskService
    entropy: Entropy

    def of(
        self, domain: TrustedDomain, rule: DomainRule, said: DomainGrant, *, user: UserId, client: Client
    ) -> "Begun":
        """The task of this grant, to be begun or gone on with; how far it goes is filled in later."""
        return Begun(
            domain=domain,
            rule=rule,
            said=said,
            user=user,
            client=client,
            tasks=self.tasks,
            entropy=self.entropy,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Begins the task of one grant at one resource, or goes on with it."""

    domain: TrustedDomain
    rule: DomainRule
    said: DomainGrant
    user: UserId
    client: Client
    tasks: TaskService
    entropy: Entropy
    standing: Ceiling | None = None
    """The most that the rule gives this agent there: what the consent is about."""

    def apply(self, tx: OAuthTransaction, token: AccessToken, *, at: datetime) -> AccessToken:
        """The token, standing on the task. Raises `InvalidGrant` if there can be none."""
        try:
            task = self._task(tx, token, at)
        except _REFUSALS as refused:
            reason = refused.reason if isinstance(refused, NotAlive) else refused.code
            raise InvalidGrant(UNVERIFIED, reason=reason) from refused
        root = tx.envelopes.get(task.root)
        if root is None or token.ceiling is None:
            raise TemporarilyUnavailable("the task has no envelope")
        self._record(tx, task, token, at)
        return replace(
            token,
            task=task.id,
            envelope=root.digest,
            envelopes=(EnvelopeId(root.digest), root.id),
            ceiling=meet(token.ceiling, task.ceiling),
        )

    def _task(self, tx: OAuthTransaction, token: AccessToken, at: datetime) -> Task:
        ident = self._ident(token)
        known = tx.domains.run(ident)
        if known is None:
            return self._begin(tx, ident, token, at)
        # The same grant in other hands is no repetition.
        if (known.client, known.rule, known.user) != (self.client.id, self.rule.id, self.user):
            raise InvalidGrant(UNVERIFIED, reason="grant_other_client")
        task = tx.tasks.get(known.task)
        if task is None:
            raise TemporarilyUnavailable("the task is not there")
        return task

    def _ident(self, token: AccessToken) -> str:
        """What a grant at one resource is known by: domain, the grant's own number, resource."""
        return hashlib.sha256(canonical_json([self.domain.id, self.said.id, token.audience])).hexdigest()

    def _begin(self, tx: OAuthTransaction, ident: str, token: AccessToken, at: datetime) -> Task:
        if token.ceiling is None:
            raise TemporarilyUnavailable("the grant was not judged")
        consent = self._consent(tx, token.ceiling, at)
        wanted = StartTask(
            user=self.user,
            agent=consent.agent,
            goal=self._goal(),
            purpose=token.ceiling.purpose,
            ceiling=token.ceiling,
            deadline=token.expires_at,
            mode=Mode.AUTONOMOUS if self.said.before else Mode.INTERACTIVE,
            initiative=Initiative.AGENT if self.said.before else Initiative.USER,
        )
        intent = seal_goal(wanted.goal, entropy=self.entropy)
        task = self.tasks.start_in(tx, wanted, intent, by=self.client.id, at=at, given=consent).task
        run = DomainRun(
            id=ident,
            tenant=task.tenant,
            domain=self.domain.id,
            rule=self.rule.id,
            client=self.client.id,
            agent=consent.agent,
            user=self.user,
            task=task.id,
            grant=consent.id,
            before=self.said.before,
            ends_at=task.deadline,
        )
        if not tx.domains.begin(run):
            raise TemporarilyUnavailable("the same grant is being redeemed elsewhere")
        return task

    def _consent(self, tx: OAuthTransaction, needed: Ceiling, at: datetime) -> Grant:
        agent = AgentId(self.client.agent or "")
        last = tx.domains.last(self.rule.id, self.user, agent)
        known = None if last is None else tx.grants.get(last.grant)
        if known is not None and at < known.ceiling.window.end:
            if known.state is not GrantState.GIVEN:
                raise InvalidGrant(UNVERIFIED, reason="consent_withdrawn")
            if covers(known.ceiling, needed):
                return known
        return self._give(tx, agent, at)

    def _give(self, tx: OAuthTransaction, agent: AgentId, at: datetime) -> Grant:
        if self.standing is None:
            raise TemporarilyUnavailable("the grant was not judged")
        start = at.replace(microsecond=0)
        window = Window(start=start, end=min(self.standing.window.end, start + SESSION))
        consent = Grant(
            id=GrantId(mint_id("gra", at=at, entropy=self.entropy)),
            tenant=self.domain.tenant,
            user=self.user,
            agent=agent,
            ceiling=normal(replace(self.standing, window=window)),
            text=self._text(),
            state=GrantState.GIVEN,
            given_at=at,
        )
        tx.grants.add(consent)
        tx.touch("grant", consent.id)
        events.state(
            tx,
            events.GRANT_GIVEN,
            tenant=consent.tenant,
            # Not the person: an administrator wrote the rule, and that is what the record says.
            actor=self.rule.created_by,
            agent=agent,
            at=at,
            entropy=self.entropy,
            ceiling=consent.ceiling,
            user=self.user,
            grant=consent.id,
            subject=consent.id,
            detail=(("by", "domain_rule"), ("rule", self.rule.id), ("domain", self.domain.id)),
            contents=(Content(name="consent", subject=self.user, text=consent.text),),
        )
        return consent

    def _record(self, tx: OAuthTransaction, task: Task, token: AccessToken, at: datetime) -> None:
        records.state(
            tx,
            records.GRANT_TAKEN,
            tenant=self.domain.tenant,
            actor=self.client.id,
            at=at,
            entropy=self.entropy,
            subject=self.domain.id,
            user=self.user,
            agent=task.agent,
            task=task.id,
            grant=task.grant or "",
            detail=(
                ("issuer", self.domain.issuer),
                ("rule", self.rule.id),
                ("jti", self.said.id[:256]),
                ("subject_there", self.said.subject[:256]),
                ("transaction_there", self.said.transaction[:256]),
                ("acted_before", self.said.before[:1024]),
                ("resource", token.audience),
            ),
        )

    def _text(self) -> str:
        return f"By a rule of {self.rule.created_by}, for people of {self.domain.name}: {self.rule.text}"

    def _goal(self) -> str:
        how = "task" if self.said.before else "session"
        return (
            f"{how} of {self.client.name} that {self.domain.issuer} vouches for, "
            f"by rule {self.rule.id}: {self.rule.text}"
        )
