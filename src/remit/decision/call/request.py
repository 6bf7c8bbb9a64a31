"""What is asked: subject, action, resource and context (AuthZEN 1.0 §5), with every fact that we add."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from remit.authority.rights import Ceiling, Money
from remit.authority.tasks import Lineage, Task
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.assessment import Assessment
from remit.decision.sources.known import Known
from remit.identity.principals import Principal
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import Digest, Json, JsonObject
from remit.kernel.ids import ApprovalId, CallId, PrincipalId, ServerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What the action touches, as the tool's mapping read it from the arguments."""

    type: str
    id: str
    tags: tuple[tuple[str, str], ...] | None = None
    """Of a document: name and value, sorted by name; None where nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedCall:
    """One call as an enforcement point saw it, before any fact of ours is added.

    `action` is `<server>/<action>`. `arguments` is the parsed body; `arguments_digest` is the SHA-256 of
    the raw bytes (`raw_arguments`) that will be forwarded. `tool` is None for methods that name none.
    """

    call: CallId
    subject: VerifiedSubject
    server: ServerId
    method: str
    action: str
    resource: Resource
    tool: Tool | None
    arguments: JsonObject
    raw_arguments: bytes
    arguments_digest: Digest
    money: Money | None
    consequential: bool
    at: datetime
    asked_by: PrincipalId | None = None
    """The enforcement point that asks for somebody else; None where the caller itself was verified."""
    approval: ApprovalId | None = None
    """The yes that such an enforcement point stands on; one that it does not name is not used up for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One ceiling among those that must all allow the request, by the name a reader knows it by:
    `user`, `agent`, `blueprint`, `task`, `hop 1`, `token`.
    """

    name: str
    ceiling: Ceiling
    account: str
    """Whose budget its caps are: id of the task, prefix of the hop, agent, consent or token."""
    daily: bool = False
    """Whether its caps are per UTC day; those of a task, hop or token are for its whole life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What plugins said of a call, by name; and of those that said nothing of use, why."""

    known: Mapping[str, Json] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """A proposed call with every fact that the stages need, all from one snapshot."""

    call: ProposedCall
    principal: Principal
    """Who acts: the agent, or the person or workload that calls by itself."""
    instance: Principal
    blueprint: Principal | None
    user: Principal | None
    task: Task | None
    server: Server
    tool: Tool | None
    """The tool as it is pinned now; `call.tool` is what the enforcement point saw."""
    lineage: Lineage
    factors: tuple[Factor, ...]
    purpose: str
    """That of the signed task; empty without one."""
    companions: tuple[Principal, ...] = ()
    """Who else the task is for: the rules are asked for each of them."""
    known: Known | None = None
    """What of the data in the agent's context counts here; None where no rule looks at it."""
    risk: Assessment | None = None
    """None where nobody assessed it: then it counts as the worst (PD-21)."""
    facts: Facts | None = None
    """None where no plugin was asked."""
