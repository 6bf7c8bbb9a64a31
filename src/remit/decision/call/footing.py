"""What a call stands on, found once per token, tool and snapshot; only times and arguments are new each time.

INVARIANT: a footing lives beside the immutable snapshot that it was found on and dies with it. It is found
again only by exactly the inputs that it was made from, and used only inside `until`; else the slow, obvious
way is taken, which is also the oracle of the property tests (`assembly.assemble`, `stages`).
"""

from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Final, TypeAlias

from remit.authority.rights import Right
from remit.authority.tasks import Lineage, Task
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.finding import Finding
from remit.decision.call.request import ActionRequest, Factor, ProposedCall
from remit.identity.principals import Principal
from remit.identity.tools import Server, Tool
from remit.kernel.building import builder

SIZE: Final = 4096
"""How many footings one snapshot keeps; the oldest goes first."""

Key: TypeAlias = tuple[object, ...]
_request: Final = builder(ActionRequest)

standing_of = attrgetter(*(each.name for each in fields(VerifiedSubject) if each.name != "proof"))
"""Everything that a subject says, but for the proof, which each request has its own of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the authority stage still has to look at for each call: names, time, resource and arguments.

    `arguments` are the only top-level names allowed, None for any. Each of `choices` is what one or more
    factors leave: one right of each must fit. What fits every call of this action is not listed.
    """

    arguments: frozenset[str] | None
    start: datetime
    end: datetime
    choices: tuple[tuple[Right, ...], ...]
    finding: Finding
    """What the stage says when all of that holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """The facts of `ActionRequest` but for the call, and what two stages say of them."""

    subject: tuple[object, ...]
    """`standing_of` the subject that it was made for."""
    until: datetime
    """When the token or the first hop ends, exclusive."""
    principal: Principal
    instance: Principal
    blueprint: Principal | None
    user: Principal | None
    task: Task | None
    server: Server
    tool: Tool | None
    lineage: Lineage
    factors: tuple[Factor, ...]
    purpose: str
    alive: Finding | None
    """What the stage says while the task runs; None where something is dead."""
    alive_until: datetime | None
    """The task's deadline, exclusive; None without a task."""
    bounds: Bounds | None
    """None where no call of this action can pass."""
    companions: tuple[Principal, ...]
    capped: bool
    """Whether any factor has a budget: else nothing is charged to anybody."""

    def request(self, call: ProposedCall) -> ActionRequest:
        """The facts with a call of the same subject, server, tool and action."""
        return _request(
            call=call,
            principal=self.principal,
            instance=self.instance,
            blueprint=self.blueprint,
            user=self.user,
            task=self.task,
            server=self.server,
            tool=self.tool,
            lineage=self.lineage,
            factors=self.factors,
            purpose=self.purpose,
            companions=self.companions,
        )


def key_of(call: ProposedCall) -> Key:
    """Every input of a footing but the subject, which `Footings.find` compares whole."""
    tool, subject = call.tool, call.subject
    return (
        subject.token,
        # Who is asked about by an enforcement point has no token of their own.
        subject.instance,
        subject.task,
        subject.envelope,
        call.server,
        None if tool is None else tool.id,
        None if tool is None else tool.digest,
        call.method,
        call.action,
        call.resource.type,
    )


class Footings:
    """The footings of one snapshot, bounded. OWNED BY: the event loop; never carried to another snapshot."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Key, Footing] = {}

    def find(self, call: ProposedCall) -> Footing | None:
        """The one for exactly this subject, server, tool and action, if it still holds at this moment."""
        found = self._known.get(key_of(call))
        if found is None or call.at >= found.until or found.subject != standing_of(call.subject):
            return None
        return found

    def keep(self, call: ProposedCall, footing: Footing) -> None:
        """Remember it; the oldest makes room."""
        if len(self._known) >= SIZE:
            del self._known[next(iter(self._known))]
        self._known[key_of(call)] = footing
