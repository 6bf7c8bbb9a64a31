"""Which tools somebody should see: those that could be permitted, or asked about, with some arguments.

What is hidden here is refused when called, for whatever arguments (N14); Cedar's partial evaluation says
so without knowing them. A tool that is shown may still be refused for the arguments that it is given.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import cedarpy

from remit.authority.alive import Alive, alive
from remit.authority.attenuation import meet_all
from remit.authority.rights import ANY_PURPOSE, Ceiling
from remit.authority.tokens import VerifiedSubject
from remit.decision.assembly import Unassembled, assemble
from remit.decision.facts import Snapshot
from remit.decision.policy.context import Question, ask
from remit.decision.policy.schema import SERVER_TYPE, action_of
from remit.decision.request import ActionRequest, ProposedCall, Resource
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import Json, JsonObject, sha256
from remit.kernel.ids import CallId, ToolId

_UNKNOWN: Final = "__extn"
_NO_ARGUMENTS: Final = b"{}"


def visible(
    subject: VerifiedSubject, server: Server, tools: Sequence[Tool], *, snapshot: Snapshot, at: datetime
) -> frozenset[ToolId]:
    """The tools of a server that the subject may know of."""
    shown = set()
    ceiling: Ceiling | None = None
    for tool in tools:
        request = assemble(_unargued(subject, server, tool, at), snapshot)
        if isinstance(request, Unassembled) or not isinstance(alive(snapshot, request.lineage, at), Alive):
            continue
        if ceiling is None:
            # The factors are the same for every tool: they hang on the subject alone.
            first, *others = (factor.ceiling for factor in request.factors)
            ceiling = meet_all(first, *others)
        if _within(ceiling, request) and _conceivable(request, snapshot):
            shown.add(tool.id)
    return frozenset(shown)


def _unargued(subject: VerifiedSubject, server: Server, tool: Tool, at: datetime) -> ProposedCall:
    """A call of the tool with nothing filled in."""
    mapping = tool.mapping
    kind = mapping.resource.type if mapping else SERVER_TYPE
    ident = (mapping.resource.fixed if mapping else server.name) or ""
    return ProposedCall(
        call=CallId("preview"),
        subject=subject,
        server=server.id,
        method="tools/call",
        action=action_of(server, tool),
        resource=Resource(type=kind, id=ident),
        tool=tool,
        arguments={},
        raw_arguments=_NO_ARGUMENTS,
        arguments_digest=sha256(_NO_ARGUMENTS),
        money=None,
        consequential=tool.consequential,
        at=at,
    )


def _within(ceiling: Ceiling, request: ActionRequest) -> bool:
    """Whether the effective right names the action at all, now and for this purpose."""
    call, tool = request.call, request.tool
    if tool is None or (tool.consequential and tool.mapping is None):
        return False
    named = any(
        right.action == call.action
        and right.resource_type == call.resource.type
        and (not call.resource.id or right.resources == "any" or call.resource.id in right.resources)
        for right in ceiling.rights
    )
    purpose = ceiling.purpose in {request.purpose, ANY_PURPOSE} and bool(request.purpose)
    return named and purpose and ceiling.window.contains(call.at)


def _conceivable(request: ActionRequest, snapshot: Snapshot) -> bool:
    bundle = snapshot.bundle
    if bundle.enforced is None:
        return False
    question = ask(request, bundle)
    said = cedarpy.is_authorized_partial(_partial(question, request), bundle.enforced, question.entities)
    # An error that does not hang on the arguments would deny every call.
    return said.decision is not cedarpy.Decision.Deny and not said.diagnostics.errors


def _partial(question: Question, request: ActionRequest) -> dict[str, object]:
    """The question with arguments, amount and (where they name it) resource left open."""
    context: JsonObject = {**question.context, "arguments": _unknown("arguments")}
    mapping = request.tool.mapping if request.tool else None
    if mapping is not None and mapping.money is not None:
        context["money"] = _unknown("money")
    asked: dict[str, object] = {
        "principal": _spelled(question.principal),
        "action": _spelled(question.action),
    }
    if request.call.resource.id:
        asked["resource"] = _spelled(question.resource)
    else:
        context["resource"] = _unknown("resource")
    return {**asked, "context": context}


def _unknown(name: str) -> Json:
    return {_UNKNOWN: {"fn": "unknown", "arg": name}}


def _spelled(entity: dict[str, str]) -> str:
    """An entity in Cedar's own syntax, which partial evaluation asks for; its escapes are those of JSON
    for everything that a name of ours may hold.
    """
    return f"{entity['type']}::{json.dumps(entity['id'], ensure_ascii=False)}"
