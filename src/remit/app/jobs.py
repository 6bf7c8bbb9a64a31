"""What runs by itself: leased rows in the database, each idempotent, readable as one table."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from remit.app.bindings.breakglass import alarm
from remit.app.bindings.unused import retire_unused
from remit.app.bindings.vault import end_for
from remit.app.services import Services
from remit.authority.capability_service import sweep
from remit.authority.domains.trust import SESSION
from remit.authority.events import GRANT_WITHDRAWN, TASK_ENDED
from remit.authority.oauth.endpoints.backchannel import DENIED_REPEATEDLY
from remit.decision.policy_service import end_trial
from remit.identity.errors import UnknownPrincipal
from remit.identity.events import RETIRED
from remit.identity.lifecycle import IllegalTransition
from remit.kernel.clock import SystemClock
from remit.kernel.events import Event
from remit.kernel.ids import PrincipalId, TaskId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.attention.quality import KEPT
from remit.oversight.containment.kill import KillState
from remit.platform.settings.options import Provenance
from remit.platform.storage.clock_marks import ClockMark, ClockMarks
from remit.platform.storage.jobs import Job, JobRun
from remit.platform.storage.outbox import Subscriber
from remit.platform.storage.recovery import Sweep
from remit.platform.storage.repositories.ledger_appender import INDEX_STEP
from remit.platform.storage.unit_of_work import SqlTransaction

_log = structlog.stdlib.get_logger("remit.jobs")
SYSTEM: Final = PrincipalId("system")
_AT_ONCE: Final = 1000
_ROUNDS: Final = 60
"""Units of one run at most, so that other jobs get their turn."""
_KEEP_KEYS: Final = timedelta(hours=24)
_KEEP_SHIFTS: Final = timedelta(days=30)
"""Who was on call is on record for ever; the roster itself forgets it after that."""
_KEEP_ASKS: Final = timedelta(minutes=10)
"""What people were asked counts against who asked for longer than it waits."""


def jobs(services: Services) -> tuple[Job, ...]:
    """Every recurring work, with its pace."""
    second, minute, hour = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
    work = _Works(services)
    # An embedded store has one writing process, which has no lease to renew: it buries the others at start.
    several = bool(services.ground.settings.store.url)
    # What is about the installation as a whole is done once, for `default`.
    whole = services.ground.tenant == DEFAULT_TENANT
    return (
        Job(name="ledger.checkpoint", every=second, run=work.sign_heads, wanted=services.heads.wanted),
        Job(name="ledger.index", every=second, run=work.index_log, wanted=work.has_burst),
        Job(name="approvals.expire", every=second, run=work.expire_asks, wanted=work.has_due_ask),
        Job(name="cases.expire", every=second, run=work.expire_cases, wanted=services.cases.has_due),
        Job(name="breakglass.end", every=second, run=work.end_glass, wanted=services.breakglass.has_due),
        Job(name="kills.confirm", every=second, run=work.confirm_kills, wanted=work.has_open_kill),
        Job(name="tasks.end_overdue", every=second, run=work.end_overdue, wanted=work.has_overdue),
        Job(name="capabilities.retire", every=second, run=work.retire_unused, wanted=work.has_unused),
        Job(name="workloads.retire", every=5 * second, run=work.retire_workloads, wanted=work.has_ended),
        Job(name="upstream.revoke", every=second, run=work.revoke_upstream, wanted=work.has_order),
        Job(name="logouts.tell", every=second, run=work.tell_logouts, wanted=services.openid.logouts.has_due),
        *_tellings(services),
        *services.reaching.jobs(),
        Job(name="flows.forget", every=minute, run=work.forget_flows),
        Job(name="keys.rotate", every=hour, run=work.rotate_keys),
        Job(name="proofs.forget", every=minute, run=work.forget_proofs),
        Job(name="requests.forget", every=hour, run=work.forget_requests),
        Job(name="authorizations.forget", every=minute, run=work.forget_authorizations),
        Job(name="history.forget", every=hour, run=work.forget_history),
        Job(name="relations.forget", every=hour, run=work.forget_relation_changes),
        Job(name="policies.end_trial", every=10 * second, run=work.end_trial),
        *(
            (
                Job(name="clock.mark", every=10 * second, run=work.mark_clock),
                Job(name="changes.forget", every=hour, run=work.forget_changes),
            )
            if whole
            else ()
        ),
        *((Job(name="nodes.expire", every=10 * second, run=work.expire_nodes),) if several and whole else ()),
        *(
            (Job(name="calls.settle", every=10 * second, run=work.settle_calls),)
            if several and not whole
            else ()
        ),
    )


def _tellings(services: Services) -> tuple[Job, ...]:
    """Clients that are told when a person has answered, instead of asking again and again (CIBA, ping)."""
    flow = services.oauth.backchannel
    telling = None if flow is None else flow.telling
    if telling is None:
        return ()

    async def tell(_run: JobRun) -> None:
        await telling.run_due()

    return (Job(name="answers.tell", every=timedelta(seconds=1), run=tell, wanted=telling.has_due),)


def sweeps(services: Services) -> tuple[Sweep, ...]:
    """What a start settles before it serves: calls of dead processes have an unknown outcome (F21)."""
    ground = services.ground

    def unfinished(tx: SqlTransaction, at: datetime) -> int:
        dead = ("", *tx.nodes.dead())
        marked = sweep(tx, ground.tenant, before=at, at=at, limit=100_000, entropy=ground.entropy, nodes=dead)
        return len(marked)

    return (Sweep(name="calls.unknown", settle=unfinished),)


def subscriptions(services: Services) -> tuple[Subscriber, ...]:
    """Fact → handler, one readable table."""

    async def suspend(event: Event) -> None:
        """An agent that keeps asking for what people refuse stops asking (CB-01)."""
        at = services.ground.clock.now()
        try:
            await services.identity.suspend(
                PrincipalId(event.subject), by=SYSTEM, because="denied repeatedly", at=at
            )
        except (IllegalTransition, UnknownPrincipal):
            return  # At least once: it was suspended, or retired, before this delivery.

    async def disconnect(event: Event) -> None:
        """Who is retired, or took their consent back, leaves no credential behind (R108)."""
        at, vault = services.ground.clock.now(), services.vault
        await services.ground.work.commit(lambda tx: end_for(tx, vault.ender, event, at=at))

    async def forget(event: Event) -> None:
        """What a task has seen goes with the task."""
        await services.ground.work.commit(lambda tx: tx.seen.forget_task(TaskId(event.subject)))

    async def close(event: Event) -> None:
        """What was asked in a task ends with it."""
        await services.cases.end_of(TaskId(event.subject))

    watched = services.ground.settings.gateway.provenance is not Provenance.OFF
    seen = (Subscriber(name="decision.forget_seen", hears=frozenset({TASK_ENDED}), handle=forget),)
    return (
        *(seen if watched else ()),
        Subscriber(
            name="vault.disconnect",
            hears=frozenset({RETIRED, GRANT_WITHDRAWN}),
            handle=disconnect,
        ),
        Subscriber(
            name="identity.suspend_denied",
            hears=frozenset({"oversight.agent.denied_repeatedly", DENIED_REPEATEDLY}),
            handle=suspend,
        ),
        Subscriber(name="oversight.close_cases", hears=frozenset({TASK_ENDED}), handle=close),
        alarm(),
        services.reaching.subscriber(),
        *services.openid.subscribers(),
    )


class _Works:
    """The works themselves; each asks the clock, none keeps a state."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._clock = services.ground.clock

    async def sign_heads(self, run: JobRun) -> None:
        """Sign the committed head of every log, then keep it outside the database too."""
        heads = self._services.heads
        await heads.keep(await run.commit(heads.signing(self._clock.now())))

    def has_burst(self, tx: SqlTransaction) -> bool:
        """Whether more records than a reader should scan are not in the index by id."""
        return tx.ledger.lag() >= INDEX_STEP

    async def index_log(self, run: JobRun) -> None:
        """Index what a burst has left, a little at a time."""
        for _ in range(_ROUNDS):
            if not await run.commit(lambda tx: tx.ledger.index()):
                return

    def has_due_ask(self, tx: SqlTransaction) -> bool:
        """Whether silence has its say about an ask; never under a clock that ran ahead (F19)."""
        return not self._clock.suspect() and bool(tx.approvals.due(self._clock.now(), 1))

    async def expire_asks(self, _run: JobRun) -> None:
        """End them, as expired."""
        await self._services.approvals.expire_due()

    async def expire_cases(self, _run: JobRun) -> None:
        """End what agents asked and nobody answered in time."""
        await self._services.cases.expire_due()

    async def end_glass(self, _run: JobRun) -> None:
        """Put on record that break glass is over; decisions have looked at its time themselves."""
        await self._services.breakglass.end_due()

    def has_open_kill(self, tx: SqlTransaction) -> bool:
        """Whether a plane has still to confirm."""
        return any(kill.state is KillState.KILLING for kill in tx.kills.unfinished())

    async def confirm_kills(self, _run: JobRun) -> None:
        """Ask the planes again."""
        await self._services.containment.retry_unfinished()

    def has_overdue(self, tx: SqlTransaction) -> bool:
        """Whether a task runs past its deadline."""
        return bool(tx.tasks.overdue(self._clock.now(), 1))

    async def end_overdue(self, _run: JobRun) -> None:
        """End them with all that is bound to them."""
        await self._services.tasks.end_overdue(at=self._clock.now())

    def has_unused(self, tx: SqlTransaction) -> bool:
        """Whether a carried capability ended without having been used."""
        return not self._clock.suspect() and bool(tx.capabilities.unused(at=self._clock.now(), limit=1))

    async def retire_unused(self, run: JobRun) -> None:
        """Give back what their decisions had reserved. A clock that ran ahead ends nothing (F19)."""
        at, entropy = self._clock.now(), self._services.ground.entropy
        if not self._clock.suspect():
            await _drain(run, lambda tx: retire_unused(tx, at=at, limit=_AT_ONCE, entropy=entropy))

    def has_ended(self, tx: SqlTransaction) -> bool:
        """Whether a workload's proof has run out."""
        return bool(tx.workloads.due(self._clock.now(), 1))

    async def retire_workloads(self, _run: JobRun) -> None:
        """Retire their instances: nothing of a workload outlives its proof."""
        service = self._services.federation.service
        for _ in range(_ROUNDS):
            if await service.end_due(by=SYSTEM, at=self._clock.now(), limit=_AT_ONCE) < _AT_ONCE:
                return

    def has_order(self, tx: SqlTransaction) -> bool:
        """Whether a provider has still to be told of an end."""
        return self._services.vault.revoker.has_due(tx)

    async def revoke_upstream(self, _run: JobRun) -> None:
        """Tell providers what has ended, until they confirm it (N3)."""
        await self._services.vault.revoker.run_due()

    async def tell_logouts(self, _run: JobRun) -> None:
        """Tell applications which sessions have ended, until they have heard it."""
        await self._services.openid.logouts.run_due()

    async def forget_flows(self, run: JobRun) -> None:
        """Drop connect flows that nobody came back from."""
        at = self._clock.now()
        await run.commit(lambda tx: tx.vault.forget_flows(at))

    async def rotate_keys(self, _run: JobRun) -> None:
        """Take the steps that are due."""
        await self._services.ground.keys.rotate(self._clock.now())

    async def mark_clock(self, run: JobRun) -> None:
        """Remember how far the clock has come; a step of more than this pace shows at the next start."""
        if isinstance(self._clock, SystemClock):
            mark = ClockMark(high_water=self._clock.high_water(), generation=self._clock.generation())
            await run.commit(lambda tx: ClockMarks(tx.sql).put(mark))

    async def forget_proofs(self, run: JobRun) -> None:
        """Drop what can no longer be replayed, and tokens and sessions that nobody can show any more."""
        at, tenant = self._clock.now(), self._services.ground.tenant
        await _drain(run, lambda tx: tx.replay.forget(tenant, at, _AT_ONCE))
        await _drain(run, lambda tx: tx.tokens.forget(at - _KEEP_KEYS, _AT_ONCE))
        await _drain(run, lambda tx: tx.challenges.forget(at, _AT_ONCE))
        await _drain(run, lambda tx: tx.invitations.forget(at, _AT_ONCE))
        await _drain(run, lambda tx: tx.statuses.forget(at, _AT_ONCE))
        await _drain(run, lambda tx: tx.sessions.forget(at - _KEEP_KEYS, _AT_ONCE))
        await _drain(run, lambda tx: tx.upstream_sessions.forget(at - _KEEP_KEYS, _AT_ONCE))

    async def forget_requests(self, run: JobRun) -> None:
        """Drop old keys of repeated requests."""
        at = self._clock.now()
        await run.commit(lambda tx: tx.idempotency.forget(at - _KEEP_KEYS))

    async def forget_authorizations(self, run: JobRun) -> None:
        """Drop requests that nobody answered in time; codes and families once nobody could show them."""
        at = self._clock.now()
        await _drain(run, lambda tx: tx.pendings.forget(at, _AT_ONCE))
        # What a person took back is remembered for as long as it would have stood.
        await _drain(run, lambda tx: tx.domains.forget(at - SESSION, _AT_ONCE))
        await _drain(run, lambda tx: tx.devices.forget(at, _AT_ONCE))
        await _drain(run, lambda tx: tx.backchannels.forget(at - _KEEP_ASKS, _AT_ONCE))
        await _drain(run, lambda tx: tx.notices.forget(at - _KEEP_ASKS, _AT_ONCE))
        await _drain(run, lambda tx: tx.codes.forget(at - _KEEP_KEYS, _AT_ONCE))
        await _drain(run, lambda tx: tx.families.forget(at - _KEEP_KEYS, _AT_ONCE))
        await _drain(run, lambda tx: tx.logouts.forget(at - _KEEP_KEYS, _AT_ONCE))

    async def forget_history(self, run: JobRun) -> None:
        """Drop marks whose window is over, what tasks have seen, and what people were asked long ago."""
        at = self._clock.now()
        await _drain(run, lambda tx: tx.inboxes.forget(at - KEPT, _AT_ONCE))
        await _drain(run, lambda tx: tx.history.forget(at, _AT_ONCE))
        await _drain(run, lambda tx: tx.rosters.forget(at - _KEEP_SHIFTS, _AT_ONCE))
        await _drain(run, lambda tx: tx.seen.forget(at, _AT_ONCE))

    async def forget_relation_changes(self, run: JobRun) -> None:
        """Drop changes of tuples that are told no longer."""
        before = self._clock.now() - self._services.ground.settings.relations.changes
        await _drain(run, lambda tx: tx.relations.forget_changes(before, _AT_ONCE))

    async def end_trial(self, run: JobRun) -> None:
        """Put on record that a policy version is no longer tried on a part."""
        ground, at = self._services.ground, self._clock.now()
        await run.commit(lambda tx: end_trial(tx, tenant=ground.tenant, at=at, entropy=ground.entropy))

    async def forget_changes(self, run: JobRun) -> None:
        """Drop change numbers that no reader is behind: one that is loads everything anew."""
        await run.commit(lambda tx: tx.changes.forget())

    async def settle_calls(self, run: JobRun) -> None:
        """Give calls of nodes that were declared dead their unknown outcome, in this tenant too (F25)."""
        (calls,) = sweeps(self._services)
        await run.commit(lambda tx: calls.settle(tx, self._clock.now()))

    async def expire_nodes(self, run: JobRun) -> None:
        """Declare dead whoever has stopped renewing its lease: it can never write again (F25).

        What it had consumed and not finished is unknown from now on, not only from the next start.
        """
        at, ground = self._clock.now(), self._services.ground

        def settle(tx: SqlTransaction, dead: Sequence[str]) -> int:
            return len(
                sweep(tx, ground.tenant, before=at, at=at, limit=_AT_ONCE, entropy=ground.entropy, nodes=dead)
            )

        def bury(tx: SqlTransaction) -> tuple[list[str], int]:
            gone = tx.nodes.expire(at=at)
            return gone, settle(tx, gone)

        # CRASH: the death and the first calls' outcomes are one commit; a start settles what is left (F21).
        gone, settled = await run.commit(bury)
        if gone:
            _log.warning("nodes_expired", nodes=gone, settled=settled)
            await _drain(run, lambda tx: settle(tx, gone))


async def _drain(run: JobRun, forget: Callable[[SqlTransaction], int]) -> None:
    """Forget in short units, so that nobody waits behind a long one; bounded, the rest comes next time."""
    for _ in range(_ROUNDS):
        if await run.commit(forget) < _AT_ONCE:
            return
