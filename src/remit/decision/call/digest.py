"""The name of exactly one action: what a person says yes to, and what is known again when it is retried."""

import json
from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import Final

from remit.decision.call.request import ActionRequest, ProposedCall
from remit.identity.tools import ToolMapping
from remit.kernel.canonical import Digest, Json, JsonObject, canonical_json, framed_digest, sha256


def action_key(request: ActionRequest, policy_version: str) -> Digest:
    """Name what would run: material arguments, tool definition, resource, agent, task and policy (P8, N15).

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


def family_key(request: ActionRequest, policy_version: str, rules: Sequence[str]) -> Digest:
    """Name what a bounded yes may be for: an action by whom in what, as asked about by these rules.

    A yes says itself which arguments and resources it covers (`covering`).
    """
    call = request.call
    subject = call.subject
    parts = (
        subject.tenant,
        call.tool.digest if call.tool else "",
        call.action,
        call.resource.type,
        subject.agent,
        subject.user or "",
        subject.task or "",
        policy_version,
        *sorted(rules),
    )
    return framed_digest("remit/approval/family/v1", [part.encode() for part in parts])


def budget_key(key: Digest, accounts: Sequence[str]) -> Digest:
    """Name the question whether this action may use what is left of these accounts."""
    return framed_digest("remit/approval/budget/v1", [part.encode() for part in (key, *sorted(accounts))])


def material_digest(call: ProposedCall) -> Digest:
    """Digest the arguments that matter by what they mean: not by blanks, order or the spelling of a number.

    What no mapping names immaterial is material. The mapping is part of the tool's own digest, so nobody can
    move an argument out of an approval that was already given; nor can it take out what it reads itself.
    """
    if not _is_exact(call.raw_arguments):
        return framed_digest("remit/arguments/bytes/v1", [call.arguments_digest.encode()])
    mapping = call.tool.mapping if call.tool else None
    loose = immaterial(mapping) if mapping else ()
    if not loose:
        return framed_digest("remit/arguments/raw/v1", [sha256(canonical_json(call.arguments)).encode()])
    return framed_digest("remit/arguments/material/v1", [rest_digest(call.arguments, loose).encode()])


def immaterial(mapping: ToolMapping) -> tuple[str, ...]:
    """The arguments that a yes is not about; which resource, how much and for whom always matter."""
    money = mapping.money
    read = {
        mapping.resource.pointer,
        mapping.beneficiary,
        *((money.amount, money.currency) if money else ()),
        *(pointer for meter in mapping.meters for pointer in meter.arguments),
    }
    kept = {_steps(pointer) for pointer in read if pointer}
    return tuple(
        pointer
        for pointer in mapping.immaterial
        if not any(steps[: len(_steps(pointer))] == _steps(pointer) for steps in kept)
    )


def rest_digest(arguments: JsonObject, loose: Sequence[str]) -> Digest:
    """Digest the arguments without those at some places."""
    rest = _without(arguments, [_steps(pointer) for pointer in loose])
    return sha256(canonical_json(rest))


def pointed(arguments: JsonObject, pointer: str) -> tuple[bool, Json]:
    """Whether there is a value at a place in the arguments, and which."""
    value: Json = arguments
    for step in _steps(pointer):
        if not isinstance(value, dict) or step not in value:
            return False, None
        value = value[step]
    return True, value


def _is_exact(raw: bytes) -> bool:
    """Whether every number is one that a double holds as it was written, and an integer a safe one.

    SAFETY: two texts of one double are two values to a reader of decimals, so those count by their bytes.
    """
    exact = True

    def fraction(text: str) -> float:
        nonlocal exact
        value = float(text)
        exact = exact and isfinite(value) and Decimal(text) == Decimal(repr(value))
        return value

    def whole(text: str) -> int:
        nonlocal exact
        exact = exact and len(text) <= _SAFE_DIGITS
        return 0

    json.loads(raw or b"{}", parse_float=fraction, parse_int=whole)
    return exact


_SAFE_DIGITS: Final = 15


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
