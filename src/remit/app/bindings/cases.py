"""Cases bound to what they stand on: the task of whoever asks, and what the task knows from now on."""

from dataclasses import dataclass
from typing import cast

from remit.app.bindings.acting import acting_in
from remit.app.bindings.provenance import watch_of
from remit.authority.tokens import VerifiedSubject
from remit.decision.facts.snapshot import Snapshots
from remit.decision.provenance.labels import Label
from remit.decision.provenance.watch import Watch, WatchTransaction
from remit.kernel.canonical import Digest
from remit.kernel.clock import Clock
from remit.kernel.errors import NotFound
from remit.kernel.ids import Entropy, PrincipalId, TaskId, TenantId
from remit.kernel.sealing import Kek
from remit.oversight.cases.case import Case, CaseLimits
from remit.oversight.cases.repository import CaseTransaction
from remit.oversight.cases.service import CaseService, Escalation
from remit.platform.settings.model import Settings
from remit.platform.storage.unit_of_work import SqlUnitOfWork


class NoSuchTask(NotFound):
    """No task that the caller acts in now."""

    code = "case_task_unknown"


def open_cases(
    chosen: Settings,
    *,
    work: SqlUnitOfWork,
    kek: Kek,
    clock: Clock,
    entropy: Entropy,
    tenant: TenantId,
) -> CaseService:
    """Cases of one tenant; what people answer is known in the task, with what it is worth."""
    limits = CaseLimits(reach=chosen.approvals.cases_to, lifetime=chosen.approvals.case_lifetime)
    return CaseService(
        work=work,
        limits=limits,
        hearing=_Heard(watch_of(chosen.gateway, kek=kek, tenant=tenant)),
        clock=clock,
        entropy=entropy,
        tenant=tenant,
    )


class _Heard:
    """The words of an answer count as what their speaker said, for as long as the task runs."""

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch

    def heard(self, tx: CaseTransaction, case: Case) -> None:
        """Enter the values that the answer names; the question's own words are lifted by nothing."""
        if self._watch is None:
            return
        self._watch.heard(
            cast("WatchTransaction", tx),
            case.task,
            case.answer,
            label=case.provenance or Label.UNKNOWN,
            source=f"case:{case.id}",
            until=case.task_ends_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDesk:
    """Where agents ask: finds the task that a caller acts in, and who that is."""

    service: CaseService
    snapshots: Snapshots

    async def escalate(
        self,
        caller: VerifiedSubject,
        task: TaskId,
        *,
        question: str,
        to: str = "",
        key: str = "",
        envelope: Digest | None = None,
    ) -> Case:
        """Open a case in a task that the caller acts in. Raises `NoSuchTask`, and what the service raises."""
        snapshot = await self.snapshots.catch_up()
        acting = acting_in(snapshot, caller, task, envelope)
        agent = snapshot.principals.get(PrincipalId(caller.agent))
        if acting is None or agent is None:
            raise NoSuchTask("no task that you act in is there", next_step="remit task list")
        run = acting[0]
        user = snapshot.principals.get(PrincipalId(run.user)) if run.user else None
        wanted = Escalation(
            task=run,
            agent=agent,
            instance=PrincipalId(caller.instance),
            user=user,
            question=question,
            to=to,
            key=key,
        )
        return await self.service.escalate(wanted)
