"""The name of exactly one action: what a person says yes to, and what is known again when it is retried."""

from collections.abc import Sequence

from remit.decision.call.request import ActionRequest, ProposedCall
from remit.kernel.canonical import Digest, Json, JsonObject, canonical_json, framed_digest, sha256


def action_key(request: ActionRequest, policy_version: str) -> Digest:
    """Name what would run: the same bytes, tool definition, resource, agent, task and policy (P8).

    Two calls share a key exactly if a yes to one may serve the other. How often it may and until when is
    the approval's own business; who acts for whom is fixed by agent, user and task.
    """
    call = request.call
    subject = call.subject
    parts = (
        subject.tenant,
        call.tool.digest if call.tool else "",
        material_digest(call),
        call.action,
        call.resource.type,
        call.resource.id,
        subject.agent,
        subject.user or "",
        subject.task or "",
        policy_version,
    )
    return framed_digest("remit/approval/v1", [part.encode() for part in parts])


def budget_key(key: Digest, accounts: Sequence[str]) -> Digest:
    """Name the question whether this action may use what is left of these accounts."""
    return framed_digest("remit/approval/budget/v1", [part.encode() for part in (key, *sorted(accounts))])


def material_digest(call: ProposedCall) -> Digest:
    """Digest the arguments that matter: the raw bytes, unless the tool's mapping names immaterial ones.

    What no mapping names is material. The mapping is part of the tool's own digest, so nobody can move an
    argument out of an approval that was already given.
    """
    immaterial = call.tool.mapping.immaterial if call.tool and call.tool.mapping else ()
    if not immaterial:
        return framed_digest("remit/arguments/raw/v1", [call.arguments_digest.encode()])
    rest = _without(call.arguments, [_steps(pointer) for pointer in immaterial])
    return framed_digest("remit/arguments/material/v1", [sha256(canonical_json(rest)).encode()])


def _steps(pointer: str) -> tuple[str, ...]:
    """Take a JSON pointer apart (RFC 6901 §4): `~1` before `~0`, so that `~01` is `~1`."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def _without(value: JsonObject, places: list[tuple[str, ...]]) -> JsonObject:
    """Copy the arguments without some members; a place inside a list or beside any member removes nothing."""
    kept: JsonObject = {}
    for name, member in value.items():
        inner = [place[1:] for place in places if place and place[0] == name]
        if () in inner:
            continue
        kept[name] = _narrow(member, inner)
    return kept


def _narrow(member: Json, inner: list[tuple[str, ...]]) -> Json:
    return _without(member, inner) if inner and isinstance(member, dict) else member
