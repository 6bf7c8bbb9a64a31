"""A question as the call that it stands for, with nothing believed that the directory does not say.

What is not there (subject, server, tool, task, chain) is left to the decision itself, which refuses it by its
own code and puts that on record like any other refusal.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from immutables import Map

from remit.app.access.question import Asked, Entity
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Reason
from remit.decision.call.actions import METHODS, action_of
from remit.decision.call.request import ProposedCall, Resource
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot
from remit.enforcement.mcp.mapping import ArgumentsUnmapped, Meaning, meaning_of_tool
from remit.identity.principals import Kind, Principal, Tier
from remit.identity.tools import Server, Tool
from remit.kernel.building import builder
from remit.kernel.canonical import JsonObject, canonical_json, sha256
from remit.kernel.ids import (
    AgentId,
    ApprovalId,
    CallId,
    InstanceId,
    PrincipalId,
    ServerId,
    TaskId,
    TenantId,
    TokenId,
    ToolId,
    UserId,
)

TYPES: Final = {"agent": Tier.AGENTIC, "workload": Tier.WORKLOAD, "user": Tier.HUMAN}
"""Types of subjects, and the tier of the directory that each stands for."""
_LIFE: Final = timedelta(minutes=5)
_FRESH: Final = timedelta(minutes=1)
_SUBJECTS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """The call to be decided; `refused` where the question itself contradicts the tool's mapping."""

    call: ProposedCall
    refused: Reason | None = None


_posed, _call, _resource = builder(Posed), builder(ProposedCall), builder(Resource)


@dataclass(slots=True)
class Tools:
    """The tools of a snapshot by their action; made anew when either map of the snapshot is another one."""

    _made_of: tuple[Map[ToolId, Tool], Map[ServerId, Server]] | None = None
    _by_action: dict[str, list[tuple[Server, Tool]]] = field(default_factory=dict)

    def of(self, snapshot: Snapshot) -> dict[str, list[tuple[Server, Tool]]]:
        """Servers and tools that an action can mean."""
        present = (snapshot.tools, snapshot.servers)
        if self._made_of is None or any(
            one is not other for one, other in zip(self._made_of, present, strict=True)
        ):
            self._by_action, self._made_of = _indexed(snapshot), present
        return self._by_action


@dataclass(slots=True)
class Subjects:
    """Who was asked about on one view, as long as that is the view and a minute is not over.

    SAFETY: whatever a subject is made of is in the view, or in the key. One that is the same for many
    questions stands on what was found for the first of them (ADR 0014).
    """

    _view: Snapshot | None = None
    _known: dict[tuple[object, ...], VerifiedSubject] = field(default_factory=dict)

    def of(
        self,
        asked: Asked,
        snapshot: Snapshot,
        server: Server | None,
        *,
        issuer: str,
        at: datetime,
        by: PrincipalId,
    ) -> VerifiedSubject:
        """The subject of a question."""
        if self._view is not snapshot or len(self._known) >= _SUBJECTS:
            self._view, self._known = snapshot, {}
        who = asked.subject
        key = (who.type, who.id, asked.task, asked.envelope, server.id if server else None, by)
        found = self._known.get(key)
        if found is None or not found.issued_at <= at < found.issued_at + _FRESH:
            found = self._known[key] = _subject(asked, snapshot, server, issuer=issuer, at=at, by=by)
        return found


def pose(
    asked: Asked,
    snapshot: Snapshot,
    tools: Tools,
    subjects: Subjects,
    *,
    issuer: str,
    call: CallId,
    at: datetime,
    by: PrincipalId,
) -> Posed:
    """The call that a question stands for."""
    server, tool = _tool(asked, snapshot, tools)
    arguments = asked.arguments if asked.arguments is not None else _known(asked.resource, tool)
    meaning, refused = _meaning(asked, server, tool, arguments)
    raw = canonical_json(arguments)  # whoever asks again may have other members first
    return _posed(
        call=_call(
            call=call,
            subject=subjects.of(asked, snapshot, server, issuer=issuer, at=at, by=by),
            server=server.id if server else ServerId(""),
            method="tools/call" if _is_call(asked.action, server) else "",
            action=asked.action,
            resource=_resource(type=asked.resource.type, id=asked.resource.id),
            tool=tool,
            arguments=arguments,
            raw_arguments=raw,
            arguments_digest=sha256(raw),
            money=meaning.money if meaning else None,
            consequential=bool(tool and tool.consequential),
            at=at,
            asked_by=by,
            approval=ApprovalId(asked.approval) if asked.approval else None,
        ),
        refused=refused,
    )


def actor_of(subject: Entity, snapshot: Snapshot) -> Principal | None:
    """Who is meant: an id, or a SPIFFE ID of ours, which ends with one. Names can change hands, ids can't."""
    found = snapshot.principals.get(PrincipalId(subject.id.rsplit("/", 1)[-1]))
    tier = TYPES.get(subject.type)
    if found is None or tier is None or found.tier is not tier:
        return None
    # An agent acts by one of its instances, and an instance is what proves itself (R2).
    return found if tier is not Tier.AGENTIC or found.kind is Kind.INSTANCE else None


def _indexed(snapshot: Snapshot) -> dict[str, list[tuple[Server, Tool]]]:
    found: dict[str, list[tuple[Server, Tool]]] = {}
    for tool in snapshot.tools.values():
        server = snapshot.servers.get(tool.server)
        if server is not None:
            found.setdefault(action_of(server, tool), []).append((server, tool))
    return found


def _tool(asked: Asked, snapshot: Snapshot, tools: Tools) -> tuple[Server | None, Tool | None]:
    found = tools.of(snapshot).get(asked.action, ())
    if len(found) == 1 and asked.tool in {"", found[0][1].name}:
        return found[0]
    named = [pair for pair in found if asked.tool in {"", pair[1].name}]
    if len(named) == 1:
        return named[0]
    if named:
        return named[0][0], None  # several share the action, and nothing says which is meant
    name = asked.action.partition("/")[0]
    return next((server for server in snapshot.servers.values() if server.name == name), None), None


def _is_call(action: str, server: Server | None) -> bool:
    return server is None or action.removeprefix(f"{server.name}/") not in METHODS


def _known(resource: Entity, tool: Tool | None) -> JsonObject:
    """What follows of the arguments from the resource alone."""
    pointer = tool.mapping.resource.pointer if tool is not None and tool.mapping is not None else ""
    if pointer.count("/") != 1:
        return {}
    return {pointer[1:].replace("~1", "/").replace("~0", "~"): resource.id}


def _meaning(
    asked: Asked, server: Server | None, tool: Tool | None, arguments: JsonObject
) -> tuple[Meaning | None, Reason | None]:
    if server is None or tool is None:
        return None, None
    try:
        meaning = meaning_of_tool(server, tool, arguments)
    except ArgumentsUnmapped as unmapped:
        return None, reason(Code.ARGUMENTS_UNREAD, why=unmapped.hint)
    meant = meaning.resource
    if meant.type != asked.resource.type or meant.id != asked.resource.id:
        why = f"they mean `{meant.type}:{meant.id}`, asked was `{asked.resource.type}:{asked.resource.id}`"
        return meaning, reason(Code.ARGUMENTS_UNREAD, why=why)
    return meaning, None


def _subject(
    asked: Asked, snapshot: Snapshot, server: Server | None, *, issuer: str, at: datetime, by: PrincipalId
) -> VerifiedSubject:
    """The enforcement point has authenticated it, and answers for its proof; what it may is ours alone."""
    actor = actor_of(asked.subject, snapshot)
    # SAFETY: an id of another type than it was asked by names nobody; ids of the directory have no colon.
    instance = InstanceId(actor.id if actor else f"{asked.subject.type}:{asked.subject.id}")
    agent = actor.parent if actor is not None and actor.kind is Kind.INSTANCE else instance
    task = snapshot.tasks.get(TaskId(asked.task))
    envelope = snapshot.envelopes.get(asked.envelope)
    givers = tuple(InstanceId(hop.by) for hop in envelope.hops) if envelope else ()
    return VerifiedSubject(
        tenant=TenantId(snapshot.tenant),
        token=TokenId(""),
        instance=instance,
        agent=AgentId(agent or ""),
        user=UserId(task.user) if task is not None and task.user is not None else None,
        task=TaskId(asked.task) if asked.task else None,
        chain=(*givers, instance) if TYPES.get(asked.subject.type) is Tier.AGENTIC else (),
        envelope=asked.envelope or None,
        ceiling=None,
        audience=f"{issuer}/mcp/{server.name}" if server else issuer,
        scopes=frozenset({"mcp"}),
        key=by,
        proof=None,
        issued_at=at,
        expires_at=at + _LIFE,
        client=PrincipalId(instance),
    )
