"""Stores of capabilities, budgets and readers of arguments that lack one condition each."""

import json
from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from sqlalchemy import bindparam, update

from remit.authority.capability import Use
from remit.decision.budget.cost import Line
from remit.enforcement.mcp.app import McpApp
from remit.enforcement.mcp.gateway import Gateway
from remit.enforcement.mcp.results import Answer
from remit.enforcement.pep.gate import Permit
from remit.kernel.canonical import Digest, Json, sha256
from remit.kernel.ids import CapabilityId
from remit.platform.storage.instants import micros
from remit.platform.storage.repositories.capabilities import CapabilityRepository
from remit.platform.storage.repositories.decision import _RESERVE, BudgetRepository
from remit.platform.storage.sql import Scalar
from remit.platform.storage.tables.authority import capability as t

COLUMNS: dict[str, Callable[[Use], Scalar]] = {
    "instance": lambda use: use.instance,
    "task": lambda use: use.task or "",
    "audience": lambda use: use.audience,
    "action": lambda use: use.action,
    "resource_type": lambda use: use.resource_type,
    "resource": lambda use: use.resource,
    "args_sha256": lambda use: use.arguments,
    "tool_sha256": lambda use: use.tool,
    "cnf_jkt": lambda use: use.key,
}
WHO = ("instance", "cnf_jkt")
WHAT = ("task", "audience", "action", "resource_type", "resource", "tool_sha256")


def consume_without(
    missing: Sequence[str],
) -> Callable[[CapabilityRepository, Use, datetime], bool]:
    """The one conditional UPDATE without some of its conditions; `state` and `exp` can be missing too."""
    kept = {name: value for name, value in COLUMNS.items() if name not in missing}
    conditions = [t.c[name] == bindparam(f"this_{name}") for name in kept]
    conditions += [t.c.state == "live"] if "state" not in missing else []
    conditions += [t.c.exp > bindparam("now")] if "exp" not in missing else []
    # The tenant of a foreign use is another transaction's; without that rule the row alone counts.
    statement = (
        update(t)
        .where(t.c.jti == bindparam("this"), *conditions)
        .values(state="consumed", call_id=bindparam("new_call"), consumed_at=bindparam("now"))
    )

    def consume(store: CapabilityRepository, use: Use, at: datetime) -> bool:
        values = {f"this_{name}": value(use) for name, value in kept.items()}
        values |= {"this": use.capability, "new_call": use.call, "now": micros(at)}
        return store._sql.run(statement, values) == 1

    return consume


def as_it_is(store: CapabilityRepository, use: Use, at: datetime) -> bool:
    """The defence itself, in the same form."""
    return store.consume(use, at=at)


_REVIVE = update(t).where(t.c.jti == bindparam("this")).values(state="live", call_id="")


def tries_again(store: CapabilityRepository, ident: CapabilityId) -> None:
    """CA-15: a call without outcome did not happen, so it may be repeated."""
    store._sql.run(_REVIVE, {"this": ident})


def first_chunk(body: bytes) -> Digest:
    """CA-12: what arrived first is what is judged."""
    return sha256(body[: 64 << 10])


def read_as_values(body: bytes) -> Digest:
    """CA-05, CA-07: two texts are one call if Python reads the same from both."""
    return sha256(json.dumps(json.loads(body), sort_keys=True).encode())


def read_generously(body: bytes) -> Digest:
    """CA-11: a value that is encoded once more is the same value."""

    def plain(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            decoded = b64decode(value, validate=True).decode()
        except (Error, UnicodeDecodeError):
            decoded = unquote(value)
        return decoded if decoded.isdigit() and not value.isdigit() else value

    read = json.loads(body)
    return sha256(json.dumps({name: plain(value) for name, value in read.items()}).encode())


class KeepsTheLast(McpApp):
    """CA-06: of two members with one name the last one counts, as Python reads it."""

    async def _body(self, exchange: Any) -> bytes:
        return json.dumps(json.loads(await super()._body(exchange))).encode()


class WritesAnew(Gateway):
    """CA-07, CA-13: what is forwarded is written anew from what was read."""

    async def _forward(self, request: Any, permit: Permit, mirrored: Any, continued: Any) -> Answer:
        raw = request.message.raw_params
        anew = {**raw, "arguments": json.dumps(json.loads(raw["arguments"])).encode()}
        message = replace(request.message, raw_params=anew)
        return await super()._forward(replace(request, message=message), permit, mirrored, continued)


def dotted(arguments: Json, pointer: str) -> tuple[bool, Json]:
    """CA-09: a path is found wherever its words stand, also inside one key."""
    path = pointer.removeprefix("/")
    if isinstance(arguments, dict):
        for name in (path, path.replace("/", ".")):
            if name in arguments:
                return True, arguments[name]
        head, _, rest = path.partition("/")
        if head in arguments:
            return dotted(arguments[head], f"/{rest}") if rest else (True, arguments[head])
    return False, None


class Unsigned(BudgetRepository):
    """CA-19: any cost that stays under the cap is charged, also a negative one."""

    def reserve(self, line: Line) -> bool:
        if line.cost >= 0:
            return super().reserve(line)
        # What the conditional statement alone would do with it.
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": line.id,
            "new_period": line.period,
            "cost": line.cost,
            "cap": line.cap,
        }
        return self._sql.run(_RESERVE, values) == 1
