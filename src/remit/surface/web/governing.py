"""Each operation of the API is an action that the administrative policy decides on, for every person.

INVARIANT: nobody is asked here what an operation is about: an operation without a rule is nobody's. Agents
and workloads do not administer: the scopes of their tokens say what they may do here.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.requests import Request

from remit.decision.administration.actions import AdminAction, Catalogue
from remit.decision.administration.judging import Channel, Standing
from remit.oversight.changes.service import CONFIRM
from remit.surface.web.caller import Caller, NotAdministrator
from remit.surface.web.operation import Operation


def judged(
    caller: Caller, operation: Operation[Any, Any], *, at: datetime, resource: str = "", network: str = ""
) -> Caller:
    """The caller with what the policy says of this call. Raises `NotAdministrator`.

    Asked first is whether they may do it to whatever there is; if not, whether to what is their own. What is
    whose the operation itself finds out.
    """
    if not caller.person:
        return caller
    caller = replace(caller, network=network)
    action, who = operation.action, standing_of(caller)
    whole = caller.policy.judge(who, action, own=False, at=at, resource=resource)
    if whole.allowed:
        return replace(caller, whole=True, seeing=True)
    own = whole
    if not operation.by_rank:
        own = caller.policy.judge(who, action, own=True, at=at, resource=resource)
    if not own.allowed:
        raise NotAdministrator(
            f"the administrative policy does not let you do this: {own.because(action)}",
            next_step="who may: remit role list",
        )
    seeing = not operation.reads and caller.policy.judge(who, action.seeing, own=False, at=at).allowed
    return replace(caller, seeing=seeing, denial=whole.because(action))


def judged_here(caller: Caller, operation: Operation[Any, Any], request: Request, *, at: datetime) -> Caller:
    """The same for a request: what it is about is the first thing that its address names."""
    network = request.client.host if request.client else ""
    resource = str(next(iter(request.path_params.values()), ""))
    return judged(caller, operation, at=at, resource=resource, network=network)


def judged_for(caller: Caller, action: AdminAction, *, resource: str, at: datetime) -> Caller:
    """The caller with what the policy says of one deed among many. Raises `NotAdministrator`.

    SAFETY: a deed that goes by another address is the same deed, so the same rules decide on it.
    """
    who = standing_of(caller)
    whole = caller.policy.judge(who, action, own=False, at=at, resource=resource)
    if not whole.allowed and not caller.policy.judge(who, action, own=True, at=at, resource=resource).allowed:
        raise NotAdministrator(
            f"the administrative policy does not let you do this: {whole.because(action)}",
            next_step="who may: remit role list",
        )
    seeing = whole.allowed or caller.policy.judge(who, action.seeing, own=False, at=at).allowed
    return replace(caller, whole=whole.allowed, seeing=seeing, denial=whole.because(action))


def standing_of(caller: Caller) -> Standing:
    """The caller as the policy meets them."""
    return Standing(
        tenant=caller.tenant,
        ident=caller.principal,
        name=caller.name,
        roles=caller.roles,
        channel=Channel.TOKEN if caller.signed is None else Channel.SESSION,
        acr=caller.subject.acr,
        signed_in_at=caller.subject.signed_in_at,
        network=caller.network,
    )


class Governed:
    """The operations that are governed, as the policy knows them. OWNED BY whoever composes them.

    What rules about the operations is itself one of them, so it learns of them once all are there.
    """

    def __init__(self) -> None:
        self.operations: Sequence[Operation[Any, Any]] = ()

    def catalogue(self) -> Catalogue:
        """Everything that can be done here."""
        return Catalogue([*(each.action for each in self.operations), CONFIRM])

    def by_rank(self) -> frozenset[str]:
        """What is about the whole installation, and nobody's own."""
        return frozenset(each.action.name for each in self.operations if each.by_rank)
