"""A candidate policy on decisions that were made: what it would have answered, from what is on record (N5).

Only policy is asked again; what the other stages found then stays. A decision counts only if the version that
made it, asked again with the same facts, gives the recorded answer: else the facts are not those of then, and
it is counted as not made again, with why, never guessed.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from remit.authority.rights import Money
from remit.authority.tasks import Lineage, Task
from remit.authority.tokens import VerifiedSubject
from remit.decision.code_names import Code
from remit.decision.facts import Snapshot
from remit.decision.finding import Finding
from remit.decision.policy.bundle import Bundle
from remit.decision.policy_stage import HEADLESS_APPROVERS, policy_stage
from remit.decision.request import ActionRequest, ProposedCall, Resource
from remit.decision.response import Effect, Stage
from remit.decision.sources.known import Known
from remit.decision.trace import Explanation, StoredDecision
from remit.decision.trials.fixtures import empty
from remit.decision.trials.running import Reader
from remit.identity.principals import Principal
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import parse_object, sha256
from remit.kernel.errors import RemitError
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TokenId

_ASIDE: Final = frozenset({Stage.POLICY, Stage.OVERSIGHT})
_FIRST: Final = frozenset({Stage.ALIVE, Stage.AUTHORITY})


class Lost(StrEnum):
    """Why a decision can't be made again."""

    ARGUMENTS = "its arguments were erased"
    TOOL = "its tool has changed or is gone"
    PARTIES = "who took part is not known any more"
    TOKEN = "its token is forgotten"  # noqa: S105 - a sentence, not a secret
    SIGN_IN = "how the person had signed in is not on record"
    LINEAGE = "nobody looked then at what was in its context"
    FACTS = "the facts are not those of then"
    GLASS = "break glass had lifted a rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One decision with what is on record beside it; None for what is gone."""

    stored: StoredDecision
    arguments: str | None
    server: Server | None
    tool: Tool | None
    """As it is pinned now, if that is what was called then."""
    named_tool: bool
    agent: Principal | None
    blueprint: Principal | None
    user: Principal | None
    companions: tuple[Principal | None, ...]
    task: Task | None
    key: str | None
    """What the token was bound to; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision that the candidate answers otherwise."""

    decision: str
    agent: str
    action: str
    resource: str
    before: Effect
    after: Effect
    rule: str
    """What of the candidate decides."""
    money: Money | None


@dataclass(slots=True)
class Replay:
    """What came of it: every change, and how many were the same or lost."""

    total: int = 0
    same: int = 0
    lost: Counter[Lost] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)

    def add(self, found: Change | Lost | None) -> None:
        """Count one decision."""
        self.total += 1
        if found is None:
            self.same += 1
        elif isinstance(found, Lost):
            self.lost[found] += 1
        else:
            self.changes.append(found)


def replay(
    remembered: Iterable[Remembered],
    candidate: Bundle,
    *,
    made_with: Callable[[str], Bundle | None],
    reader: Reader,
    into: Replay,
) -> None:
    """Make each decision again with the candidate; `made_with` gives the version of a name, proven."""
    for each in remembered:
        into.add(again(each, candidate, made_with(each.stored.explanation.verdict.policy_version), reader))


def again(  # noqa: PLR0911 — each way out has its own reason
    told: Remembered, candidate: Bundle, then: Bundle | None, reader: Reader
) -> Change | Lost | None:
    """What the candidate changes about one decision; None if nothing."""
    found = told.stored.explanation
    recorded = next((each for each in found.stages if each.stage is Stage.POLICY), None)
    # It was refused before policy was asked: no policy changes that.
    if recorded is None or any(each.effect is Effect.DENY for each in found.stages if each.stage in _FIRST):
        return None
    if found.glasses:
        return Lost.GLASS
    request = _request(told, reader)
    if isinstance(request, Lost):
        return request
    if then is None:
        return Lost.FACTS
    if candidate.lineage is not None and then.lineage is None:
        return Lost.LINEAGE
    control, fresh = policy_stage(request, _view(then)), policy_stage(request, _view(candidate))
    if _signed_in(control) or _signed_in(fresh):
        return Lost.SIGN_IN
    if not _agrees(control, recorded):
        return Lost.FACTS
    before, after = _whole(found, control.effect), _whole(found, fresh.effect)
    if before is after:
        return None
    return Change(
        decision=told.stored.id,
        agent=found.agent_name,
        action=found.action,
        resource=found.resource,
        before=before,
        after=after,
        rule=next((said.rule for said in fresh.reasons if said.rule), ""),
        money=request.call.money,
    )


@lru_cache(maxsize=256)
def _view(bundle: Bundle) -> Snapshot:
    """Nothing but policies; a bundle is one object for as long as it is used."""
    return empty(bundle)


def _agrees(control: Finding, recorded: Finding) -> bool:
    """Whether the same rules gave the same answer for the same codes."""
    if recorded.effect is Effect.PERMIT and not recorded.reasons:
        # A yes lifted it: what is left on record of the question is that there was one.
        return control.effect is Effect.ASK
    return control.effect is recorded.effect and [(said.code, said.rule) for said in control.reasons] == [
        (said.code, said.rule) for said in recorded.reasons
    ]


def _signed_in(found: Finding) -> bool:
    """Whether it hangs on how the person had signed in."""
    return any(said.code == Code.STEP_UP_REQUIRED for said in found.reasons) or (
        found.effect is Effect.ASK and found.approvers == HEADLESS_APPROVERS
    )


def _whole(found: Explanation, policy: Effect) -> Effect:
    """The verdict with another answer of policy; whether a person said yes then is left aside."""
    others = [each.effect for each in found.stages if each.stage not in _ASIDE]
    return max([policy, *others], key=lambda effect: effect.strength)


def _request(told: Remembered, reader: Reader) -> ActionRequest | Lost:  # noqa: PLR0911 — as above
    """The request as policy saw it, made of what is on record."""
    found = told.stored.explanation
    if told.arguments is None or sha256(told.arguments.encode()) != found.arguments:
        return Lost.ARGUMENTS
    if told.server is None or (told.named_tool and told.tool is None):
        return Lost.TOOL
    agent = told.agent
    gone = (found.user is not None and told.user is None) or (found.task is not None and told.task is None)
    if agent is None or gone or None in told.companions or (agent.blueprint and told.blueprint is None):
        return Lost.PARTIES
    if told.key is None:
        return Lost.TOKEN
    try:
        arguments = parse_object(told.arguments.encode()) if told.arguments else {}
        method = found.action.removeprefix(f"{told.server.name}/")
        means = (
            reader.tool(told.server, told.tool, arguments)
            if told.tool is not None
            else reader.method(told.server, method, arguments)
        )
    except RemitError:
        return Lost.FACTS
    if f"{means.resource.type}:{means.resource.id}" != found.resource or means.action != found.action:
        return Lost.FACTS
    kind, _, name = found.resource.partition(":")
    call = ProposedCall(
        call=found.call,
        subject=_subject(found, told.key),
        server=told.server.id,
        method="tools/call" if told.tool is not None else method,
        action=found.action,
        resource=Resource(type=kind, id=name),
        tool=told.tool,
        arguments=arguments,
        raw_arguments=told.arguments.encode(),
        arguments_digest=found.arguments,
        money=means.money,
        consequential=means.consequential,
        at=found.at,
    )
    return ActionRequest(
        call=call,
        principal=agent,
        instance=agent,
        blueprint=told.blueprint,
        user=told.user,
        task=told.task,
        server=told.server,
        tool=told.tool,
        lineage=Lineage(
            tenant=found.tenant,
            user=found.user,
            task=found.task,
            grant=None,
            chain=(),
            principals=frozenset(),
            envelope=None,
        ),
        factors=(),
        purpose=found.purpose,
        companions=tuple(each for each in told.companions if each is not None),
        known=Known(
            labels=dict.fromkeys(found.labels, ""), outward=tuple(("", each) for each in found.outward)
        ),
    )


def _subject(found: Explanation, key: str) -> VerifiedSubject:
    return VerifiedSubject(
        tenant=found.tenant,
        token=TokenId(found.token),
        instance=InstanceId(found.instance),
        agent=AgentId(found.agent),
        user=found.user,
        task=found.task,
        chain=tuple(InstanceId(each) for each in found.chain),
        envelope=None,
        ceiling=None,
        audience="",
        scopes=frozenset(),
        key=key,
        proof=None,
        issued_at=found.at,
        expires_at=found.at + timedelta(seconds=1),
        client=PrincipalId(found.instance),
    )
