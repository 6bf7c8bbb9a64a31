"""Scenarios judged: each call is put to the policy stage as it is, with nobody's rights in the way."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import msgspec

from remit.authority.rights import ANY_PURPOSE, Caps, Ceiling, Money, Window
from remit.authority.tasks import Lineage, Task, TaskState
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.assessment import OPTIONAL, Assessment, Contribution, total
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Reason, Stage
from remit.decision.call.actions import METHODS
from remit.decision.call.request import ActionRequest, ProposedCall, Resource
from remit.decision.policy.bundle import Bundle
from remit.decision.stages.policy import policy_stage
from remit.decision.trials.book import Book, Story, Then, When
from remit.decision.trials.fixtures import Cast, NotGiven, empty, named
from remit.identity.principals import Principal
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import JsonObject, parse_object, sha256
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.ids import (
    AgentId,
    CallId,
    EnvelopeId,
    GrantId,
    InstanceId,
    PrincipalId,
    TaskId,
    TokenId,
    UserId,
)
from remit.kernel.tenancy import DEFAULT_TENANT

_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
LIMIT: Final = 2_000
"""Scenarios of one file, variations counted."""


class TooMany(Invalid):
    """More scenarios than one run judges."""

    code = "scenarios_too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What a call would do, as the gateway reads its arguments."""

    action: str
    resource: Resource
    money: Money | None
    consequential: bool


class Reader(Protocol):
    """Reads arguments by a tool's mapping: the gateway's own reader, which this wing can't import."""

    def tool(self, server: Server, tool: Tool, arguments: JsonObject) -> Meant:
        """A tool call. Raises `RemitError` where the gateway would refuse."""

    def method(self, server: Server, method: str, arguments: JsonObject) -> Meant:
        """Any other request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one scenario or variation."""

    name: str
    line: int
    wanted: str
    found: str
    """The effect, or what kept it from being judged."""
    rules: tuple[str, ...]
    faults: tuple[str, ...]
    """In which points it is not as wanted; none if it passed."""

    @property
    def passed(self) -> bool:
        """Whether the answer is the one that is wanted."""
        return not self.faults


def run(book: Book, lines: Sequence[int], bundle: Bundle, cast: Cast, reader: Reader) -> tuple[Result, ...]:
    """Judge every scenario and every variation of it, in their order; raises `TooMany`."""
    count = sum(1 + len(story.also) for story in book.scenarios)
    if count > LIMIT:
        raise TooMany(f"the file has {count} scenarios with their variations, the limit is {LIMIT}")
    return tuple(
        _judged(name, line, when, then, bundle, cast, reader)
        for story, line in zip(book.scenarios, lines, strict=True)
        for name, when, then in _variations(story)
    )


def request_of(when: When, cast: Cast, reader: Reader) -> ActionRequest:
    """The call of a scenario with all that policies see; raises `NotGiven` and what the reader raises."""
    agent: Principal = named("agent", when.agent, cast.agents)
    user: Principal | None = named("user", when.user, cast.users) if when.user else None
    server_name, _, rest = when.tool.partition("/")
    server: Server = named("server", server_name, cast.servers)
    tool = None if rest in METHODS else named("tool", when.tool, cast.tools)
    at = _instant(when.at)
    raw = msgspec.json.encode(when.arguments)
    arguments = parse_object(raw)
    means = reader.method(server, rest, arguments) if tool is None else reader.tool(server, tool, arguments)
    task = _task(when, agent, user, at)
    instance = PrincipalId("ins_scenario")
    return ActionRequest(
        call=ProposedCall(
            call=CallId("scenario"), subject=_subject(when, agent, user, at), server=server.id,
            method="tools/call" if tool else rest, action=means.action, resource=means.resource, tool=tool,
            arguments=arguments, raw_arguments=raw, arguments_digest=sha256(raw), money=means.money,
            consequential=means.consequential, at=at,
        ),
        principal=agent, instance=agent, blueprint=cast.blueprints.get(PrincipalId(agent.blueprint or "")),
        user=user, task=task, server=server, tool=tool,
        lineage=Lineage(
            tenant=DEFAULT_TENANT, user=UserId(user.id) if user else None, task=task.id, grant=task.grant,
            chain=(instance,), principals=frozenset(), envelope=None,
        ),
        factors=(), purpose=when.purpose, risk=_risk(when),
    )  # fmt: skip


def _variations(story: Story) -> Iterator[tuple[str, When | Invalid, Then]]:
    yield story.name, story.when, story.then
    for number, variation in enumerate(story.also, start=1):
        name = variation.name or ", ".join(
            f"{place}: {_said(value)}" for place, value in variation.change.items()
        )
        yield f"{story.name} [{number}: {name}]", _changed(story.when, variation.change), variation.then


def _said(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _changed(when: When, change: dict[str, Any]) -> When | Invalid:
    """The call with members of it changed, or what is wrong with that."""
    members: dict[str, Any] = copy.deepcopy(msgspec.to_builtins(when))
    for place, value in change.items():
        *steps, last = place.split(".")
        owner: Any = members
        for step in steps:
            owner = owner.setdefault(step, {}) if isinstance(owner, dict) else None
        if not isinstance(owner, dict):
            return NotGiven(f"`change` names `{place}`, which is nowhere")
        if value is None:
            owner.pop(last, None)
        else:
            owner[last] = value
    try:
        return msgspec.convert(members, type=When, strict=True)
    except msgspec.ValidationError as broken:
        return NotGiven(f"`change` makes no call: {str(broken)[:1].lower()}{str(broken)[1:]}")


def _judged(
    name: str, line: int, when: When | Invalid, then: Then, bundle: Bundle, cast: Cast, reader: Reader
) -> Result:
    try:
        if isinstance(when, Invalid):
            raise when
        found = policy_stage(request_of(when, cast, reader), empty(bundle))
    except NotGiven as absent:
        said = str(absent)
        return Result(name=name, line=line, wanted=then.effect, found=said, rules=(), faults=(said,))
    except RemitError as refused:
        # The gateway refuses such a call before any policy is asked.
        found = Finding(stage=Stage.POLICY, effect=Effect.DENY, reasons=(_refused(refused),))
    decided = tuple(
        dict.fromkeys(said.rule for said in found.reasons if said.effect is found.effect and said.rule)
    )
    faults = tuple(_differences(then, found, decided))
    return Result(name=name, line=line, wanted=then.effect, found=found.effect, rules=decided, faults=faults)


def _refused(error: RemitError) -> Reason:
    return Reason(stage=Stage.POLICY, effect=Effect.DENY, kind=None, code=error.code, sentence=str(error))


def _differences(then: Then, found: Finding, decided: tuple[str, ...]) -> Iterator[str]:
    if found.effect is not then.effect:
        because = "; ".join(said.sentence for said in found.reasons)
        yield f"wanted {then.effect}, found {found.effect}: {because}"
        return
    if then.rules is not None and set(then.rules) != set(decided):
        yield f"wanted rules {_listed(then.rules)}, decided by {_listed(decided)}"
    codes = [said.code for said in found.reasons if said.effect is found.effect]
    if then.codes is not None and set(then.codes) != set(codes):
        yield f"wanted codes {_listed(then.codes)}, found {_listed(codes)}"
    if then.approvers is not None and then.approvers != found.approvers:
        yield f"wanted approvers `{then.approvers}`, found `{found.approvers}`"
    duties = [
        " ".join([duty.type, *(f"{name}={value}" for name, value in duty.properties)])
        for duty in found.obligations
    ]
    if then.obligations is not None and set(then.obligations) != set(duties):
        yield f"wanted obligations {_listed(then.obligations)}, found {_listed(duties)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(set(names))) or "none"


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as broken:
        raise NotGiven(f"`at` is `{text}`, it is a time as 2026-01-05T12:00:00Z") from broken
    if found.tzinfo is None:
        raise NotGiven(f"`at` is `{text}`, which names no offset; end it with Z")
    return found.astimezone(UTC)


def _risk(when: When) -> Assessment:
    looked = tuple(part for part in when.risk if part in OPTIONAL)
    return total(
        (Contribution(part=part, points=points) for part, points in when.risk.items()), looked=looked
    )


def _subject(when: When, agent: Principal, user: Principal | None, at: datetime) -> VerifiedSubject:
    instances = [InstanceId(f"ins_{number}") for number in range(when.depth)]
    return VerifiedSubject(
        tenant=DEFAULT_TENANT, token=TokenId("tok_scenario"), instance=InstanceId("ins_scenario"),
        agent=AgentId(agent.id), user=UserId(user.id) if user else None, task=TaskId("tsk_scenario"),
        chain=(*instances, InstanceId("ins_scenario")), envelope=None, ceiling=None, audience="",
        scopes=frozenset(), key="key" if when.bound else "", proof=None, acr=when.acr,
        signed_in_at=at - _MINUTE if when.acr else None, issued_at=at - _MINUTE, expires_at=at + _HOUR,
    )  # fmt: skip


def _task(when: When, agent: Principal, user: Principal | None, at: datetime) -> Task:
    window = Window(start=at - _HOUR, end=at + _HOUR)
    return Task(
        id=TaskId("tsk_scenario"), tenant=DEFAULT_TENANT, user=UserId(user.id) if user else None,
        agent=AgentId(agent.id), grant=GrantId("gra_scenario"), goal="0" * 64, purpose=when.purpose,
        mode=when.mode, initiative=when.initiative, segment=when.segment, root=EnvelopeId("env_scenario"),
        state=TaskState.RUNNING, started_at=at - _HOUR, deadline=at + _HOUR,
        ceiling=Ceiling(rights=frozenset(), window=window, caps=Caps(), depth=10, purpose=ANY_PURPOSE),
    )  # fmt: skip
